"""SIGTERM and SIGHUP, which end a process wherever it happens to be."""

import asyncio
import signal

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class OrderlyEnd:
    """Has a signal cancel a task, as Ctrl-C does: that reaches it where it waits.

    What the task does without waiting is never left half done.
    """

    def __init__(self) -> None:
        self._received: signal.Signals | None = None

    def install(self) -> None:
        """Take the signals for the current task, those left out that nohup has ignored."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None, "called from a task"
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._end, task, number)

    def _end(self, task: asyncio.Task[None], number: signal.Signals) -> None:
        self._received = number
        task.cancel()

    def complete(self) -> None:
        """End as the signal would have had it, for whoever waits for this process."""
        if self._received is not None:
            signal.raise_signal(self._received)
