"""Rules about single statements."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from infra.migrate.findings import Verdict
from infra.migrate.linting.cursor import has
from infra.migrate.linting.effects import Change
from infra.migrate.linting.scanner import Kind
from infra.migrate.lock_modes import ACCESS_EXCLUSIVE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.migrate.findings import Finding
    from infra.migrate.linting.effects import Effect
    from infra.migrate.linting.reading import Read, Reading, Tables

RULES: Final = (
    "unbounded-write",
    "trigger-on-existing-table",
    "foreign-key-in-new-table",
    "long-lock",
    "concurrently-in-transaction",
    "setting-leaks",
    "session-reset",
    "lock-timeout-lifted",
    "blocking-advisory-lock",
    "transaction-control",
    "enum-values-in-catalog",
    "opaque-block",
)
_UNTIL: Final = "until the transaction ends"
_BACKFILL: Final = "change them in batches with: bough migrate backfill"


def about_effects(reading: Reading, at: Read, tables: Tables) -> Iterator[Finding]:
    """Yield what is wrong with what a statement does to tables."""
    for effect in at.statement.effects:
        said = _about(effect, tables)
        if said is not None:
            rule, verdict, message, hint = said
            yield reading.finding(rule, verdict, message, at=at, hint=hint)
    if at.statement.made and (others := [e for e in at.statement.effects if _is_reference(e, tables)]):
        names = ", ".join(tables.named(each.relation) for each in others)
        message = f"keeps everybody from writing to {names} {_UNTIL}, for the foreign keys of a new table"
        hint = "do nothing slow in the same revision"
        yield reading.finding("foreign-key-in-new-table", Verdict.CARE, message, at=at, hint=hint)


def _is_reference(effect: Effect, tables: Tables) -> bool:
    return effect.change is Change.REFERENCED and tables.is_large(effect.relation)


def _about(effect: Effect, tables: Tables) -> tuple[str, Verdict, str, str] | None:
    table = tables.named(effect.relation)
    if effect.change is Change.TRUNCATE and tables.is_there(effect.relation):
        message = f"empties {table}, and keeps it from everybody {_UNTIL}"
        return "unbounded-write", Verdict.UNSAFE, message, "is this data really nobody's?"
    if not tables.is_large(effect.relation):
        return None
    if effect.change is Change.UNBOUNDED_WRITE:
        message = f"changes every row of {table} in one transaction: its rows stay locked {_UNTIL}"
        return "unbounded-write", Verdict.UNSAFE, message, _BACKFILL
    if effect.change is Change.CREATE_TRIGGER:
        message = f"keeps everybody from writing to {table} {_UNTIL}, and runs for live code from then on"
        return "trigger-on-existing-table", Verdict.CARE, message, "let it be the revision's last statement"
    return None


def long_lock(reading: Reading, at: Read, tables: Tables) -> Iterator[Finding]:
    """Yield what blocks a large table for as long as a statement works, and squawk does not know of."""
    effect = at.works_long(tables)
    if effect is not None:
        who = "read or write" if effect.mode == ACCESS_EXCLUSIVE else "write to"
        message = f"{effect.work} {tables.named(effect.relation)} while nobody can {who} it"
        yield reading.finding("long-lock", Verdict.UNSAFE, message, at=at)


def about_session(reading: Reading, at: Read) -> Iterator[Finding]:
    """Yield what is wrong with what a statement does to the runner's session or transaction."""
    for rule, verdict, message, hint in (*_about_session(at), *_about_settings(at)):
        yield reading.finding(rule, verdict, message, at=at, hint=hint)


def _about_session(at: Read) -> Iterator[tuple[str, Verdict, str, str | None]]:
    statement = at.statement
    words = statement.words
    first = words[0] if words else ""
    in_transaction = at.sql.transaction is not None
    what = "VACUUM" if first == "VACUUM" else "CONCURRENTLY"
    if in_transaction and first != "REFRESH" and has(statement.tokens, what):
        message = f"{what} fails inside a transaction"
        hint = "with op.get_context().autocommit_block(): …"
        yield "concurrently-in-transaction", Verdict.UNSAFE, message, hint
    ends = first in {"BEGIN", "COMMIT", "ROLLBACK", "END", "ABORT"} and "TO" not in words[1:3]
    if ends or words[:2] == ("START", "TRANSACTION"):
        message = (
            f"{first} takes the transaction away from the runner: a failure leaves the revision half done"
        )
        hint = "a revision is one transaction already; use op.get_context().autocommit_block() to leave it"
        yield "transaction-control", Verdict.UNSAFE, message, hint
    functions = _calls(at)
    if functions & {"pg_advisory_unlock_all"}:
        message = "pg_advisory_unlock_all gives back the lock of this migration: another may start"
        yield "session-reset", Verdict.UNSAFE, message, "unlock your own key: pg_advisory_unlock(key)"
    if functions & {"pg_advisory_lock", "pg_advisory_xact_lock"}:
        message = "waits for an advisory lock in the server, a deadlock with CREATE INDEX CONCURRENTLY"
        hint = "leave it out: the runner holds a lock; or poll pg_try_advisory_lock"
        yield "blocking-advisory-lock", Verdict.UNSAFE, message, hint
    if first in {"DELETE", "UPDATE", "INSERT"} and any(t.name == "pg_enum" for t in statement.tokens[:5]):
        message = "writes to pg_enum: rows, indexes and views that hold a removed value break"
        hint = "make a new type, and change the columns to it"
        yield "enum-values-in-catalog", Verdict.UNSAFE, message, hint
    if first in {"DO", "CALL"}:
        message = f"what {first} runs cannot be seen here"
        if not in_transaction:
            message += ", and runs again as a whole after an interruption"
        yield "opaque-block", Verdict.CARE, message, "rehearse it: bough migrate rehearse"


def _lifts_lock_timeout(words: Sequence[str], value: str) -> bool:
    return (
        words[:1] == ("SET",)
        and "LOCK_TIMEOUT" in words[1:3]
        and value.strip("'").upper() in {"0", "DEFAULT"}
    )


def _about_settings(at: Read) -> Iterator[tuple[str, Verdict, str, str]]:
    words = at.statement.words
    first = words[0] if words else ""
    if first == "DISCARD" or words[:2] == ("RESET", "ALL"):
        message = f"{first} takes the lock or the timeouts of this migration away"
        yield "session-reset", Verdict.UNSAFE, message, "leave it out: the session ends with the run"
    leaks = first == "SET" and words[1:2] not in {("LOCAL",), ("TRANSACTION",), ("CONSTRAINTS",)}
    if leaks or _lasting_set_config(at):
        message = "a setting of the session stays for every later revision of the run"
        yield "setting-leaks", Verdict.CARE, message, "SET LOCAL ends with the revision's transaction"
    if at.sql.transaction is not None and _lifts_lock_timeout(words, at.statement.tokens[-1].text):
        message = "waits for locks without end, and whoever comes later waits behind it"
        hint = "leave it out: the runner waits for a few seconds, and tries again"
        yield "lock-timeout-lifted", Verdict.UNSAFE, message, hint


def _calls(at: Read) -> set[str]:
    # The body of a function is a string: what it calls is not called now.
    tokens = at.statement.tokens
    names = {Kind.WORD, Kind.QUOTED}
    return {token.name for token, after in pairwise(tokens) if after.word == "(" and token.kind in names}


def _lasting_set_config(at: Read) -> bool:
    return "set_config" in _calls(at) and "FALSE" in at.statement.words
