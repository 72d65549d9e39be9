"""Migrations, safe and unsafe, with what a careful database administrator would say of them."""

from __future__ import annotations

from infra.migrate.lock_modes import MODES
from tests.support.corpus import (
    columns,
    constraints,
    data,
    indexes,
    partitions,
    programs,
    tables,
    together,
    types,
)

#: From the weakest.
STRENGTH = [mode.removesuffix("Lock") for mode in MODES]

CORPUS = (
    *columns.MIGRATIONS,
    *types.MIGRATIONS,
    *constraints.MIGRATIONS,
    *indexes.MIGRATIONS,
    *tables.MIGRATIONS,
    *data.MIGRATIONS,
    *programs.MIGRATIONS,
    *partitions.MIGRATIONS,
    *together.MIGRATIONS,
)


def one_of_each_kind() -> set[str]:
    """Return the names of migrations of which each differs from all others in what is measured of it."""
    first: dict[object, str] = {}
    for each in CORPUS:
        strongest = max(map(STRENGTH.index, each.locks.values()), default=-1)
        expected = (each.verdict, each.measured, len(each.linted), bool(each.rewrites), each.fails)
        kind = (expected, strongest, len(each.steps) > 1)
        first.setdefault(kind, each.name)
    return set(first.values())
