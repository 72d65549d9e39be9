"""What a Python file says in literals at its top level, read without running it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Literal:
    """A literal value, and where it stands in the file: offsets in bytes, the end exclusive."""

    value: Any
    start: int
    end: int


def literals(path: Path) -> dict[str, Literal]:
    """Return the names that are given a literal; of one given twice the last.

    Raises:
        OSError: The file cannot be read.
        SyntaxError, ValueError: It is not Python.
    """
    source = path.read_bytes()
    lines = source.splitlines(keepends=True)
    found = {}
    for statement in ast.parse(source, filename=str(path)).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        try:
            literal = ast.literal_eval(value)
        except ValueError:
            continue
        start = sum(map(len, lines[: value.lineno - 1])) + value.col_offset
        end = sum(map(len, lines[: (value.end_lineno or value.lineno) - 1])) + (value.end_col_offset or 0)
        found[name] = Literal(literal, start, end)
    return found
