"""Tasks and their tags."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.operations import create_updated_at_trigger

revision = "20261121_tasks"
down_revision = "20261121_post_search"

phase = "expand"

_DUE = "COALESCE(due_on, 'infinity'::date)"


def upgrade() -> None:
    """Apply the revision, in one transaction."""
    op.create_table(
        "tasks",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("project_id", sa.Uuid, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("status", sa.Text, server_default="todo", nullable=False),
        sa.Column("assignee_id", sa.Uuid, nullable=True),
        sa.Column("creator_id", sa.Uuid, nullable=False),
        sa.Column("due_on", sa.Date, nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint(
            "status IN ('todo', 'in_progress', 'in_review', 'done', 'cancelled')",
            name=op.f("ck_tasks_status"),
        ),
        sa.CheckConstraint(
            "(status = 'done') = (completed_at IS NOT NULL)", name=op.f("ck_tasks_completed_at")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_tasks_project_id_projects"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id", "assignee_id"],
            ["project_members.project_id", "project_members.user_id"],
            name=op.f("fk_tasks_project_id_assignee_id_project_members"),
            ondelete="SET NULL (assignee_id)",
        ),
        sa.ForeignKeyConstraint(
            ["creator_id"], ["users.id"], name=op.f("fk_tasks_creator_id_users"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
    )
    op.create_index("ix_tasks_project_id_id", "tasks", ["project_id", "id"])
    op.create_index("ix_tasks_project_id_status_id", "tasks", ["project_id", "status", "id"])
    op.create_index(
        "ix_tasks_open",
        "tasks",
        ["assignee_id", sa.text(_DUE), "id"],
        postgresql_where=sa.text("status NOT IN ('done', 'cancelled')"),
    )
    op.create_index("ix_tasks_assignee_id_status", "tasks", ["assignee_id", "status", sa.text(_DUE), "id"])
    op.create_index("ix_tasks_creator_id_project_id", "tasks", ["creator_id", "project_id", "id"])
    create_updated_at_trigger(op, "tasks")
    op.create_table(
        "task_tags",
        sa.Column("task_id", sa.Uuid, nullable=False),
        sa.Column("tag_id", sa.Uuid, nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.id"], name=op.f("fk_task_tags_task_id_tasks"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tag_id"], ["tags.id"], name=op.f("fk_task_tags_tag_id_tags"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("task_id", "tag_id", name=op.f("pk_task_tags")),
    )
    op.create_index("ix_task_tags_tag_id_task_id", "task_tags", ["tag_id", "task_id"])


def downgrade() -> None:
    """Undo it, leaving no trace."""
    op.drop_table("task_tags")
    op.drop_table("tasks")
