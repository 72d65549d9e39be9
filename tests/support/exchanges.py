"""What went over the wire against a provider's published schema, collected for the end of the test."""

from __future__ import annotations

_problems: list[str] = []


def report(problem: str) -> None:
    """Keep what was wrong with an exchange: it is found in a server's thread, where no test would fail."""
    _problems.append(problem)


def take_problems() -> list[str]:
    """Return what was reported since the last time."""
    taken, _problems[:] = _problems[:], []
    return taken
