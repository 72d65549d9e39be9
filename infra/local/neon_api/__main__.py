"""The control plane's process: `python -m infra.local.neon_api --folder <project>/.bough`.

How it is found and ended is in `infra.local.control_plane`. It can be killed at any moment: the next
start brings every endpoint back on its ports and goes on with what was being done.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from infra.errors import InfraError
from infra.local import lock_file, ports
from infra.local.neon_api.app import create_app
from infra.local.neon_api.backend import Backend
from infra.local.neon_api.computes import Computes
from infra.local.neon_api.faults import Faults
from infra.local.neon_api.housekeeping import Housekeeping
from infra.local.neon_api.limits import Limits
from infra.local.neon_api.operations import Operations
from infra.local.neon_api.state import Store
from infra.local.own_folder import read_secrets, write_private

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence

_logger: Final = logging.getLogger(__name__)

#: Seconds between two looks whether the project's folder is still there.
_LOOK: Final = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code: 1 when another process serves the folder."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    folder: Path = options.folder / "neon"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with lock_file.held(folder / "lock"):
            asyncio.run(_serve(folder, options))
    except BlockingIOError:
        print(f"another control plane serves {folder}", file=sys.stderr)  # noqa: T201  a program of its own
        return 1
    except InfraError as error:
        print(f"{error}", file=sys.stderr)  # noqa: T201  a program of its own
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.local.neon_api")
    parser.add_argument("--folder", type=Path, required=True, help="the project's .bough/")
    parser.add_argument("--port", type=int, help="where it listens; by default where it did before")
    parser.add_argument("--faults", action="store_true", help="for tests: serve POST /faults")
    parser.add_argument(
        "--limits", type=Limits.model_validate_json, default=Limits(), help="for tests: other limits, as JSON"
    )
    return parser


async def _serve(folder: Path, options: argparse.Namespace) -> None:
    ending = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, ending.set)
    store = Store(folder / "state.json")
    computes = Computes(folder / "branches", store)
    backend = Backend(store, computes, Operations(store, computes), options.limits)
    try:
        await computes.come_back()
        await _serve_until(ending, backend, folder, options)
    finally:
        await backend.operations.stop()
        await computes.close()


async def _serve_until(
    ending: asyncio.Event, backend: Backend, folder: Path, options: argparse.Namespace
) -> None:
    server = _Server(
        uvicorn.Config(_unset, http=H11Protocol, lifespan="off", log_config=None, access_log=False, ws="none")
    )
    server.config.app = create_app(
        backend,
        api_key=read_secrets(options.folder.parent).neon_api_key,
        faults=Faults() if options.faults else None,
        cut=server.cut,
    )
    address = folder / "address.json"
    port = options.port or ports.free_port(_last_port(address))
    server.config.host, server.config.port = ports.LOOPBACK, port
    serving = asyncio.create_task(server.serve())
    housekeeping = asyncio.create_task(Housekeeping(backend).run())
    backend.operations.run_planned()
    await server.listening.wait()
    base_url = f"http://{ports.LOOPBACK}:{port}/api/v2"
    write_private(address, json.dumps({"base_url": base_url, "pid": os.getpid()}))
    ended = asyncio.create_task(ending.wait())
    gone = asyncio.create_task(_deleted(folder / "lock"))
    await asyncio.wait({ended, gone, serving, housekeeping}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    gone.cancel()
    housekeeping.cancel()
    ended.cancel()
    await serving
    with suppress(asyncio.CancelledError):
        await housekeeping


async def _deleted(lock: Path) -> None:
    """Return when the project was deleted, or moved: nobody will come for what lay there."""
    while await asyncio.to_thread(lock.exists):  # noqa: ASYNC110  nobody tells
        await asyncio.sleep(_LOOK)


async def _unset(*_: Any) -> None:
    """Stand where the application will: the server must be there before it."""


class _Server(uvicorn.Server):
    """Leaves signals to us, tells when it listens, and can cut the connection of a client."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; a port that is taken ends the process."""
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    def cut(self, client: Any) -> None:
        """Abort the connection from the address."""
        for protocol in list(self.server_state.connections):
            if isinstance(protocol, H11Protocol) and protocol.client == client:
                protocol.transport.abort()


def _last_port(address: Path) -> int | None:
    try:
        base_url: str = json.loads(address.read_text())["base_url"]
    except (FileNotFoundError, ValueError, KeyError):
        return None
    return int(base_url.removesuffix("/api/v2").rpartition(":")[2])


if __name__ == "__main__":
    sys.exit(main())
