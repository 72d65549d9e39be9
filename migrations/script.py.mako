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


<%
def body(text):
    """Leave out Alembic's marks; a docstring makes a function by itself."""
    lines = (text or "").splitlines()
    return "\n".join(line for line in lines if "# ### " not in line and line.strip() != "pass").strip()

in_one = "" if "autocommit_block" in (upgrades or "") else ", in one transaction"
no_way_back = up_revision in config.attributes.get("irreversible", ())
%>\
def upgrade() -> None:
    """Apply the revision${in_one}."""
    ${body(upgrades)}


def downgrade() -> None:
    """${"Leave it: there is no way back" if no_way_back else "Undo it, leaving no trace"}."""
    ${body(downgrades)}
