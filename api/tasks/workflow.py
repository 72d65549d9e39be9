"""The workflow of tasks: what each status may become, stated once."""

from __future__ import annotations

from typing import Final

from api.tasks.models import TaskStatus

_TODO, _IN_PROGRESS, _IN_REVIEW, _DONE, _CANCELLED = TaskStatus

#: What a status may become. Nothing is done that nobody reviewed; what is done or cancelled may be reopened.
TRANSITIONS: Final[dict[TaskStatus, tuple[TaskStatus, ...]]] = {
    _TODO: (_IN_PROGRESS, _CANCELLED),
    _IN_PROGRESS: (_TODO, _IN_REVIEW, _CANCELLED),
    _IN_REVIEW: (_IN_PROGRESS, _DONE, _CANCELLED),
    _DONE: (_IN_PROGRESS,),
    _CANCELLED: (_TODO,),
}


def sources(target: TaskStatus) -> tuple[TaskStatus, ...]:
    """Return the statuses that may become `target`."""
    return tuple(source for source, targets in TRANSITIONS.items() if target in targets)
