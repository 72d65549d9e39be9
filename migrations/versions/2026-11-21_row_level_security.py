"""Policies of row-level security, inert until a table enables it.

A policy is a second line behind the services' own conditions: it says what somebody may at most see or
write, so that a forgotten WHERE shows nobody else's rows. To switch a table over, write a revision that calls
`migrations.operations.enable_row_level_security`, and set `BOUGH_ROW_LEVEL_SECURITY`.

Credits have none: a transfer changes the receiver's account, so a policy that lets it lets anyone.
"""

from __future__ import annotations

from alembic import op

revision = "20261121_row_level_security"
down_revision = "20261121_credits"

phase = "expand"

_FUNCTIONS = {
    # What the session claims to be; null where it claims nothing. See `api/database/claims.py`.
    "bough_claims": (
        "jsonb",
        "convert_from(decode(nullif(current_setting('bough.claims', true), ''), 'hex'), 'UTF8')::jsonb",
    ),
    "bough_claim_user": ("uuid", "(bough_claims() ->> 'user_id')::uuid"),
    "bough_claim_role": ("text", "bough_claims() ->> 'role'"),
}

# In subqueries, so that each is asked once for a statement and not for each row.
_OWN = "= (SELECT bough_claim_user())"
_MODERATES = "(SELECT bough_claim_role()) IN ('moderator', 'admin')"
_ADMINISTERS = "(SELECT bough_claim_role()) = 'admin'"
_OF_OWN_POST = f"EXISTS (SELECT FROM posts WHERE posts.id = post_id AND posts.author_id {_OWN})"
_MEMBERSHIPS = "SELECT project_id FROM project_members WHERE user_id = (SELECT bough_claim_user())"
_IN_OWN_PROJECT = f"(project_id IN ({_MEMBERSHIPS}) OR {_ADMINISTERS})"
_EDITS_PROJECT = f"(project_id IN ({_MEMBERSHIPS} AND role IN ('editor', 'owner')) OR {_ADMINISTERS})"
_OF_EDITED_TASK = f"EXISTS (SELECT FROM tasks WHERE tasks.id = task_id AND {_EDITS_PROJECT})"

#: By table and command: which rows are seen, changed or deleted (USING), and which may be written (CHECK).
_POLICIES = {
    ("posts", "SELECT"): f"USING (published_at IS NOT NULL OR author_id {_OWN} OR {_MODERATES})",
    ("posts", "INSERT"): f"WITH CHECK (author_id {_OWN})",
    ("posts", "UPDATE"): f"USING (author_id {_OWN}) WITH CHECK (author_id {_OWN})",
    ("posts", "DELETE"): f"USING (author_id {_OWN} OR {_MODERATES})",
    # Seen with its post, whose own policy holds inside this one.
    ("post_tags", "SELECT"): "USING (EXISTS (SELECT FROM posts WHERE posts.id = post_id))",
    ("post_tags", "INSERT"): f"WITH CHECK ({_OF_OWN_POST})",
    ("post_tags", "DELETE"): f"USING ({_OF_OWN_POST})",
    # Whose projects they are is read from `project_members`, which therefore has no policy of its own.
    ("tasks", "SELECT"): f"USING {_IN_OWN_PROJECT}",
    ("tasks", "INSERT"): f"WITH CHECK (creator_id {_OWN} AND {_EDITS_PROJECT})",
    ("tasks", "UPDATE"): f"USING {_EDITS_PROJECT} WITH CHECK {_EDITS_PROJECT}",
    ("tasks", "DELETE"): f"USING {_EDITS_PROJECT}",
    ("task_tags", "SELECT"): "USING (EXISTS (SELECT FROM tasks WHERE tasks.id = task_id))",
    ("task_tags", "INSERT"): f"WITH CHECK ({_OF_EDITED_TASK})",
    ("task_tags", "DELETE"): f"USING ({_OF_EDITED_TASK})",
    ("user_profiles", "SELECT"): "USING (true)",
    ("user_profiles", "INSERT"): f"WITH CHECK (user_id {_OWN})",
    ("user_profiles", "UPDATE"): f"USING (user_id {_OWN}) WITH CHECK (user_id {_OWN})",
    ("user_profiles", "DELETE"): f"USING (user_id {_OWN} OR {_ADMINISTERS})",
}


def upgrade() -> None:
    """Apply the revision, in one transaction."""
    for name, (type_, expression) in _FUNCTIONS.items():
        attributes = "LANGUAGE sql STABLE PARALLEL SAFE"
        op.execute(f"CREATE FUNCTION {name}() RETURNS {type_} {attributes} AS $$ SELECT {expression} $$")
    for (table, command), rows in _POLICIES.items():
        op.execute(f"CREATE POLICY {_name(table, command)} ON {table} FOR {command} {rows}")


def downgrade() -> None:
    """Undo it, leaving no trace."""
    for table, command in _POLICIES:
        op.execute(f"DROP POLICY {_name(table, command)} ON {table}")
    for name in reversed(_FUNCTIONS):
        op.execute(f"DROP FUNCTION {name}()")


def _name(table: str, command: str) -> str:
    return f"{table}_{command.lower()}"
