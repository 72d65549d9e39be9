"""The project's AWS of this machine: started when needed, found again, ended.

It is one process, `python -m infra.local.aws --folder <project>/.bough` (`infra.local.own_process`). It
keeps its state in memory: what was deployed to it is gone when it ends. It listens on loopback alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.local.own_folder import folder
from infra.local.own_process import OwnProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.aws.account import LocalAccess

#: Seconds that it gets to end: its functions' processes are killed, and nothing is written.
_END_PATIENCE: Final = 15.0


def ensure_running(
    root: Path, *, announce: Callable[[str], None], url_port: int | None = None
) -> LocalAccess:
    """Return how to reach the project's AWS, started when none runs; it outlives the calling process.

    Args:
        root: The project's folder.
        announce: Is told, in one sentence, that it was started.
        url_port: Where the first Function URL of an alias `live` answers, when this starts it and the port is
            free then; without it on any port, as all others do.

    Raises:
        ServerStartError: It did not start, or does not answer.
        DiskFullError: The disk is full.
    """
    folder(root)
    process = _process(root, *(() if url_port is None else ("--url-port", str(url_port))))
    if (address := process.address()) is None:
        with process.starting():
            if (address := process.address()) is None:
                announce("Starting the AWS of this machine; it keeps what is deployed in memory")
                address = process.start()
    return _access(address.base_url)


def find(root: Path) -> LocalAccess | None:
    """Return how to reach the one that runs, if any; what a killed one left behind does not count."""
    address = _process(root).address()
    return None if address is None else _access(address.base_url)


def stop(root: Path) -> list[str]:
    """End it with all of its functions; return what was ended."""
    process = _process(root)
    if not process.folder.exists():
        return []
    with process.starting():
        return ["AWS of this machine"] if process.end(_END_PATIENCE) else []


def _access(endpoint: str) -> LocalAccess:
    from infra.aws.account import LocalAccess  # noqa: PLC0415  boto3 takes 0.4 s, and often none runs

    return LocalAccess(endpoint)


def _process(root: Path, *options: str) -> OwnProcess:
    return OwnProcess(root, "aws", "infra.local.aws", "the AWS of this machine", options)
