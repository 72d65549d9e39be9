"""Run checks side by side, each for itself: one's failure neither hides nor delays another."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import psycopg

from infra.errors import InfraError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Status(StrEnum):
    """How it stands: `failed` will break requests or migrations, `warning` may."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; neither text ever holds a password or a token.

    Args:
        status: How it stands.
        found: In one sentence.
        fix: The next step, unless all is well or another check's finding has it.
    """

    status: Status
    found: str
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A question to this machine, a database or a provider.

    Args:
        name: Stable, for programs.
        ask: Finds out; what it raises becomes its finding.
    """

    name: str
    ask: Callable[[], Finding]


class NotCheckedError(Exception):
    """What the check needs is not there, which another check says; the message names it."""


def ok(found: str) -> Finding:
    """Return that all is well."""
    return Finding(Status.OK, found)


def warning(found: str, fix: str | None = None) -> Finding:
    """Return what may break something, or could not be found out."""
    return Finding(Status.WARNING, found, fix)


def failed(found: str, fix: str) -> Finding:
    """Return what will break something."""
    return Finding(Status.FAILED, found, fix)


def examine(checks: Sequence[Check], *, seconds: float) -> dict[str, Finding]:
    """Run all checks at once and return their findings by name, in the checks' order.

    Args:
        checks: With different names.
        seconds: What a check may take; one that takes longer has failed.
    """
    found: dict[str, Finding] = {}

    def run(check: Check) -> None:
        finding = _answer(check)
        found[check.name] = finding

    end = time.monotonic() + seconds
    # Threads that end with the process: nothing waits for a check whose time is up.
    threads = [threading.Thread(target=run, args=(check,), daemon=True) for check in checks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    late = failed(f"no answer within {seconds:g} s", "try again; --timeout gives it longer")
    return {check.name: found.get(check.name, late) for check in checks}


def one_line(error: psycopg.Error) -> str:
    """Return what the server or libpq said; neither ever quotes a password."""
    return " ".join(str(error).split())


def _answer(check: Check) -> Finding:
    try:
        return check.ask()
    except NotCheckedError as error:
        return warning(f"not checked: {error}")
    except InfraError as error:
        return failed(str(error), error.hint or "see the message")
    except psycopg.Error as error:
        return failed(one_line(error), "see the server's message")
    except Exception as error:  # noqa: BLE001  every check has a finding; the message may quote a password
        return failed(f"the check itself broke: {type(error).__name__}", "please report it")
