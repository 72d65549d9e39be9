"""What the commands and the local world need on this machine."""

from __future__ import annotations

import platform
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from infra.doctor.checks import failed, ok, warning
from infra.local.pooler import find_pgbouncer

if TYPE_CHECKING:
    from infra.doctor.checks import Finding

_OLDEST_PYTHON: Final = (3, 11)


def python() -> Finding:
    """Is this Python one that the kit supports?"""
    found = f"Python {platform.python_version()}"
    if sys.version_info < _OLDEST_PYTHON:
        oldest = ".".join(map(str, _OLDEST_PYTHON))
        return failed(f"{found} is too old", f"install Python {oldest} or newer, then remove .venv")
    return ok(found)


def pgbouncer() -> Finding:
    """Can the local world have a real transaction-mode pooler?"""
    program = find_pgbouncer()
    if program is None:
        return warning(
            "PgBouncer is not installed: what a transaction-mode pooler changes is not covered locally",
            "apt-get install pgbouncer, or brew install pgbouncer",
        )
    command = [str(program), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout  # noqa: S603  no shell
    return ok(said.partition("\n")[0].strip())
