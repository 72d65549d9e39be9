"""Alembic's environment: how revisions run, whoever starts them.

`bough migrate` hands over a connection that already holds the lock and the timeouts. The plain
`alembic` command works too, with a connection from DATABASE_URL_UNPOOLED and without the lock.
Beside `alembic_version`, which knows only the head, each revision is recorded with its phase in
`bough_revision`, in the same transaction: code asks there whether the schema still fits it.
"""

from __future__ import annotations

import importlib
import operator
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate import renderers
from alembic.autogenerate.render import _repr_type
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.operations import ops
from alembic.util import CommandError
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.schema import CreateTable

from api.database.connection_url import DirectUrl
from api.database.timeouts import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from alembic.autogenerate.api import AutogenContext
    from alembic.runtime.migration import MigrationContext, MigrationInfo
    from alembic.script import Script

REVISIONS = sa.Table(
    "bough_revision",
    sa.MetaData(),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.CheckConstraint("phase IN ('expand', 'contract')", name="ck_bough_revision_phase"),
)

#: Default privileges give the application's role the rights that it has on every table; of these two
#: it needs to read one, and must be able to falsify neither.
PROTECT = """
DO $$
DECLARE
    grantee regrole;
BEGIN
    FOR grantee IN
        SELECT DISTINCT acl.grantee FROM pg_class, aclexplode(relacl) AS acl
        WHERE oid IN (to_regclass('alembic_version'), to_regclass('bough_revision'))
          AND acl.grantee NOT IN (0, relowner)
    LOOP
        EXECUTE 'REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON alembic_version, bough_revision FROM ' || grantee;
    END LOOP;
END
$$
"""


class KitImpl(PostgresqlImpl):
    """PostgreSQL with room for long revision ids: Alembic's own column takes 32 characters.

    What it writes of a model's SQL means the same in a revision.
    """

    # Alembic's registry is keyed by this attribute of the class itself; the last one wins.
    __dialect__ = "postgresql"

    def version_table_impl(self, **options: Any) -> sa.Table:
        """Return Alembic's version table with an unbounded `version_num`."""
        table = super().version_table_impl(**options)
        table.c.version_num.type = sa.Text()
        return table

    def render_ddl_sql_expr(self, expr: sa.ClauseElement, *options: Any, **named: Any) -> str:
        """Return SQL as a revision must have it so that the server gets it as it was.

        Alembic's has each % twice, as the driver wants it, and lacks the backslash before what looks like a
        parameter; a revision's own text goes through both again.
        """
        sql = super().render_ddl_sql_expr(expr, *options, **named).replace("%%", "%")
        return re.sub(r"(?<![:\w\\]):(?=\w)", r"\\:", sql)


def record_revisions() -> Callable[..., None]:
    """Return the callback that keeps `bough_revision` in step, for one run of Alembic.

    Its first call creates the table if need be and records what was applied before it: a database
    that plain Alembic had migrated so far is taken over. Where the newest is recorded, one below it that
    is not was put there later, and never applied.
    """
    first = True

    def add(ctx: MigrationContext, scripts: Iterable[Script], *, unless: Collection[str] = ()) -> None:
        rows = [(s.revision, getattr(s.module, "phase", "expand")) for s in scripts]
        statement = insert(REVISIONS).values(rows)
        if unless:
            new = sa.values(sa.column("id", sa.Text), sa.column("phase", sa.Text), name="new").data(rows)
            is_recorded = sa.exists().where(REVISIONS.c.id.in_(unless))
            statement = insert(REVISIONS).from_select(["id", "phase"], sa.select(new).where(~is_recorded))
        ctx.execute(statement.on_conflict_do_nothing())

    def record(*, ctx: MigrationContext, step: MigrationInfo, heads: Collection[str], **_: object) -> None:
        nonlocal first
        moved = list(context.script.iterate_revisions(step.up_revision_ids, step.down_revision_ids))
        if first:
            first = False
            ctx.execute(CreateTable(REVISIONS, if_not_exists=True))
            ctx.execute(PROTECT)
            before = tuple({*heads, *step.down_revision_ids} - {script.revision for script in moved})
            if before:
                add(ctx, context.script.iterate_revisions(before, "base"), unless=before)
        if step.is_upgrade:
            add(ctx, moved)
        else:
            ctx.execute(sa.delete(REVISIONS).where(REVISIONS.c.id.in_([s.revision for s in moved])))

    return record


def is_ours_to_compare(name: str | None, kind: str, _parents: object) -> bool:
    """Tell whether autogenerate looks at a thing: the kit's own tables are in nobody's models."""
    return not (kind == "table" and (name or "").startswith("bough_"))


