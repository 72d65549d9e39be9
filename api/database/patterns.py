"""Patterns of LIKE, made of text that is to be taken literally."""

from __future__ import annotations

import re
from typing import Final

_SPECIAL: Final = re.compile(r"[%_\\]")


def prefix_pattern(text: str) -> str:
    """Return the pattern of all that begins with `text`, whatever characters are in it.

    An index serves it when it compares code points: of a column with `COLLATE "C"`, or with the
    operator class `text_pattern_ops`.
    """
    return _SPECIAL.sub(r"\\\g<0>", text) + "%"
