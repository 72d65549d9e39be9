"""Which Python compiles for a target, found among programs that say what they are."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from infra.aws import interpreters

#: No real one has it.
PYTHON = "3.99"


def program(path: Path, text: str) -> Path:
    """Write a shell script that says `text`, and fails when there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{text}'\n" if text else "#!/bin/sh\nexit 127\n")
    path.chmod(0o755)
    return path


class TestFind:
    """`find`."""

    @pytest.fixture(autouse=True)
    def empty(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Leave nothing in reach, and no answer of before."""
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
        monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
        interpreters.find.cache_clear()

    def test_takes_this_one_where_it_fits(self) -> None:
        """No other program is asked."""
        python = ".".join(platform.python_version_tuple()[:2])
        assert interpreters.find(python) == interpreters.Interpreter(
            Path(sys.executable), platform.python_version()
        )

    def test_finds_one_on_path(self, tmp_path: Path) -> None:
        """By its name, and by what it says that it is."""
        executable = program(tmp_path / f"bin/python{PYTHON}", "CPython 3.99.1 final")
        assert interpreters.find(PYTHON) == interpreters.Interpreter(executable, "3.99.1")

    def test_goes_on_where_a_name_on_path_runs_nothing(self, tmp_path: Path) -> None:
        """Pyenv's names on PATH run only what its user has switched to; its folders have all."""
        program(tmp_path / f"bin/python{PYTHON}", "")
        executable = program(tmp_path / f"pyenv/versions/3.99.2/bin/python{PYTHON}", "CPython 3.99.2 final")
        assert interpreters.find(PYTHON) == interpreters.Interpreter(executable, "3.99.2")

    @pytest.mark.parametrize(
        "said", ["PyPy 3.99.1 final", "CPython 3.9.9 final", "CPython 3.99.0rc1 candidate"]
    )
    def test_takes_no_other(self, tmp_path: Path, said: str) -> None:
        """Another implementation's bytecode, or another version's, is of no use."""
        program(tmp_path / f"bin/python{PYTHON}", said)
        assert interpreters.find(PYTHON) is None
