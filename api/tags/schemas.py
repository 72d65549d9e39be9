"""Tags as clients send them."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from api.web.text import NO_NUL

#: Tags that one thing may have.
MAX_TAGS: Final = 10
_MAX_LENGTH: Final = 50
#: Letters, digits and what stands in names like `c++` and `.net`; not all of it spaces.
_PATTERN: Final = r"^[\w .+#-]*[\w.+#-][\w .+#-]*$"


def _normalise_tag(name: str) -> str:
    """Return the one spelling of a tag: lower case, words joined by hyphens."""
    return "-".join(unicodedata.normalize("NFKC", name).lower().split())


TagName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=_MAX_LENGTH, pattern=_PATTERN),
    AfterValidator(_normalise_tag),
    # Again: NFKC may write one letter as eighteen, or as others that are not accepted.
    StringConstraints(max_length=_MAX_LENGTH, pattern=_PATTERN),
]
TagNames = Annotated[list[TagName], Field(max_length=MAX_TAGS, examples=[["history", "machines"]])]
#: The beginning of a tag, as somebody types it.
TagPrefix = Annotated[
    str, StringConstraints(max_length=_MAX_LENGTH, pattern=NO_NUL), AfterValidator(_normalise_tag)
]
