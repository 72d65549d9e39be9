"""The base of every error that `infra` raises on purpose."""

from __future__ import annotations

from typing import ClassVar


class InfraError(Exception):
    """What failed and why (the message), and what to do next (the hint).

    Args:
        message: One sentence; never holds a password or a token.
        hint: The next step, a command where there is one.

    Attributes:
        code: Stable, for programs.
        exit_code: What the command ends with.
        retryable: The same command may succeed later, with nothing changed but the time.
    """

    code: ClassVar[str] = "INFRA_ERROR"
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """Keep the hint apart, so that every output format can place it."""
        super().__init__(message)
        self.hint = hint
