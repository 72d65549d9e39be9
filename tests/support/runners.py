"""Runners of migrations in processes of their own."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import wait
from threading import Lock
from typing import TYPE_CHECKING, Any

from api.database.connection_url import DirectUrl
from infra.migrate import runner

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from infra.config import Project

# Children of a process that has imported everything begin at once, unlike those of `spawn`; and it has no
# threads, unlike this one, so that it can be forked.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.support.runners"])

# `Process.start` asks every child how it ended. What a child says is there to be read once: a thread that
# asks at the same moment finds nothing, and takes that for exit code 255.
_EXIT_CODES = Lock()


def start_runner(project: Project, url: DirectUrl, results: Any = None) -> BaseProcess:
    """Start `runner.apply` in a process; `results`, a queue, gets the ids that it ran."""
    process = _CONTEXT.Process(target=_apply, args=(project, url.libpq(), results), daemon=True)
    with _EXIT_CODES:
        process.start()
    return process


def exit_code(process: BaseProcess, timeout: float) -> int | None:
    """Wait up to `timeout` seconds for a runner's end; None when it still runs. Safe in several threads."""
    wait([process.sentinel], timeout)
    with _EXIT_CODES:
        return process.exitcode


def new_results() -> Any:
    """Return a queue for results."""
    return _CONTEXT.Queue()


def _apply(project: Project, url: str, results: Any) -> None:
    report = runner.apply(project, DirectUrl.parse(url))
    if results is not None:
        results.put([run.id for run in report.runs])
