"""Rules about a revision as a whole: its transactions, its phase, its way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.migrate.findings import Verdict
from infra.migrate.linting.cursor import Cursor
from infra.migrate.linting.effects import Change, Work, short
from infra.migrate.linting.scanner import Kind
from infra.migrate.lock_modes import ACCESS_EXCLUSIVE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.migrate.findings import Finding
    from infra.migrate.linting.declarations import Declarations
    from infra.migrate.linting.effects import Effect
    from infra.migrate.linting.reading import Read, Reading, Tables

RULES: Final = (
    "cannot-be-linted",
    "work-under-lock",
    "locks-on-several-tables",
    "missing-downgrade",
    "enum-value-used-too-early",
    "data-with-schema",
    "destructive-in-expand",
)

#: What takes something away from code that is live, or refuses what it writes.
_DESTRUCTIVE: Final = {
    Change.DROP_TABLE: "drops {table}",
    Change.DROP_COLUMN: "drops {detail} of {table}",
    Change.DROP_OTHER: "drops {table}",
    Change.RENAME: "renames {table}, or a column of it",
    Change.MOVE: "moves {table} to another schema",
    Change.SET_NOT_NULL: "forbids null in {detail} of {table}",
    Change.NARROW_TYPE: "gives {detail} of {table} a type that may not take what live code writes",
    Change.ADD_VALIDATED: "lets {table} refuse rows that live code may write",
    Change.ENABLE_POLICIES: "hides all rows of {table} from live code: no policy of it is known",
}
_WEAKENING: Final = {
    Change.DROP_DEFAULT: "takes the default of {detail} of {table}, on which live code may count",
    Change.DROP_TRIGGER: "drops a trigger of {table}",
    Change.DISABLE_TRIGGER: "disables {detail} of {table}",
    Change.DROP_POLICY: "drops a policy of {table}",
    Change.DISABLE_POLICIES: "shows all rows of {table} to everybody: its policies count no more",
}
#: Of these nothing is lost where the same revision makes them again; a column's or table's rows are.
_REPLACED: Final = frozenset({Change.DROP_OTHER, Change.DROP_TRIGGER, Change.DROP_POLICY})
_DROPPED_KINDS: Final = ("FUNCTION", "PROCEDURE", "AGGREGATE", "TYPE", "DOMAIN", "SCHEMA", "EXTENSION")
_RENAMED_KINDS: Final = (*_DROPPED_KINDS[:-1], "ROUTINE", "SEQUENCE")

#: A constraint that is known to hold, and an index that is built anew, do no harm to what was before.
_NOTHING_TO_UNDO: Final = frozenset({Change.VALIDATE, Change.REFERENCED, Change.REINDEX})

_DATA: Final = frozenset({Change.WRITE, Change.UNBOUNDED_WRITE, Change.INSERT})


def unreadable(reading: Reading) -> Iterator[Finding]:
    """Yield that a revision asks the database, so that its SQL is not known."""
    if reading.source.failure is not None:
        message = f"its SQL is not known without a database: {reading.source.failure}"
        hint = "guard what asks it: context.is_offline_mode(); and rehearse it: bough migrate rehearse"
        at = reading.source.failed_line
        yield reading.finding("cannot-be-linted", Verdict.CARE, message, at=at, hint=hint)


def transactions(reading: Reading, tables: Tables) -> Iterator[Finding]:
    """Yield what is done while a table that is in use is blocked by an earlier statement."""
    for statements in reading.transactions():
        yield from _work_under_lock(reading, statements, tables)
        yield from _waits_under_lock(reading, statements, tables)


def _work_under_lock(reading: Reading, statements: Sequence[Read], tables: Tables) -> Iterator[Finding]:
    held: dict[str, tuple[int, str]] = {}
    for at in statements:
        work = next((e for e in at.statement.effects if _is_slow(e, tables)), None)
        if work is not None and held:
            table, (line, mode) = next(iter(held.items()))
            message = (
                f"{work.work} {tables.named(work.relation)} while nobody can {_denied(mode)} "
                f"{short(table)}, from line {line} until the transaction ends"
            )
            hint = "put it into a revision of its own"
            yield reading.finding("work-under-lock", Verdict.UNSAFE, message, at=at, hint=hint)
            # What follows waits for the same table: once is enough.
            return
        for effect in at.statement.effects:
            if effect.blocks and tables.is_large(effect.relation):
                held.setdefault(effect.relation, (at.sql.line, effect.mode))


def _is_slow(effect: Effect, tables: Tables) -> bool:
    return effect.work is not Work.INSTANT and tables.is_large(effect.relation)


def _denied(mode: str) -> str:
    return "read or write" if mode == ACCESS_EXCLUSIVE else "write to"


def _waits_under_lock(reading: Reading, statements: Sequence[Read], tables: Tables) -> Iterator[Finding]:
    held: set[str] = set()
    for at in statements:
        effects = [e for e in at.statement.effects if e.blocks and tables.is_large(e.relation)]
        waits_for = sorted({short(each.relation) for each in effects if each.relation not in held})
        if held and waits_for:
            message = f"waits for {', '.join(waits_for)} while it keeps {', '.join(sorted(map(short, held)))}"
            hint = "a revision for each table: then a wait, or a deadlock, blocks only one"
            message += " from everybody"
            yield reading.finding("locks-on-several-tables", Verdict.CARE, message, at=at, hint=hint)
            return
        held |= {each.relation for each in effects if each.mode == ACCESS_EXCLUSIVE}


def way_back(reading: Reading, declared: Declarations) -> Iterator[Finding]:
    """Yield that a revision which does something cannot be undone, and does not say why."""
    changes = [{effect.change for effect in at.statement.effects} for at in reading.statements]
    if changes and all(each and each <= _NOTHING_TO_UNDO for each in changes):
        return
    if declared.does and not declared.undoes and declared.irreversible is None:
        message = "downgrade undoes nothing, and the revision does not say why"
        hint = 'write it, or say: irreversible = "why there is no way back"'
        at = declared.downgrade_line
        yield reading.finding("missing-downgrade", Verdict.UNSAFE, message, at=at, hint=hint)


def enum_values(reading: Reading) -> Iterator[Finding]:
    """Yield the use of an enum's value in the transaction that adds it, which PostgreSQL refuses."""
    for statements in reading.transactions():
        added: set[str] = set()
        for at in statements:
            strings = {token.text for token in at.statement.tokens if token.kind is Kind.STRING}
            if used := strings & added:
                message = f"uses {', '.join(sorted(used))}, an enum's value that this transaction has added"
                hint = "use it in a later revision"
                yield reading.finding("enum-value-used-too-early", Verdict.UNSAFE, message, at=at, hint=hint)
            added |= _added_value(at)


