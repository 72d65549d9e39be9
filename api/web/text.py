"""Text that clients send, as far as PostgreSQL and UTF-8 can hold it."""

from __future__ import annotations

from typing import Final

#: Everything but NUL, which PostgreSQL's `text` cannot hold. Checking any pattern also refuses lone
#: surrogates, which JSON can spell and UTF-8 cannot.
NO_NUL: Final = r"^[^\x00]*$"
#: The same, with more in it than white space: for text that is stripped.
NOT_BLANK: Final = r"^[^\x00]*[^\s\x00][^\x00]*$"
