"""The `bough` command as a process: wrong words, streams that fail, Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

BOUGH = Path(sys.executable).parent / "bough"
PROJECT = '[project]\nname = "shop"\n[tool.bough]\n'
FULL = Path("/dev/full")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return an empty project."""
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    return tmp_path


class TestUsageErrors:
    """What cannot be meant exits 2, in the form of all other errors."""

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["branch", "get", "--nope"], "No such option: --nope"),
            (["branch", "nope"], "No such command 'nope'"),
            (
                ["config", "show", "--origin", "-o", "env"],
                "Invalid value for --output: origins cannot be shown as variables",
            ),
        ],
    )
    def test_have_a_code_and_the_next_step(self, shop: Path, arguments: list[str], message: str) -> None:
        """On one line each, however narrow the terminal."""
        done = subprocess.run([BOUGH, *arguments], cwd=shop, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        first, second = done.stderr.splitlines()
        assert first == f"error[USAGE]: {message}"
        assert second.startswith("hint: see bough ")

    def test_follow_the_output_format(self, shop: Path) -> None:
        """Also when the options could not be read."""
        command = [BOUGH, "branch", "get", "--nope", "-o", "json"]
        done = subprocess.run(command, cwd=shop, capture_output=True, text=True, check=False)
        assert json.loads(done.stderr)["error"]["code"] == "USAGE"


class TestStdout:
    """A stdout that takes nothing is an error without a traceback, buffered or not."""

    @pytest.mark.skipif(not FULL.exists(), reason="needs Linux's /dev/full")
    @pytest.mark.parametrize("unbuffered", ["", "1"])
    def test_full_disk_fails(self, shop: Path, unbuffered: str) -> None:
        """A script must not go on with half of the data."""
        environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
        with FULL.open("w") as full:
            done = subprocess.run(
                [BOUGH, "config", "show"],
                cwd=shop,
                stdout=full,
                stderr=subprocess.PIPE,
                env=environment,
                text=True,
                check=False,
            )
        assert (done.returncode, done.stderr) == (1, "error[SYSTEM]: No space left on device\n")

    def test_stands_above_what_is_said_later(self, shop: Path) -> None:
        """In a log that takes both streams, however Python buffers."""
        code = "from scripts import output; output.show_text('data'); output.say('That was all')"
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.stdout == "data\nThat was all\n"

    def test_reader_that_has_gone_is_no_error_message(self, shop: Path) -> None:
        """As in `bough config show | true`."""
        read, write = os.pipe()
        os.close(read)
        command = [BOUGH, "config", "show"]
        done = subprocess.run(command, cwd=shop, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
        os.close(write)
        assert (done.returncode, done.stderr) == (1, "")


class TestQuestions:
    """What is asked on a terminal."""

    def test_ctrl_c_is_an_interruption_and_no_answer(self) -> None:
        """It ends with 130, as everywhere else."""
        ask = "import scripts.cli as c, scripts.confirmation as q; "
        ask += "c.app.command('ask')(lambda: q.confirm('All is lost.', yes=False)); c.main()"
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ.pop("CI", None)
            os.execv(sys.executable, [sys.executable, "-c", ask, "ask"])
        said = b""
        while not said.endswith(b"[y/N] "):
            said += os.read(terminal, 1024)
        os.write(terminal, b"\x03")
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        assert os.waitstatus_to_exitcode(status) == 130
