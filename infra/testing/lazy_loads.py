"""Loads that nobody wrote: an attribute is read, and SQLAlchemy sends a statement for it.

In a list that is one statement for every row. With an asyncio driver it is an error, but only where
the attribute happens not to be loaded yet. Here it is always one, and it says what to write instead.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, PassiveFlag, Session
from sqlalchemy.orm.attributes import _AttributeImpl

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The loads found so far in this context; `None` where lazy loads are nobody's concern.
_found: ContextVar[list[LazyLoadError] | None] = ContextVar("found", default=None)

_LOADING = _AttributeImpl._fire_loader_callables.__code__  # noqa: SLF001  no event says which attribute was read


class LazyLoadError(AssertionError):
    """An attribute was read that no statement had loaded."""


@contextmanager
def lazy_loads_refused() -> Iterator[None]:
    """Refuse the lazy loads of whatever session runs inside, whatever the model's own `lazy=` says.

    Statements that code asked for stay allowed: loader options, `refresh`, `get`, a flush's own.

    Raises:
        LazyLoadError: There was one. It is raised where the attribute is read, and once more at the
            end, because much of what reads attributes wraps or swallows exceptions.
    """
    found: list[LazyLoadError] = []
    token = _found.set(found)
    try:
        yield
    finally:
        _found.reset(token)
        if found:
            raise found[0]


@event.listens_for(Session, "do_orm_execute")
def _refuse(execution: ORMExecuteState) -> None:
    found = _found.get()
    if found is None or not (execution.is_relationship_load or execution.is_column_load):
        return
    read = _attribute_read()
    if read is not None:
        found.append(LazyLoadError(_explanation(*read)))
        raise found[-1]


def _attribute_read() -> tuple[Any, str] | None:
    """Return the instance's state and the attribute that is being read; `None` when a load was asked for."""
    frame = sys._getframe()  # noqa: SLF001  public in all but its name
    while frame is not None:
        if frame.f_code is _LOADING:
            asked_for = frame.f_locals["passive"] & PassiveFlag.NO_RAISE  # eager loads, merges, flushes
            return None if asked_for else (frame.f_locals["state"], frame.f_locals["key"])
        frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
    return None


def _explanation(state: Any, key: str) -> str:
    name = state.class_.__name__
    relationship = state.mapper.relationships.get(key)
    if relationship is not None:
        option = "selectinload" if relationship.uselist else "joinedload"
        remedy = f"load it in the statement: select({name}).options({option}({name}.{key}))"
    elif state.mapper.column_attrs[key].deferred:
        remedy = f"load it in the statement: select({name}).options(undefer({name}.{key}))"
    else:
        remedy = f'it has expired; load it again: await session.refresh(row, ["{key}"])'
    return f"{name}.{key} was read but not loaded, which would send a statement of its own; {remedy}"
