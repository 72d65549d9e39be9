"""What a revision's file says besides its statements, read without running it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Declarations:
    """What stands in a revision's file.

    Args:
        ignored: `lint_ignore`: the reasons by rule; `None` where it is no mapping of strings to strings.
        ignored_line: Where it stands.
        irreversible: The reason why there is no way back; `None` where the revision gives none.
        downgrade_line: Where `downgrade` stands.
        undoes: Whether `downgrade` does anything but raise.
        does: Whether `upgrade` does anything.
    """

    ignored: dict[str, str] | None
    ignored_line: int
    irreversible: str | None
    downgrade_line: int
    undoes: bool
    does: bool


def declarations(path: Path) -> Declarations:
    """Read a file that Python has read already."""
    ignored: dict[str, str] | None = {}
    ignored_line = downgrade_line = 1
    irreversible = None
    does = undoes = False
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef(name="downgrade"):
                undoes, downgrade_line = _does_something(node), node.lineno
            case ast.FunctionDef(name="upgrade"):
                does = _does_something(node)
            case (
                ast.Assign(targets=[ast.Name(id="lint_ignore")], value=ast.expr() as value)
                | ast.AnnAssign(target=ast.Name(id="lint_ignore"), value=ast.expr() as value)
            ):
                ignored, ignored_line = _reasons(value), node.lineno
            case (
                ast.Assign(targets=[ast.Name(id="irreversible")], value=ast.Constant(value=str() as reason))
                | ast.AnnAssign(target=ast.Name(id="irreversible"), value=ast.Constant(value=str() as reason))
            ):
                irreversible = reason.strip() or None
    return Declarations(ignored, ignored_line, irreversible, downgrade_line, undoes, does)


def _does_something(function: ast.FunctionDef) -> bool:
    def is_nothing(statement: ast.stmt) -> bool:
        match statement:
            case ast.Pass() | ast.Raise() | ast.Expr(value=ast.Constant()) | ast.Return(value=None):
                return True
        return False

    return not all(is_nothing(each) for each in function.body)


def _reasons(value: ast.expr) -> dict[str, str] | None:
    try:
        found = ast.literal_eval(value)
    except ValueError:
        return None
    is_mapping = isinstance(found, dict) and all(isinstance(e, str) for pair in found.items() for e in pair)
    return found if is_mapping else None
