"""SQL that takes back one change that was made by hand, where that loses no rows and is easily told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.migrate.catalog import Catalog, Difference, Thing

#: What holds no rows, by what `DROP` calls it: dropping it loses nothing but itself.
_DROPPABLE: Final = {
    "view": "VIEW",
    "function": "FUNCTION",
    "procedure": "PROCEDURE",
    "trigger": "TRIGGER",
    "policy": "POLICY",
    "rule": "RULE",
    "statistics object": "STATISTICS",
}


def undo(difference: Difference, expected: Catalog) -> tuple[str, ...]:
    """Return the statements, each ended with `;` and to be run by itself; none where there is no easy way.

    Args:
        difference: From `expected` to the database.
        expected: What the revisions make.
    """
    thing = expected.by_name.get((difference.kind, difference.what))
    if thing is None:
        return _drop(difference)
    if difference.aspect is None:
        return _make(thing)
    if difference.aspect.startswith("granted to "):
        return _grant(difference, thing)
    change = _CHANGES.get((difference.kind, difference.aspect))
    return change(difference, thing) if change else ()


def _drop(difference: Difference) -> tuple[str, ...]:
    if difference.kind == "index":
        return (f"DROP INDEX CONCURRENTLY {difference.what};",)
    if difference.kind == "constraint":
        name, _, table = difference.what.rpartition(" on ")
        return (f"ALTER TABLE {table} DROP CONSTRAINT {name};",)
    word = _DROPPABLE.get(difference.kind)
    return (f"DROP {word} {difference.what};",) if word else ()


def _make(thing: Thing) -> tuple[str, ...]:
    said = dict(thing.properties)
    match thing.kind:
        case "index":
            return (_concurrently(said["definition"]),)
        case "constraint":
            add = f"ADD CONSTRAINT {_own_name(thing)} {said['definition']}"
            return (f"ALTER TABLE {thing.parent} {add};",)
        case "view":
            return (f"CREATE VIEW {thing.name} AS {said['definition']}",)
        case "policy":
            return (_policy(thing),)
        case kind if kind in _DROPPABLE:
            return (_ended(said["definition"]),)
    return ()


def _policy(thing: Thing) -> str:
    said = dict(thing.properties)
    using = f" USING ({said['using']})" if "using" in said else ""
    check = f" WITH CHECK ({said['check']})" if "check" in said else ""
    return (
        f"CREATE POLICY {_own_name(thing)} ON {thing.parent} AS {said['kind']} FOR {said['command']} "
        f"TO {said['roles']}{using}{check};"
    )


def _grant(difference: Difference, thing: Thing) -> tuple[str, ...]:
    kind = {"table": "TABLE", "view": "TABLE", "sequence": "SEQUENCE", "function": "FUNCTION"}.get(thing.kind)
    if kind is None or "WITH GRANT OPTION" in f"{difference.before}{difference.after}":
        return ()
    who = (difference.aspect or "").removeprefix("granted to ")
    who = who if who == "PUBLIC" else '"{}"'.format(who.replace('"', '""'))
    had, has = (set(filter(None, (text or "").split(", "))) for text in (difference.before, difference.after))
    statements = []
    if had - has:
        statements.append(f"GRANT {', '.join(sorted(had - has))} ON {kind} {thing.name} TO {who};")
    if has - had:
        statements.append(f"REVOKE {', '.join(sorted(has - had))} ON {kind} {thing.name} FROM {who};")
    return tuple(statements)


def _default(difference: Difference, thing: Thing) -> tuple[str, ...]:
    what = "DROP DEFAULT" if difference.before is None else f"SET DEFAULT {difference.before}"
    return _alter_column(thing, what)


def _not_null(difference: Difference, thing: Thing) -> tuple[str, ...]:
    return _alter_column(thing, "DROP NOT NULL" if difference.before is None else "SET NOT NULL")


def _alter_column(thing: Thing, what: str) -> tuple[str, ...]:
    column = thing.name.removeprefix(f"{thing.parent}.")
    return (f"ALTER TABLE {thing.parent} ALTER COLUMN {column} {what};",)


def _constraint(_difference: Difference, thing: Thing) -> tuple[str, ...]:
    name, definition = _own_name(thing), dict(thing.properties)["definition"]
    return (f"ALTER TABLE {thing.parent} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} {definition};",)


def _trigger_state(difference: Difference, thing: Thing) -> tuple[str, ...]:
    words = {"disabled": "DISABLE", "replica only": "ENABLE REPLICA", "always": "ENABLE ALWAYS"}
    word = words.get(difference.before or "", "ENABLE")
    return (f"ALTER TABLE {thing.parent} {word} TRIGGER {_own_name(thing)};",)


def _row_level_security(difference: Difference, thing: Thing) -> tuple[str, ...]:
    word = "DISABLE" if difference.before is None else "ENABLE"
    return (f"ALTER TABLE {thing.name} {word} ROW LEVEL SECURITY;",)


def _forced(difference: Difference, thing: Thing) -> tuple[str, ...]:
    word = "NO FORCE" if difference.before is None else "FORCE"
    return (f"ALTER TABLE {thing.name} {word} ROW LEVEL SECURITY;",)


def _replace(_difference: Difference, thing: Thing) -> tuple[str, ...]:
    return (_ended(dict(thing.properties)["definition"]),)


def _replace_view(_difference: Difference, thing: Thing) -> tuple[str, ...]:
    return (f"CREATE OR REPLACE VIEW {thing.name} AS {dict(thing.properties)['definition']}",)


def _again(_difference: Difference, thing: Thing) -> tuple[str, ...]:
    return (f"DROP {_DROPPABLE[thing.kind]} {thing.name};", *_make(thing))


def _index_again(_difference: Difference, thing: Thing) -> tuple[str, ...]:
    return (f"DROP INDEX CONCURRENTLY {thing.name};", *_make(thing))


def _reindex(_difference: Difference, thing: Thing) -> tuple[str, ...]:
    return (f"REINDEX INDEX CONCURRENTLY {thing.name};",)


def _concurrently(definition: str) -> str:
    return _ended(definition.replace(" INDEX ", " INDEX CONCURRENTLY ", 1))


def _ended(definition: str) -> str:
    return definition.rstrip().rstrip(";") + ";"


def _own_name(thing: Thing) -> str:
    return thing.name.removesuffix(f" on {thing.parent}")


_CHANGES: Final[dict[tuple[str, str], Callable[[Difference, Thing], tuple[str, ...]]]] = {
    ("column", "default"): _default,
    ("column", "not null"): _not_null,
    ("constraint", "definition"): _constraint,
    ("function", "definition"): _replace,
    ("procedure", "definition"): _replace,
    ("index", "definition"): _index_again,
    ("index", "valid"): _reindex,
    ("policy", "check"): _again,
    ("policy", "command"): _again,
    ("policy", "kind"): _again,
    ("policy", "roles"): _again,
    ("policy", "using"): _again,
    ("rule", "definition"): _again,
    ("statistics object", "definition"): _again,
    ("table", "row level security"): _row_level_security,
    ("table", "row level security of the owner"): _forced,
    ("trigger", "definition"): _again,
    ("trigger", "state"): _trigger_state,
    ("view", "definition"): _replace_view,
}
