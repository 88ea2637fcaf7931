"""An import's progress on a terminal; nothing but what is said elsewhere."""

from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from example_client.output import printable

STATES = {
    "WAITING": "Waiting for a worker",
    "CHECKING": "Checking",
    "WRITING": "Writing",
    "INTERRUPTED": "Interrupted, waiting for another worker",
    "FINISHED": "Finished",
    "FAILED": "Failed",
}


class Bar:
    """A progress bar on standard error while it is entered, where that is a terminal.

    Args:
        console: where it is drawn.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self._progress = Progress(
            *columns,
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("Connecting", total=None)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def uploading(self, total: int) -> None:
        """Begin with `total` characters to send."""
        self._progress.update(self._task, description="Uploading", total=total, completed=0)

    def uploaded(self, count: int) -> None:
        """So many more were sent."""
        self._progress.advance(self._task, count)

    def show(self, progress: dict[str, Any]) -> None:
        """Show how far the import is; without a total the bar only moves."""
        self._progress.update(
            self._task,
            description=described(progress),
            total=progress["total"],
            completed=progress["done"],
        )

    def say(self, text: str) -> None:
        """Print a line, above the bar where there is one."""
        self._console.print(printable(text), markup=False, highlight=False, soft_wrap=True)


def described(progress: dict[str, Any]) -> str:
    """Return in a few words what the import does."""
    text = STATES.get(progress["state"], str(progress["state"]))
    return f"{text} ({progress['rejected']} rejected)" if progress["rejected"] else text
