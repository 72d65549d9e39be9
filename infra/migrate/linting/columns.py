"""Columns: what adding one or giving it another type makes PostgreSQL do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.migrate.linting.cursor import Cursor, has
from infra.migrate.linting.effects import Work
from infra.migrate.linting.scanner import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.migrate.linting.scanner import Token

#: Begin a column's constraint, and so end its type or default.
_CONSTRAINTS: Final = (
    *("CONSTRAINT", "NOT", "NULL", "CHECK", "DEFAULT", "GENERATED", "UNIQUE", "PRIMARY", "REFERENCES"),
    *("COLLATE", "COMPRESSION", "STORAGE", "DEFERRABLE", "INITIALLY", "USING"),
)
_SERIAL: Final = re.compile(r"(small|big)?serial[248]?")

#: Functions whose result is the same for every row of a statement, so that a default needs no rewrite.
_STABLE: Final = frozenset(
    {
        *("now", "transaction_timestamp", "statement_timestamp", "timezone", "current_setting"),
        *("lower", "upper", "coalesce", "cast", "array", "make_interval", "date_trunc", "decode", "encode"),
        *("jsonb_build_object", "json_build_object", "jsonb_build_array", "to_tsvector", "md5", "concat"),
        *("current_timestamp", "localtimestamp", "current_time", "localtime"),
    }
)

_NAMES: Final = {
    "varchar": "character varying",
    "char": "character",
    "int": "integer",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "decimal": "numeric",
    "bool": "boolean",
    "varbit": "bit varying",
    "timestamptz": "timestamp with time zone",
    "timestamp without time zone": "timestamp",
    "timetz": "time with time zone",
}

#: Their modifier is a limit, which may grow without a rewrite.
_LENGTHENED: Final = {
    *("character varying", "bit varying", "timestamp", "timestamp with time zone", "interval", "time"),
}

#: Every value of the left type is one of the right type, and prints the same.
_WIDER: Final = {
    "smallint": {"integer", "bigint", "numeric"},
    "integer": {"bigint", "numeric"},
    "bigint": {"numeric"},
    "real": {"double precision"},
    "character varying": {"text"},
    "cidr": {"inet"},
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it is defined.

    Args:
        name: Its name.
        type: In the catalog's words, such as `numeric(10,2)`.
        work: What adding it to a table makes the server do.
        required: It is NOT NULL and nothing gives it a value.
        references: Qualified name of the table that it points to.
        filled: Rows that are there get a value.
        constrained: UNIQUE, PRIMARY KEY or CHECK comes with it.
    """

    name: str
    type: str
    work: Work
    required: bool
    references: str | None
    filled: bool
    constrained: bool


def column(tokens: Sequence[Token]) -> Column:
    """Read a column's definition."""
    cursor = Cursor(tokens)
    name = cursor.name()
    type_ = type_name(cursor.until(*_CONSTRAINTS))
    rest = cursor.rest()
    serial = _SERIAL.fullmatch(type_) is not None
    default = _default(rest)
    generated = has(rest, "GENERATED")
    stored = generated and (has(rest, "STORED") or has(rest, "IDENTITY"))
    index = has(rest, "UNIQUE") or has(rest, "PRIMARY", "KEY")
    filled = serial or generated or bool(default and default[0].word != "NULL")
    if serial or stored or _is_volatile(default):
        work = Work.REWRITE
    elif index:
        work = Work.BUILD
    else:
        work = Work.SCAN if has(rest, "CHECK") else Work.INSTANT
    references = None
    after = Cursor(rest)
    after.until("REFERENCES")
    if after.take("REFERENCES"):
        references = after.relation()
    required = (has(rest, "NOT", "NULL") or has(rest, "PRIMARY", "KEY")) and not filled
    return Column(name, type_, work, required, references, filled, index or has(rest, "CHECK"))


def _default(tokens: Sequence[Token]) -> tuple[Token, ...]:
    cursor = Cursor(tokens)
    cursor.until("DEFAULT")
    if not cursor.take("DEFAULT"):
        return ()
    return cursor.until(*(set(_CONSTRAINTS) - {"NULL", "COLLATE"}))


def _is_volatile(default: Sequence[Token]) -> bool:
    """Tell whether a function is called that may give each row a value of its own."""
    for at, token in enumerate(default[:-1]):
        calls = default[at + 1].word == "(" and token.kind in {Kind.WORD, Kind.QUOTED}
        # The parenthesis of `::numeric(10,2)` calls nothing.
        is_cast = at > 0 and default[at - 1].word in {"::", "VARYING"}
        if calls and not is_cast and token.name not in _STABLE:
            return True
    return False


def type_name(tokens: Sequence[Token]) -> str:
    """Return a type in the catalog's words; one that the kit does not know stays as it is written."""
    modifier = "".join(token.text for token in _modifier(tokens))
    words = [token for token in tokens if token.kind in {Kind.WORD, Kind.QUOTED}]
    array = "[]" if any(token.word == "[" for token in tokens) or has(tokens, "ARRAY") else ""
    base = " ".join(token.name for token in words if token.word not in {"ARRAY", "SETOF"})
    base = base.removeprefix("pg_catalog ")
    return f"{_NAMES.get(base, base)}{modifier}{array}"


def _modifier(tokens: Sequence[Token]) -> Sequence[Token]:
    texts = [token.word for token in tokens]
    return tokens[texts.index("(") : texts.index(")") + 1] if "(" in texts and ")" in texts else ()


def _split(type_: str) -> tuple[str, tuple[int, ...]]:
    match = re.fullmatch(r"([^(]*)\(([\d,]*)\)(.*)", type_)
    if match is None:
        return type_, ()
    return f"{match[1]}{match[3]}".strip(), tuple(int(each) for each in match[2].split(",") if each)


def retyping(old: str | None, new: str, *, using: bool) -> Work:
    """Tell what changing a type makes the server do; with an unknown old type, the worst."""
    if old is None or using:
        return Work.REWRITE
    return Work.INSTANT if old == new or _keeps_bytes(_split(old), _split(new)) else Work.REWRITE


def _keeps_bytes(old: tuple[str, tuple[int, ...]], new: tuple[str, tuple[int, ...]]) -> bool:
    (before, had), (after, has_now) = old, new
    grows = not has_now or (bool(had) and has_now >= had)
    if before == after == "numeric":
        # A scale that is not given is 0.
        return not has_now or (grows and (*had, 0)[1] == (*has_now, 0)[1])
    if before == after:
        return grows and before in _LENGTHENED
    unbounded = not has_now and after in {"text", "character varying"}
    return (unbounded and before in {"text", "character varying"}) or (before, after) == ("cidr", "inet")


def _digits(precision: tuple[int, ...]) -> int:
    """Return how many there may be before the point."""
    return precision[0] - (*precision, 0)[1]


def is_wider(old: str | None, new: str) -> bool:
    """Tell whether code that knows the old type goes on working with the new one."""
    if old is None:
        return False
    (before, had), (after, has_now) = _split(old), _split(new)
    if after in _WIDER.get(before, ()):
        return True
    if before == after == "numeric" and had and has_now:
        return _digits(had) <= _digits(has_now) and (*had, 0)[1] <= (*has_now, 0)[1]
    return retyping(old, new, using=False) is Work.INSTANT
