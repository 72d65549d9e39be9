"""Text that clients send, as far as PostgreSQL and UTF-8 can hold it."""

from __future__ import annotations

from typing import Final

from pydantic import AfterValidator

#: Everything but NUL, which PostgreSQL's `text` cannot hold. Checking any pattern also refuses lone
#: surrogates, which JSON can spell and UTF-8 cannot.
NO_NUL: Final = r"^[^\x00]*$"
#: The same, with more in it than white space, as `str.strip` understands it.
NOT_BLANK: Final = r"^[^\x00]*[^\s\x00\x1c-\x1f][^\x00]*$"
#: For an `Annotated`, after the limits: they are then those of what is sent, as the schema states them.
STRIPPED: Final = AfterValidator(str.strip)
