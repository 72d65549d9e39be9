"""${message.rstrip(".")}."""

from __future__ import annotations

% if not upgrades or "sa." in upgrades + downgrades:
import sqlalchemy as sa
% endif
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
% if branch_labels:
branch_labels = ${repr(branch_labels)}
% endif
% if depends_on:
depends_on = ${repr(depends_on)}
% endif

# "expand" keeps the running code working and is applied before a deploy; "contract" (dropping,
# renaming, tightening) breaks code that came before, and is applied once none of it runs.
phase = ${repr("contract" if up_revision in config.attributes.get("contracts", ()) else "expand")}
% if up_revision in config.attributes.get("irreversible", ()):
irreversible = "PostgreSQL takes no label away from an enum"
% endif


def upgrade() -> None:
    """Apply the revision${"" if "autocommit_block" in (upgrades or "") else ", in one transaction"}."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Undo it, leaving no trace."""
    ${downgrades if downgrades else "pass"}