def render_type(kind: str, thing: object, autogenerate: AutogenContext) -> str | Literal[False]:
    """Write a column's type as the database knows it: a revision outlives the application's own types.

    Such a type, `AutoString` of SQLModel for one, would need an import that the revision has not. An enum's
    type is made by a statement of its own: with a table it would be made, and with a column not.
    """
    if kind != "type":
        return False
    if isinstance(thing, sa.types.TypeDecorator):
        return str(_repr_type(thing.load_dialect_impl(autogenerate.dialect), autogenerate))
    if not isinstance(thing, sa.Enum) or not thing.native_enum or not thing.name:
        return False
    autogenerate.imports.add("from sqlalchemy.dialects import postgresql")
    schema = f", schema={thing.schema!r}" if thing.schema else ""
    labels = ", ".join(map(repr, thing.enums))
    return f"postgresql.ENUM({labels}, name={thing.name!r}{schema}, create_type=False)"


class HelperCall(ops.MigrateOperation):
    """A call of `migrations.operations` in a generated revision."""

    def __init__(self, source: str) -> None:
        """Keep the call as Python, without the module's name."""
        self.source = source


@renderers.dispatch_for(HelperCall)
def render_call(autogenerate: AutogenContext, call: HelperCall) -> str:
    """Write the call, and its import."""
    autogenerate.imports.add("from migrations import operations")
    return f"operations.{call.source}"


def write_triggers(_ctx: MigrationContext, _revision: object, scripts: list[ops.MigrationScript]) -> None:
    """Add to a generated revision what keeps `updated_at`, which models cannot say.

    The function comes with a history's first revision, a trigger with its table.
    """
    upgrade, downgrade = scripts[0].upgrade_ops, scripts[0].downgrade_ops
    if upgrade is None or downgrade is None or upgrade.is_empty():
        return
    tables = [operation for operation in upgrade.ops if isinstance(operation, ops.CreateTableOp)]
    for table in tables:
        columns = [c for c in table.columns if isinstance(c, sa.Column) and c.name == "updated_at"]
        if any(column.server_onupdate is not None for column in columns):
            call = HelperCall(f"create_updated_at_trigger(op, {table.table_name!r})")
            upgrade.ops.insert(upgrade.ops.index(table) + 1, call)
    if not context.script.get_heads():
        upgrade.ops.insert(0, HelperCall("create_updated_at_function(op)"))
        downgrade.ops.append(HelperCall("drop_updated_at_function(op)"))


def load_metadata() -> sa.MetaData:
    """Import the tables named by `metadata` of `[tool.bough]`."""
    named = context.config.attributes.get("metadata")
    if named is None:
        path = Path(context.config.toml_file_name or "pyproject.toml")
        tool = tomllib.loads(path.read_text()).get("tool", {}) if path.exists() else {}
        named = tool.get("bough", {}).get("metadata", "api.models:metadata")
    module, _, attribute = named.partition(":")
    metadata = operator.attrgetter(attribute)(importlib.import_module(module))
    if not isinstance(metadata, sa.MetaData):
        message = f"{named} is not a sqlalchemy.MetaData"
        raise CommandError(message)
    return metadata


def open_engine() -> sa.Engine:
    """Return an engine on DATABASE_URL_UNPOOLED whose connections carry a migration's timeouts."""
    text = os.environ.get("DATABASE_URL_UNPOOLED")
    if not text:
        message = "DATABASE_URL_UNPOOLED is not set: migrations need the direct connection string"
        raise CommandError(message)
    engine = sa.create_engine(DirectUrl.parse(text).psycopg(), poolclass=sa.NullPool)

    @sa.event.listens_for(engine, "connect")
    def set_timeouts(connection: Any, _record: object) -> None:
        # In autocommit and before SQLAlchemy begins: a transaction that is open when Alembic is
        # configured makes it commit nothing and report success.
        connection.autocommit = True
        for name, value in Timeouts(statement=900, lock=5, idle_in_transaction=300).settings().items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        connection.autocommit = False

    return engine


def run(**target: Any) -> None:
    """Configure Alembic for a target, and run what the command asked for."""
    # Alembic takes several, which its annotation leaves out.
    callbacks: Any = [record_revisions(), *context.config.attributes.get("on_version_apply", ())]
    context.configure(
        **target,
        target_metadata=load_metadata(),
        include_name=is_ours_to_compare,
        render_item=render_type,
        compare_type=True,
        compare_server_default=True,
        # Locks end with each revision, and a failing one takes none of its predecessors along.
        transaction_per_migration=True,
        process_revision_directives=write_triggers,
        on_version_apply=callbacks,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_online(connection: sa.Connection) -> None:
    """Run on a connection that has no transaction yet."""
    if connection.in_transaction():
        message = "the connection is in a transaction already: Alembic would commit nothing"
        raise CommandError(message)
    run(connection=connection)


if context.is_offline_mode():
    # "named": with psycopg's own style, every % of a statement would come out doubled.
    run(dialect_name="postgresql", literal_binds=True, dialect_opts={"paramstyle": "named"})
elif "connection" in context.config.attributes:
    run_online(context.config.attributes["connection"])
else:
    with open_engine().connect() as opened:
        run_online(opened)
