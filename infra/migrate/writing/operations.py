"""What generated revisions hold besides Alembic's own operations, and how it is written."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from alembic.autogenerate import renderers
from alembic.autogenerate.render import render_op
from alembic.operations import ops

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alembic.autogenerate.api import AutogenContext

#: Of a comment; most formatters and linters take more.
_WIDTH: Final = 84


class AutocommitBlock(ops.MigrateOperation):
    """Operations that no transaction may hold, such as CREATE INDEX CONCURRENTLY."""

    def __init__(self, operations: Sequence[ops.MigrateOperation]) -> None:
        """Keep them."""
        self.operations = operations


class Comment(ops.MigrateOperation):
    """What whoever reads the revision must know or do; text without line breaks."""

    def __init__(self, text: str) -> None:
        """Keep the text."""
        self.text = text


@renderers.dispatch_for(AutocommitBlock)
def _render_block(context: AutogenContext, block: AutocommitBlock) -> list[str]:
    inner = [line for operation in block.operations for line in render_op(context, operation)]
    # Alembic's printer indents after the colon, and goes back at the empty line.
    return ["with op.get_context().autocommit_block():", *inner, ""]


@renderers.dispatch_for(Comment)
def _render_comment(_context: AutogenContext, comment: Comment) -> list[str]:
    return textwrap.wrap(f"bough: {comment.text}", _WIDTH, initial_indent="# ", subsequent_indent="# ")
