"""What a guide shows of the commands, run as it is printed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_BIN = Path(sys.executable).parent

#: Blocks that a test runs: commands with what they print, diffs, and, with their path, whole files.
_BLOCK = re.compile(r'^```(\w+) title="local(?:: ([^"]+))?"\n(.*?)^```', re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
_EXIT_CODE = re.compile(r"\s+# exit code (\d+)$")

#: What no command prints.
_ENDED = "--- ended ---"

#: What is another one every time.
_PASSING = {
    r"\bbr-[a-z]+-[a-z]+-[a-z0-9]{8}\b": "BRANCH",
    r"\b(?!row_|br-)[a-z]+-[a-z]+-[0-9]{8}\b": "PROJECT",
    r"\d{4}-\d\d-\d\dT[\d:]+Z": "TIME",
    r"\d{4}-\d\d-\d\d \d\d:\d\d UTC": "TIME",
    r"-\d{8}-\d{6}\b": "-TIME",
    r"\b20\d{6}_": "DAY_",
    r"\S*/versions/\d{4}-\d\d-\d\d_": "VERSIONS",
    r"127\.0\.0\.1:\d+": "HOST",
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b": "UUID",
    r"(?<=bough_app:)[\w-]+(?=@)": "PASSWORD",
    r"(?:\d+ min )?\d+(?:\.\d+)? m?s\b": "SECONDS",
    r"\S+/\.env\b": "FILE",
    r" {2,}": "  ",
}


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a guide: its language, the file that it is for, its text."""

    language: str
    path: str | None
    text: str


def blocks(guide: str) -> Iterator[Block]:
    """Yield the blocks that are to be run, in order."""
    for match in _BLOCK.finditer(guide):
        yield Block(match[1], match[2], match[3])


def play(block: Block, folder: Path) -> None:
    """Do what a block says in a project's folder; commands must print what it shows.

    A line `…` is any number of lines. The project's own code is what runs, as if it had a `.venv` of its own.
    """
    if block.path:
        path = folder / block.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
    elif block.language == "diff":
        subprocess.run(["git", "apply", "-"], cwd=folder, input=block.text, text=True, check=True)
    else:
        for command, printed in _COMMAND.findall(block.text):
            _run(command, printed, folder)


def play_in_shell(found: Iterable[Block], environment: Mapping[str, str]) -> None:
    """Run the commands of blocks in one shell, where variables last; each must print what it shows."""
    commands = [pair for block in found for pair in _COMMAND.findall(block.text)]
    script = "".join(f"{{ {command}\n}} 2>&1; echo {_ENDED}\n" for command, _ in commands)
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    for (command, expected), printed in zip(commands, done.stdout.split(f"{_ENDED}\n"), strict=False):
        ended = printed if printed.endswith("\n") or not printed else f"{printed}\n"
        assert re.fullmatch(_as_pattern(expected), _steady(ended)), f"$ {command}\n{ended}\nnot\n{expected}"


def _run(command: str, printed: str, folder: Path) -> None:
    names = ("BOUGH_", "DATABASE_", "NEON_", "GITHUB_", "CI")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    environment["PATH"] = f"{_BIN}{os.pathsep}{environment['PATH']}"
    environment["PYTHONPATH"] = str(folder)
    expected = _EXIT_CODE.search(command)
    done = subprocess.run(
        shlex.split(command, comments=True),
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == int(expected[1] if expected else 0), f"{command}\n{done.stdout}"
    assert re.fullmatch(_as_pattern(printed), _steady(done.stdout)), (
        f"$ {command}\n{done.stdout}\nnot\n{printed}"
    )


def _steady(text: str) -> str:
    for pattern, word in _PASSING.items():
        text = re.sub(pattern, word, text)
    return text


def _as_pattern(printed: str) -> str:
    lines = [
        r"(?:.*\n)*?" if line == "…" else re.escape(f"{line}\n") for line in _steady(printed).splitlines()
    ]
    return "".join(lines)
