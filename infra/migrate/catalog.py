"""A database's schema as data: what can be compared, hashed, and told apart in sentences."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

from psycopg.rows import tuple_row

from infra.migrate.catalog_query import QUERY, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

#: As `pg_identify_object` names it, and as people do.
_KINDS: Final = {"table column": "column", "table constraint": "constraint"}

#: Differences that a line names.
_LISTED: Final = 5


@dataclass(frozen=True, slots=True, order=True)
class Thing:
    """One thing of a schema.

    Args:
        kind: Such as `table`, `column`, `constraint`, `index`, `trigger`, `policy`, `function`, `type`.
        name: Qualified, with what it is on: `public.users.email`, `users_pkey on public.users`.
        parent: The table that it belongs to and goes with; `None` for what stands alone.
        properties: What is said of it, by name; what is usual is not said.
    """

    kind: str
    name: str
    parent: str | None
    properties: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """Return how people call it."""
        return f"{self.kind} {self.name}"

    @property
    def definition(self) -> str:
        """What is said of it, in one text: the server's own where it has one."""
        said = dict(self.properties)
        return said.get("definition") or ", ".join(f"{name} {value}" for name, value in self.properties)


@dataclass(frozen=True)
class Catalog:
    """Everything in the schemas that the role which migrates may act for or has tables in, and in `public`.

    Not in it: what extensions brought, the kit's own tables, Alembic's, the order of columns (one that
    is dropped and made again comes last), values of sequences, versions of extensions.
    """

    things: tuple[Thing, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of it all, in hexadecimal; equal for equal schemas on servers of one version."""
        rows = [(thing.kind, thing.name, thing.properties) for thing in self.things]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    def to_json(self) -> list[list[Any]]:
        """Return it as JSON can hold it."""
        return [[thing.kind, thing.name, thing.parent, thing.properties] for thing in self.things]

    @classmethod
    def from_json(cls, things: list[list[Any]]) -> Self:
        """Return what `to_json` has written."""
        return cls(
            tuple(
                Thing(kind, name, parent, tuple((key, value) for key, value in properties))
                for kind, name, parent, properties in things
            )
        )

    @cached_property
    def by_name(self) -> dict[tuple[str, str], Thing]:
        """The things by kind and name."""
        return {(thing.kind, thing.name): thing for thing in self.things}


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between two schemas.

    Args:
        kind: Of the thing.
        what: Its name.
        aspect: The property that differs; `None` when the thing is in only one of them.
        before: As it was; `None` when it was not there.
        after: As it is; `None` when it is not there.
    """

    kind: str
    what: str
    aspect: str | None
    before: str | None
    after: str | None

    def __str__(self) -> str:
        """Return a sentence about the change from the first schema to the second."""
        subject = f"{self.kind} {self.what}"
        if self.aspect is None:
            return f"{subject} is new" if self.before is None else f"{subject} is gone"
        return f"{subject}: {self.aspect} was {self.before or 'not set'}, is {self.after or 'not set'}"


def snapshot(connection: psycopg.Connection[Any]) -> Catalog:
    """Read the schema; any role may, and nothing is changed.

    Three round trips, however large the schema is.
    """
    with (
        # Rolled back, so that the settings are gone even where a transaction goes on around this one.
        connection.transaction(force_rollback=True),
        connection.cursor(row_factory=tuple_row) as cursor,
    ):
        cursor.execute(SETTINGS + QUERY)
        while cursor.description is None:
            cursor.nextset()
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    things = (
        Thing(
            _KINDS.get(kind, kind),
            name,
            parent,
            tuple(sorted((key, str(value)) for key, value in properties.items())),
        )
        for kind, name, parent, properties in rows
        # `None`: somebody dropped it meanwhile.
        if name is not None
    )
    return Catalog(tuple(sorted(things, key=lambda thing: (thing.kind, thing.name))))


def differences(old: Catalog, new: Catalog) -> tuple[Difference, ...]:
    """Return what has changed from one schema to the other, in a stable order.

    What belongs to a table that is itself new or gone is not told on top.
    """
    found: list[Difference] = []
    for key in sorted(old.by_name.keys() | new.by_name.keys()):
        before, after = old.by_name.get(key), new.by_name.get(key)
        if before is None or after is None:
            found += _one_sided(before, after, old, new)
        elif before != after:
            found += _changed(before, after)
    return tuple(found)


def listed(found: Sequence[object]) -> str:
    """Return the first of some differences in one line, and how many more there are."""
    more = len(found) - _LISTED
    return "; ".join(map(str, found[:_LISTED])) + (f"; and {more} more" if more > 0 else "")


def _one_sided(before: Thing | None, after: Thing | None, old: Catalog, new: Catalog) -> list[Difference]:
    thing = before or after
    if thing is None or (thing.parent and _tables(old, thing.parent) != _tables(new, thing.parent)):
        return []
    sides = (before.definition if before else None, after.definition if after else None)
    return [Difference(thing.kind, thing.name, None, *sides)]


def _tables(catalog: Catalog, name: str) -> bool:
    kinds = ("table", "foreign table", "view", "materialized view")
    return any((kind, name) in catalog.by_name for kind in kinds)


def _changed(before: Thing, after: Thing) -> list[Difference]:
    old, new = dict(before.properties), dict(after.properties)
    return [
        Difference(before.kind, before.name, aspect, old.get(aspect), new.get(aspect))
        for aspect in sorted(old.keys() | new.keys())
        if old.get(aspect) != new.get(aspect)
    ]
