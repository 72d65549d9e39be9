"""Runners of migrations in processes of their own."""

from __future__ import annotations

import multiprocessing
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


def start_runner(project: Project, url: DirectUrl, results: Any = None) -> BaseProcess:
    """Start `runner.apply` in a process; `results`, a queue, gets the ids that it ran."""
    process = _CONTEXT.Process(target=_apply, args=(project, url.libpq(), results), daemon=True)
    process.start()
    return process


def new_results() -> Any:
    """Return a queue for results."""
    return _CONTEXT.Queue()


def _apply(project: Project, url: str, results: Any) -> None:
    report = runner.apply(project, DirectUrl.parse(url))
    if results is not None:
        results.put([run.id for run in report.runs])
