"""The process of the AWS of this machine: `python -m infra.local.aws --folder <project>/.bough`.

How it is found and ended is in `infra.local.aws.server`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.errors import InfraError
from infra.local import lock_file
from infra.local.aws.function_urls import FunctionUrls
from infra.local.aws.moto_server import MotoServer
from infra.local.aws.runner import FromThreads, Runner
from infra.local.own_folder import write_private

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Seconds between two looks whether the project's folder is still there.
_LOOK: Final = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code: 1 when another process serves the folder."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.aws")
    parser.add_argument("--folder", type=Path, required=True, help="the project's .bough/")
    parser.add_argument("--url-port", type=int, help="where the first URL of an alias `live` answers")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    folder: Path = options.folder / "aws"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with lock_file.held(folder / "lock"):
            asyncio.run(_serve(folder, options.url_port))
    except BlockingIOError:
        print(f"another AWS serves {folder}", file=sys.stderr)  # noqa: T201  a program of its own
        return 1
    except InfraError as error:
        print(f"{error}", file=sys.stderr)  # noqa: T201  a program of its own
        return 1
    return 0


async def _serve(folder: Path, url_port: int | None) -> None:
    ending = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, ending.set)
    runner = Runner(folder)
    urls = FunctionUrls(runner, url_port)
    with MotoServer(FromThreads(runner, urls, asyncio.get_running_loop())) as server:
        await runner.start(server.endpoint)
        write_private(folder / "address.json", json.dumps({"base_url": server.endpoint, "pid": os.getpid()}))
        ended = asyncio.create_task(ending.wait())
        gone = asyncio.create_task(_deleted(folder / "lock"))
        await asyncio.wait({ended, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        ended.cancel()
        # First of all, so that threads that wait for a function get their answer.
        await runner.stop()
        await urls.stop()


async def _deleted(lock: Path) -> None:
    """Return when the project was deleted, or moved: nobody will come for what was deployed from there."""
    while await asyncio.to_thread(lock.exists):  # noqa: ASYNC110  nobody tells
        await asyncio.sleep(_LOOK)


if __name__ == "__main__":
    sys.exit(main())
