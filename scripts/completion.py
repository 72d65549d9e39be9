"""Branch names for the shell's completion: from a short cache, and never a long wait."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Final

import typer  # noqa: TC002  Typer reads annotations when a command runs

from infra.config import load_project
from infra.context import ProviderName, resolve
from infra.errors import InfraError
from infra.local import control_plane
from infra.local.own_folder import folder, write_private
from scripts.provider import open_provider

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.branches.provider import Branch
    from infra.config import Project
    from infra.context import Context

#: Seconds that names are believed, and that a key press may take.
_FRESH: Final = 30.0
_PATIENCE: Final = 1.0


def complete_branch(command: typer.Context, incomplete: str) -> list[str]:
    """Return the names that begin so; none where anything goes wrong, since nobody reads errors here."""
    try:
        project = load_project(Path.cwd())
        flags = {name: command.params.get(name) for name in ("provider", "project")}
        # Whatever is pinned, it is not what is being typed.
        context = resolve(project, flags=flags | {"branch": "-"}, environment=os.environ)
    except InfraError:
        return []
    return [name for name in _names(project, context) if name.startswith(incomplete)]


def remember(project: Project, context: Context, branches: Sequence[Branch]) -> None:
    """Keep the names of a project's branches for the next completion, where there is a place for them."""
    document = {"key": _key(context), "at": time.time(), "names": [branch.name for branch in branches]}
    with suppress(InfraError, OSError):
        write_private(folder(project.root) / "completion.json", json.dumps(document))


def _names(project: Project, context: Context) -> list[str]:
    at, names = _remembered(project, context)
    if time.time() - at < _FRESH:
        return names
    # Its thread may still wait when the shell has its answer.
    asked = Thread(target=_ask, args=(project, context, answer := list[str]()), daemon=True)
    asked.start()
    asked.join(_PATIENCE)
    return answer or names


def _ask(project: Project, context: Context, answer: list[str]) -> None:
    is_local = context.provider.value == ProviderName.LOCAL
    with suppress(InfraError, OSError):
        # A key press starts no servers.
        if is_local and control_plane.find(project.root) is None:
            return
        with open_provider(project, context, announce=lambda _: None) as provider:
            branches = provider.list()
        answer += [branch.name for branch in branches]
        remember(project, context, branches)


def _remembered(project: Project, context: Context) -> tuple[float, list[str]]:
    try:
        document = json.loads((project.root / ".bough" / "completion.json").read_text())
        if document["key"] == _key(context):
            return float(document["at"]), [str(name) for name in document["names"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return 0.0, []


def _key(context: Context) -> list[str | None]:
    return [context.provider.value, context.project_id.value, context.api_host.value]