def _added_value(at: Read) -> set[str]:
    if not at.statement.starts("ALTER", "TYPE"):
        return set()
    cursor = Cursor(at.statement.tokens)
    cursor.until("ADD")
    if not cursor.take("ADD", "VALUE"):
        return set()
    cursor.skip_if_exists()
    return {token.text for token in cursor.until("BEFORE", "AFTER")}


def data_with_schema(reading: Reading, tables: Tables) -> Iterator[Finding]:
    """Yield rows of existing tables that are changed where existing tables are altered, too."""
    alters = any(
        each.change not in _DATA and each.blocks and tables.is_large(each.relation)
        for at in reading.statements
        for each in at.statement.effects
    )
    for at in reading.statements if alters else ():
        for effect in at.statement.effects:
            if effect.change in _DATA - {Change.INSERT} and tables.is_large(effect.relation):
                message = f"changes rows of {tables.named(effect.relation)} in a revision that changes tables"
                hint = "a revision of its own, or: bough migrate backfill"
                yield reading.finding("data-with-schema", Verdict.CARE, message, at=at, hint=hint)
                return


def destructive(reading: Reading, tables: Tables) -> Iterator[Finding]:
    """Yield what live code does not survive, in a revision that runs while it is live."""
    if reading.revision.phase != "expand":
        return
    hint = 'phase = "contract", once no live code needs it: bough migrate new --contract'
    for index, at in enumerate(reading.statements):
        for effect in at.statement.effects:
            meaning = _DESTRUCTIVE.get(effect.change) or _WEAKENING.get(effect.change)
            if meaning is None or not tables.is_there(effect.relation):
                continue
            if _is_replaced(effect, reading.statements[index + 1 :]):
                continue
            verdict = Verdict.UNSAFE if effect.change in _DESTRUCTIVE else Verdict.CARE
            message = meaning.format(table=tables.named(effect.relation), detail=effect.detail)
            yield reading.finding("destructive-in-expand", verdict, message, at=at, hint=hint)
        if (lost := _lost(at)) and not _is_made_again(lost[1], reading.statements[index + 1 :]):
            yield reading.finding("destructive-in-expand", Verdict.UNSAFE, lost[0], at=at, hint=hint)


def _lost(at: Read) -> tuple[str, str] | None:
    """Return what a statement takes from live code besides tables and columns, and the name of it."""
    cursor = Cursor(at.statement.tokens)
    if cursor.take("ALTER"):
        return _renamed(cursor)
    if cursor.take("DROP", "OWNED"):
        return "drops all that a role owns", ""
    kind = cursor.take("DROP") and cursor.take_any(*_DROPPED_KINDS)
    if not kind:
        return None
    cursor.skip_if_exists()
    name = short(cursor.relation())
    return f"drops {kind.lower()} {name}", name


def _renamed(cursor: Cursor) -> tuple[str, str] | None:
    kind = cursor.take_any(*_RENAMED_KINDS) or ("VIEW" if cursor.take("MATERIALIZED", "VIEW") else "")
    if not kind:
        return None
    cursor.skip_if_exists()
    name = short(cursor.relation())
    cursor.until("RENAME", "SET")
    if cursor.take("SET", "SCHEMA"):
        return f"moves {kind.lower()} {name} to another schema", ""
    if cursor.take("RENAME", "TO"):
        return f"renames {kind.lower()} {name}", name
    return (f"renames a part of {kind.lower()} {name}", "") if cursor.take("RENAME") else None


def _is_replaced(effect: Effect, later: Sequence[Read]) -> bool:
    """Tell whether later statements of the revision give back what live code needs."""
    if effect.change is Change.ENABLE_POLICIES:
        policy = (Change.CREATE_POLICY, effect.relation)
        return any((each.change, each.relation) == policy for at in later for each in at.statement.effects)
    if effect.change is Change.RENAME and not effect.detail:
        # A view may stand where a table was; another table has none of its rows.
        later = [at for at in later if "VIEW" in at.statement.words]
    elif effect.change not in _REPLACED:
        return False
    return _is_made_again(effect.detail or effect.relation, later)


def _is_made_again(name: str, later: Sequence[Read]) -> bool:
    """Tell whether a later statement of the revision creates something of the same name."""
    bare = name.rpartition(".")[2]
    return bare != "" and any(
        at.statement.starts("CREATE") and any(token.name == bare for token in at.statement.tokens[:8])
        for at in later
    )
