"""What a published version says about itself: its description in Lambda, which nobody can change later."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

#: Lambda's limit for a description.
_LIMIT: Final = 256

#: Characters of a commit or a hash that people are shown.
_SHORT: Final = 12


@dataclass(frozen=True, slots=True)
class ReleaseNote:
    """What a version was built from.

    Args:
        code: The git commit, with `-dirty` behind it where files had changed since; else the artifact's hash.
        head: The head revision that the code was built at; `None` without migrations.
        needed: The newest expand revision, without which it does not work; `None` without migrations.
    """

    code: str
    head: str | None = None
    needed: str | None = None

    def __str__(self) -> str:
        """Return the description.

        Raises:
            ValueError: It is longer than Lambda takes.
        """
        text = json.dumps(
            {key: value for key, value in asdict(self).items() if value is not None}, separators=(",", ":")
        )
        if len(text) > _LIMIT:
            message = f"a version's description has {len(text)} characters, and Lambda takes {_LIMIT}"
            raise ValueError(message)
        return text

    @property
    def short(self) -> str:
        """The beginning of `code`, and what stands behind it: `1f63dff2e1ad-dirty`."""
        commit, dash, state = self.code.partition("-")
        return f"{commit[:_SHORT]}{dash}{state}"

    @classmethod
    def parse(cls, description: str) -> ReleaseNote | None:
        """Return the note that a description holds; `None` where somebody else wrote it."""
        try:
            given = json.loads(description)
        except ValueError:
            return None
        if not isinstance(given, dict) or not isinstance(given.get("code"), str):
            return None
        head, needed = given.get("head"), given.get("needed")
        if not all(value is None or isinstance(value, str) for value in (head, needed)):
            return None
        return cls(given["code"], head, needed)
