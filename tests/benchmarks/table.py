"""Results, rendered once for the terminal and the documentation: Markdown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure with the bound that it must keep.

    Args:
        text: What is compared.
        measured: The figure.
        bound: Its largest allowed value.
    """

    text: str
    measured: float
    bound: float

    @property
    def met(self) -> bool:
        """Say whether the bound is kept."""
        return self.measured <= self.bound

    def render(self) -> str:
        """Return a line of Markdown."""
        verdict = "met" if self.met else "MISSED"
        return f"- {self.text}: **{self.measured:.3g}** (at most {self.bound:g}): {verdict}"


@dataclass(frozen=True, slots=True)
class Result:
    """One benchmark's table and goals."""

    title: str
    how: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    goals: list[Goal]

    def render(self) -> str:
        """Return a section of Markdown."""
        lines = [f"## {self.title}", "", self.how, ""]
        lines += [_row(self.columns), _row(tuple("---" for _ in self.columns)), *map(_row, self.rows)]
        if self.goals:
            lines += ["", *(goal.render() for goal in self.goals)]
        return "\n".join(lines) + "\n"


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
