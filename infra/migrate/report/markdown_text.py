"""Text that somebody else chose, made safe in GitHub's Markdown: it shows as it is, and does nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SPECIAL: Final = re.compile(r"([\\`*_\[\]|~$])")
_BACKTICKS: Final = re.compile(r"`+")
_ELLIPSIS: Final = "…"


def prose(text: str, limit: int = 1000) -> str:
    """Return words as one line of text: no markup, no tags, nobody mentioned, no link."""
    line = cut(" ".join(text.split()), limit)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # Mentions and references are found after the escapes are gone.
    return re.sub(r"(?<=[@#])(?=\w)", "\u200b", _SPECIAL.sub(r"\\\1", line))


def code(text: str, limit: int = 200) -> str:
    """Return a name as a code span."""
    line = cut(" ".join(text.split()), limit)
    ticks = "`" * _longer_than(line, 1)
    gap = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{gap}{line}{gap}{ticks}" if line else ""


def fence(text: str, language: str) -> str:
    """Return a block of code that nothing in the text ends."""
    ticks = "`" * _longer_than(text, 3)
    return f"{ticks}{language}\n{text.strip()}\n{ticks}"


def cut(text: str, limit: int) -> str:
    """Return at most `limit` characters of the text, the last of them `…` when there were more."""
    return text if len(text) <= limit else text[: limit - 1] + _ELLIPSIS


def fitting(parts: Iterable[str], room: int, noun: str) -> Iterator[str]:
    """Yield the parts that fit in `room` bytes together with their line ends; then how many do not."""
    parts = list(parts)
    for index, part in enumerate(parts):
        room -= len(part.encode()) + 1
        if room < 0:
            yield f"… {len(parts) - index:,} more {noun} do not fit here"
            return
        yield part


def _longer_than(text: str, least: int) -> int:
    return max([least, *(len(run) + 1 for run in _BACKTICKS.findall(text))])
