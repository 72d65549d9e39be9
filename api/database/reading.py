"""Which statements a session that reads may send.

Refused here and not only by the server: in AUTOCOMMIT the server would carry a write out, and a read whose
connection dies is sent a second time.
"""

from __future__ import annotations

import re
from typing import Final

from api.database.errors import ReadOnlySessionError

_BEGINNING: Final = re.compile(
    r"(?:[\s(]|--[^\n]*\n|/\*.*?\*/|explain\s*\([^)]*\)|(?:explain|analyze|verbose)\b)*"
    r"(?:(?P<reads>select|values|table|show|savepoint|release|rollback\s+to)\b|(?P<may>with)\b|(?P<other>\w*))",
    re.IGNORECASE | re.DOTALL,
)
#: A write inside WITH follows a parenthesis: that of its own part, or the end of the part before.
_WRITE_INSIDE: Final = re.compile(r"[()]\s*(insert|update|delete|merge)\b", re.IGNORECASE)


def writing_word(statement: str) -> str | None:
    """Return the word by which a statement writes (`INSERT`, for one); `None` when it only reads.

    What a function does that it calls is not seen: one that changes something belongs in a `WriteSession`.
    """
    beginning = _BEGINNING.match(statement)
    if beginning is None or beginning["reads"]:
        return None
    if beginning["may"]:
        inside = _WRITE_INSIDE.search(statement)
        return inside[1].upper() if inside else None
    return beginning["other"].upper() or "an empty statement"


def refuse_write(statement: str) -> None:
    """Refuse what a connection that reads must not send.

    Raises:
        ReadOnlySessionError: The statement writes.
    """
    word = writing_word(statement)
    if word is not None:
        message = f"{word} in a session that reads, or after its transaction's end; take a WriteSession"
        raise ReadOnlySessionError(message)
