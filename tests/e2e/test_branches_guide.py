"""The local transcripts of `docs/guides/branches.md`, run as they are printed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.local import control_plane
from tests.support.bough_up import copy_kit

if TYPE_CHECKING:
    from collections.abc import Iterator

BIN = Path(sys.executable).parent
GUIDE = (Path(__file__).parents[2] / "docs/guides/branches.md").read_text()
TRANSCRIPT = "".join(re.findall(r'^```console title="local"\n(.*?)^```', GUIDE, re.DOTALL | re.MULTILINE))

#: What is another one every time.
_PASSING = {
    r"\bbr-[a-z]+-[a-z]+-[a-z0-9]{8}\b": "BRANCH",
    r"\b(?!row_|br-)[a-z]+-[a-z]+-[0-9]{8}\b": "PROJECT",
    r"\d{4}-\d\d-\d\dT[\d:]+Z": "TIME",
    r"127\.0\.0\.1:\d+": "HOST",
    r"(?<=bough_app:)[\w-]+(?=@)": "PASSWORD",
    r"\d+\.\d\d s\b": "SECONDS",
    r"\S+/\.env\b": "FILE",
    r" {2,}": "  ",
}


def steady(text: str) -> str:
    """Return the text with a word for everything that passes."""
    for pattern, word in _PASSING.items():
        text = re.sub(pattern, word, text)
    return text


def as_pattern(printed: str) -> str:
    """Return a pattern for what the guide prints; a line `…` is any number of lines."""
    lines = [
        r"(?:.*\n)*?" if line == "…" else re.escape(f"{line}\n") for line in steady(printed).splitlines()
    ]
    return "".join(lines)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Path]:
    """A copy of the kit, and nothing of its branches afterwards."""
    copy_kit(tmp_path)
    yield tmp_path
    control_plane.stop(tmp_path)
    control_plane.delete(tmp_path)


@pytest.mark.prove
def test_transcript_is_what_the_commands_say(shop: Path) -> None:
    """Every command of the guide that needs no account, in order, in one project."""
    names = ("BOUGH_", "DATABASE_", "NEON_", "GITHUB_", "CI")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    environment["PATH"] = f"{BIN}{os.pathsep}{environment['PATH']}"
    steps = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", TRANSCRIPT, re.MULTILINE)
    assert len(steps) > 10
    for command, printed in steps:
        done = subprocess.run(
            shlex.split(command),
            cwd=shop,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        assert re.fullmatch(as_pattern(printed), steady(done.stdout)), (
            f"$ {command}\n{done.stdout}\nnot\n{printed}"
        )
