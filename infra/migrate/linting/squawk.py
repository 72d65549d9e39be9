"""squawk's findings, as far as they mean danger here, in the words of this kit."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from infra.migrate.errors import LinterError
from infra.migrate.findings import Finding, Verdict
from infra.migrate.linting.effects import Change, Effect, Work, short
from infra.migrate.linting.scanner import without_comments
from infra.migrate.lock_modes import ACCESS_EXCLUSIVE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.migrate.linting.reading import Read, Reading, Tables

#: The oldest PostgreSQL that the kit supports: what is safe there is safe on later ones.
_PG_VERSION: Final = "15"

#: Seconds for one run, which takes 0.015.
_TIMEOUT: Final = 30.0


@dataclass(frozen=True, slots=True)
class _Kept:
    """A rule that is kept.

    Args:
        verdict: What its finding comes to.
        message: Completed with the table's name.
        hint: The safe way.
        work: It means work under a lock, so it counts only where a large table is worked on: squawk
            knows neither types nor sizes, and calls `numeric(10,2)` to `numeric(12,2)` a rewrite.
    """

    verdict: Verdict
    message: str
    hint: str | None = None
    work: bool = True


_NOT_VALID: Final = "add it NOT VALID, and VALIDATE CONSTRAINT in a transaction of its own"
_NEW_COLUMN: Final = "add a nullable column without default, fill it with: bough migrate backfill"

#: All others are off, for these reasons. Style, which would be said of most that Alembic writes:
#: `prefer-*`, `ban-char-field`, `require-table-schema`, `require-enum-value-ordering`,
#: `prefer-robust-stmts` (a revision is one transaction). Done by the runner: `require-*-timeout`,
#: `ban-uncommitted-transaction`. Said by rules of the kit that know the phase or the transaction:
#: `ban-drop-*`, `renaming-*`, `ban-concurrent-index-creation-in-transaction`, `transaction-nesting`.
#: Harmless to code that is live: `ban-drop-not-null`.
KEPT: Final = {
    "adding-foreign-key-constraint": _Kept(
        Verdict.UNSAFE,
        "compares all rows of {table} for a foreign key while nobody can write to either table",
        _NOT_VALID,
    ),
    "disallowed-unique-constraint": _Kept(
        Verdict.UNSAFE,
        "builds a unique index of {table} while nobody can read or write it",
        "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … UNIQUE USING INDEX",
    ),
    "adding-serial-primary-key-field": _Kept(
        Verdict.UNSAFE,
        "builds a primary key of {table} while nobody can read or write it",
        "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … PRIMARY KEY USING INDEX",
    ),
    "constraint-missing-not-valid": _Kept(
        Verdict.UNSAFE,
        "checks all rows of {table} for a constraint while nobody can read or write it",
        _NOT_VALID,
    ),
    "require-concurrent-index-creation": _Kept(
        Verdict.UNSAFE,
        "builds index {detail} of {table} while nobody can write to it",
        "postgresql_concurrently=True, in an autocommit block",
    ),
    "require-concurrent-reindex": _Kept(
        Verdict.UNSAFE,
        "builds indexes of {table} anew while nobody can write to it",
        "REINDEX … CONCURRENTLY, in an autocommit block",
    ),
    "adding-field-with-default": _Kept(
        Verdict.UNSAFE,
        "rewrites {table} while nobody can read or write it: each row gets a value of its own",
        _NEW_COLUMN,
    ),
    "adding-not-nullable-field": _Kept(
        Verdict.UNSAFE,
        "reads all of {table} while nobody can use it",
        "ADD CHECK (column IS NOT NULL) NOT VALID, VALIDATE it, SET NOT NULL, drop the CHECK",
    ),
    "changing-column-type": _Kept(
        Verdict.UNSAFE,
        "changes a type: {work} {table} while nobody can read or write it",
        "add a column of the new type, fill it with: bough migrate backfill, and switch over",
    ),
    "adding-required-field": _Kept(
        Verdict.UNSAFE,
        "adds a column to {table} that must not be null and has no default: it fails where there are rows,"
        " and so does each INSERT of code that does not know it",
        "give it a server default, or add it nullable and tighten it later",
        work=False,
    ),
    "require-concurrent-index-deletion": _Kept(
        Verdict.CARE,
        "drops index {detail}: waits for all who use {table}, and keeps it from everybody until the"
        " transaction ends",
        "postgresql_concurrently=True, in an autocommit block",
        work=False,
    ),
    "require-concurrent-partition-detach": _Kept(
        Verdict.CARE,
        "waits for all who use {table}, and keeps it from everybody until the transaction ends",
        "DETACH PARTITION … CONCURRENTLY, in an autocommit block",
        work=False,
    ),
    "ban-alter-domain-with-add-constraint": _Kept(
        Verdict.UNSAFE, "checks all rows of every table that has the domain", _NOT_VALID, work=False
    ),
    "ban-truncate-cascade": _Kept(
        Verdict.UNSAFE, "empties {table} and every table that refers to it", work=False
    ),
    "ban-drop-database": _Kept(Verdict.UNSAFE, "drops a database", work=False),
    "identifier-too-long": _Kept(
        Verdict.CARE, "a name has more than 63 bytes, and PostgreSQL cuts it off", work=False
    ),
    "syntax-error": _Kept(Verdict.CARE, "cannot be read as PostgreSQL's SQL", work=False),
}

#: Said only where no rule says the same more precisely.
_GENERAL: Final = "constraint-missing-not-valid"
#: Not about a table; squawk's own message says what is meant.
_QUOTED: Final = frozenset({"syntax-error", "identifier-too-long"})


def squawk(reading: Reading, tables: Tables) -> Iterator[tuple[Read, Finding]]:
    """Run squawk on a revision's statements; yield what it finds, and at which one.

    Raises:
        LinterError: squawk is missing, or does not answer as it should.
    """
    in_transactions = tuple(each for each in reading.statements if each.sql.transaction is not None)
    for statements, options in (
        (in_transactions, ("--assume-in-transaction",)),
        (reading.autocommitted(), ("--no-assume-in-transaction",)),
    ):
        said: dict[Read, dict[str, str]] = {}
        for at, rule, message in _run(statements, options):
            if rule in KEPT:
                said.setdefault(at, {}).setdefault(rule, message)
        for at, rules in said.items():
            for rule, message in rules.items():
                if rule == _GENERAL and len(rules) > 1:
                    continue
                if (effect := _harm(rule, at, tables)) is not None:
                    kept = KEPT[rule]
                    text = (
                        f"{kept.message}: {message}"
                        if rule in _QUOTED
                        else _complete(kept.message, effect, tables)
                    )
                    yield at, reading.finding(rule, kept.verdict, text, at=at, hint=kept.hint)


def _complete(message: str, effect: Effect, tables: Tables) -> str:
    table = tables.named(effect.relation)
    return message.format(table=table, detail=short(effect.detail), work=effect.work)


def _harm(rule: str, at: Read, tables: Tables) -> Effect | None:
    """Return what a rule speaks of, nothing where it does no harm."""
    if KEPT[rule].work:
        effect = at.works_long(tables)
        # What builds an index, such as EXCLUDE, is never NOT VALID.
        return None if rule == _GENERAL and effect is not None and effect.work is Work.BUILD else effect
    effects = at.statement.effects
    if rule in _QUOTED or not effects:
        return Effect(Change.ALTER, "", ACCESS_EXCLUSIVE)
    if rule == "adding-required-field":
        # It breaks where there are rows, however few.
        effects = tuple(each for each in effects if each.change is Change.ADD_REQUIRED_COLUMN)
        return next((each for each in effects if tables.is_there(each.relation)), None)
    # An index that is not known to belong to a table may belong to a large one.
    large = (each for each in effects if each.relation == each.detail or tables.is_large(each.relation))
    return next(large, None)


def _run(statements: Sequence[Read], options: Sequence[str]) -> Iterator[tuple[Read, str, str]]:
    if not statements:
        return
    starts, line = [], 0
    for each in statements:
        starts.append(line)
        line += each.sql.text.count("\n") + 1
    # A comment may tell squawk to ignore a rule, without the reason that the kit asks for.
    script = "".join(f"{without_comments(each.sql.text)};\n" for each in statements)
    for found in _violations(script, options):
        yield statements[bisect_right(starts, found["line"]) - 1], found["rule_name"], found["message"]


def _violations(script: str, options: Sequence[str]) -> list[dict[str, Any]]:
    program = Path(sysconfig.get_path("scripts")) / "squawk"
    arguments = ["--reporter=json", "--stdin-filepath=revision.sql", f"--pg-version={_PG_VERSION}", *options]
    try:
        # A folder without .squawk.toml: what is kept is said here alone.
        run = subprocess.run(  # noqa: S603  the package's own program
            [program, *arguments],
            input=script,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
            cwd=program.parent,
        )
        found = json.loads(run.stdout)
    except FileNotFoundError:
        raise LinterError(f"{program} is not there", hint="run: uv sync --group tools") from None
    except (subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        raise LinterError(f"squawk did not answer as it should: {error}") from error
    if not isinstance(found, list):
        raise LinterError("squawk did not answer as it should")
    return found
