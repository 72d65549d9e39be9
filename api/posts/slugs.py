"""Slugs: titles as they stand in addresses."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from uuid import UUID

_MAX_LENGTH: Final = 80
#: Hexadecimal digits of a suffix: 32 random bits, only ever needed among posts of one title.
_SUFFIX_DIGITS: Final = 8


def slug_of(title: str) -> str:
    """Return a title in lower-case ASCII letters, digits and hyphens; `post` when nothing is left."""
    ascii_only = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")
    return words[:_MAX_LENGTH].rstrip("-") or "post"


def distinguished(slug: str, key: UUID) -> str:
    """Return the slug with a suffix from the random end of a post's key."""
    return f"{slug}-{key.hex[-_SUFFIX_DIGITS:]}"
