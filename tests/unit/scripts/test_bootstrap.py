"""Making a machine ready: what is decided, without installing anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts import bootstrap


@pytest.fixture
def commands(monkeypatch, tmp_path):
    """A machine with an empty project folder; the commands that would run on it."""
    ran = []
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(bootstrap, "run", lambda *command, **_: ran.append([str(part) for part in command]))
    return ran


@pytest.fixture
def tools(monkeypatch):
    """What `shutil.which` finds, by name."""
    found: dict[str, str] = {}
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name, path=None: found.get(name))
    return found


class TestMain:
    def test_old_python_is_named_and_nothing_runs(self, commands, monkeypatch, capsys):
        """The message says which Python was found and which is needed."""
        monkeypatch.setattr(bootstrap.sys, "version_info", (3, 9, 2))
        assert bootstrap.main() == 1
        said = capsys.readouterr().err
        assert "3.11 or newer is needed" in said
        assert "is 3.9" in said
        assert commands == []

    def test_failing_command_leaves_no_stamp(self, commands, tools, monkeypatch, capsys):
        """A sync that failed is tried again by the next `make`."""
        tools["uv"] = "/bin/uv"

        def fail(*command, **_):
            raise subprocess.CalledProcessError(2, command)

        monkeypatch.setattr(bootstrap, "run", fail)
        assert bootstrap.main() == 1
        assert "`/bin/uv sync --frozen" in capsys.readouterr().err
        assert not bootstrap.STAMP.exists()

    def test_missing_pgbouncer_is_one_line_and_no_failure(self, commands, tools, monkeypatch, capsys):
        """Where PgBouncer cannot be had, everything else is still made ready."""
        tools["uv"] = "/bin/uv"
        monkeypatch.setattr(bootstrap, "is_root", lambda: False)
        assert bootstrap.main() == 0
        assert "not covered" in capsys.readouterr().err.splitlines()[-1]
        assert bootstrap.STAMP.exists()

    def test_source_can_be_read_by_an_old_python(self):
        """Python 3.8 gets as far as the message: nothing newer stands in the syntax."""
        source = Path(bootstrap.__file__).read_text()
        compile(source, "bootstrap.py", "exec", dont_inherit=True)
        import ast

        ast.parse(source, feature_version=(3, 8))


class TestFindUv:
    def test_own_uv_comes_first(self, commands, tools):
        """The locked uv of a working .venv is used before the system's."""
        tools["uv"] = "/bin/uv"
        (bootstrap.VENV / "bin").mkdir(parents=True)
        (bootstrap.VENV / "bin" / "uv").touch()
        (bootstrap.VENV / "bin" / "python").symlink_to(sys.executable)
        assert bootstrap.find_uv() == bootstrap.VENV / "bin" / "uv"

    def test_uv_of_a_broken_venv_is_not_trusted(self, commands, tools):
        """A .venv whose Python is gone does not count."""
        (bootstrap.VENV / "bin").mkdir(parents=True)
        (bootstrap.VENV / "bin" / "uv").touch()
        (bootstrap.VENV / "bin" / "python").symlink_to("/nowhere/python")
        assert bootstrap.find_uv() is None


class TestInstallUv:
    def test_user_without_ensurepip_is_told_the_command(self, commands, tools, monkeypatch):
        """Debian's python3 lacks venv: who may not install it learns what to type."""
        monkeypatch.setattr(bootstrap, "can_make_venv", lambda: False)
        monkeypatch.setattr(bootstrap, "is_root", lambda: False)
        tools["apt-get"] = "/usr/bin/apt-get"
        with pytest.raises(bootstrap.BootstrapError, match="sudo apt-get install python3-venv"):
            bootstrap.install_uv()
        assert commands == []

    def test_root_without_ensurepip_installs_it(self, commands, tools, monkeypatch):
        """Root on Debian gets python3-venv, then .venv, then uv in it."""
        monkeypatch.setattr(bootstrap, "can_make_venv", lambda: False)
        monkeypatch.setattr(bootstrap, "is_root", lambda: True)
        tools["apt-get"] = "/usr/bin/apt-get"
        assert bootstrap.install_uv() == bootstrap.VENV / "bin" / "uv"
        assert [command[-1] for command in commands] == ["python3-venv", str(bootstrap.VENV), "uv"]


class TestSync:
    def test_missing_venv_gets_the_running_python(self, commands, tools):
        """A uv from the system does not choose, or download, a Python of its own."""
        bootstrap.sync(Path("/bin/uv"))
        options = ["--frozen", "--all-extras", "--quiet", "--python", sys.executable]
        assert commands == [["/bin/uv", "sync", *options]]


class TestInstallPgbouncer:
    @pytest.mark.parametrize(("tool", "root"), [("apt-get", False), ("dnf", True)])
    def test_nothing_is_tried_where_it_would_need_a_password(self, commands, tools, monkeypatch, tool, root):
        """No sudo, no guessing at other package managers."""
        tools[tool] = f"/usr/bin/{tool}"
        monkeypatch.setattr(bootstrap, "is_root", lambda: root)
        bootstrap.install_pgbouncer()
        assert commands == []

    def test_homebrew_is_used(self, commands, tools, monkeypatch):
        """On macOS brew needs no password."""
        tools["brew"] = "/opt/homebrew/bin/brew"
        monkeypatch.setattr(bootstrap, "is_root", lambda: False)
        bootstrap.install_pgbouncer()
        assert commands == [["brew", "install", "--quiet", "pgbouncer"]]


class TestInstallChromium:
    @pytest.mark.parametrize(
        ("ci", "browsers", "installed"), [("true", [], 1), ("0", [], 0), ("true", ["chromium"], 0)]
    )
    def test_only_ci_without_a_browser_installs_one(
        self, commands, tools, monkeypatch, *, ci, browsers, installed
    ):
        """Whoever only wants to run the application is spared it."""
        tools |= {name: f"/usr/bin/{name}" for name in ("uv", "pgbouncer", "apt-get", *browsers)}
        monkeypatch.setenv("CI", ci)
        monkeypatch.setattr(bootstrap, "is_root", lambda: True)
        assert bootstrap.main() == 0
        assert sum(command[-1] == "chromium" for command in commands) == installed

    def test_failing_to_install_it_is_said_and_no_failure(self, commands, tools, monkeypatch, capsys):
        """The tests that want it fail in CI, with the reason."""
        tools["apt-get"] = "/usr/bin/apt-get"
        monkeypatch.setattr(bootstrap, "is_root", lambda: True)

        def fail(*command, **_):
            raise subprocess.CalledProcessError(100, command)

        monkeypatch.setattr(bootstrap, "run", fail)
        bootstrap.install_chromium()
        assert "`apt-get update -qq` failed" in capsys.readouterr().err


class TestAptInstall:
    def test_package_lists_are_fetched_when_the_present_ones_do_not_do(self, commands, monkeypatch):
        """A fresh container has no package lists: the first failure is no reason to give up."""

        def run(*command, **_):
            commands.append(list(command))
            if len(commands) == 1:
                raise subprocess.CalledProcessError(100, command)

        monkeypatch.setattr(bootstrap, "run", run)
        bootstrap.apt_install("pgbouncer")
        assert [command[1] for command in commands] == ["install", "update", "install"]
