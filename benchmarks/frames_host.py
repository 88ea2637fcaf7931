"""uvicorn as server.workers.Worker runs it: with the short way for ready frames.

`python -m benchmarks.frames_host PORT MODULE:APPLICATION`
"""

import sys

import uvicorn

from server.workers import Worker


def main() -> None:
    port, application = sys.argv[1:]
    settings = {**Worker.CONFIG_KWARGS, "host": "127.0.0.1", "port": int(port)}
    uvicorn.run(application, log_level="warning", **settings)


if __name__ == "__main__":
    main()
