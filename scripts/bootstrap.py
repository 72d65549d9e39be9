"""Make `.venv` and what the local world needs from the system; `make` runs it when the lock changes.

Runs before anything is installed: standard library only, and syntax that an old Python can read far
enough to be told that it is too old.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".bootstrapped"
OLDEST_PYTHON = (3, 11)

#: Debian and Homebrew put PgBouncer where a user's PATH may not lead.
_SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin", "/usr/local/bin")


class BootstrapError(Exception):
    """What stands in the way, with the command that removes it."""


def main() -> int:
    """Bring `.venv` in step with the lock; return the exit code."""
    try:
        check_python(sys.version_info[:2])
        sync(find_uv() or install_uv())
    except BootstrapError as error:
        say(f"error: {error}")
        return 1
    except subprocess.CalledProcessError as error:
        say(f"error: `{' '.join(map(str, error.cmd))}` failed with exit code {error.returncode}")
        return 1
    if not pgbouncer_is_installed():
        install_pgbouncer()
    if not pgbouncer_is_installed():
        say(
            "PgBouncer cannot be had here: pooled URLs are served by PostgreSQL itself, and what a"
            " transaction-mode pooler changes is not covered"
        )
    if is_ci() and not chromium_is_installed():
        install_chromium()
    STAMP.touch()
    return 0


def check_python(version: tuple[int, ...]) -> None:
    """Refuse a Python that is too old."""
    if version < OLDEST_PYTHON:
        found, oldest = (".".join(map(str, each)) for each in (version, OLDEST_PYTHON))
        raise BootstrapError(
            f"Python {oldest} or newer is needed, and {sys.executable} is {found}."
            " Put a newer python3 first on PATH"
        )


def find_uv() -> Path | None:
    """Return the uv of `.venv`, or the system's; `None` when there is neither."""
    own = VENV / "bin" / "uv"
    if own.exists() and works(VENV / "bin" / "python"):
        return own
    found = shutil.which("uv")
    return Path(found) if found else None


def install_uv() -> Path:
    """Make `.venv` with this Python and install uv into it; return uv's path."""
    if not can_make_venv():
        if not (is_root() and shutil.which("apt-get")):
            raise BootstrapError(
                "this Python cannot make virtual environments: it has no ensurepip."
                " On Debian and Ubuntu: sudo apt-get install python3-venv"
            )
        apt_install("python3-venv")
    say("Making .venv")
    run(sys.executable, "-m", "venv", "--clear", VENV)
    run(VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv")
    return VENV / "bin" / "uv"


def sync(uv: Path) -> None:
    """Install exactly what the lock says."""
    say("Installing the locked dependencies")
    # A .venv that works keeps its Python; a missing or broken one gets the Python that runs this.
    choice = () if works(VENV / "bin" / "python") else ("--python", sys.executable)
    environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(VENV)}
    environment.pop("VIRTUAL_ENV", None)
    run(uv, "sync", "--frozen", "--all-extras", "--quiet", *choice, environment=environment)


def pgbouncer_is_installed() -> bool:
    """Say whether `infra.local.pooler` will find PgBouncer."""
    return bool(shutil.which("pgbouncer") or shutil.which("pgbouncer", path=":".join(_SYSTEM_FOLDERS)))


def install_pgbouncer() -> None:
    """Install PgBouncer with the system's package manager where that needs no password."""
    try:
        if is_root() and shutil.which("apt-get"):
            apt_install("pgbouncer")
            # Debian's package starts a pooler of its own, on a port that may be wanted.
            stop = (
                "systemctl disable --now pgbouncer" if shutil.which("systemctl") else "service pgbouncer stop"
            )
            subprocess.run(stop.split(), check=False, capture_output=True)  # noqa: S603  fixed words
        elif shutil.which("brew"):
            say("Installing pgbouncer")
            run("brew", "install", "--quiet", "pgbouncer")
    except subprocess.CalledProcessError as error:
        say(f"`{' '.join(map(str, error.cmd))}` failed")


def chromium_is_installed() -> bool:
    """Say whether the tests of the migrations' report will find a browser."""
    return any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")))


def install_chromium() -> None:
    """Install Chromium where that needs no password; the tests that want it say what else to do."""
    if is_root() and shutil.which("apt-get"):
        try:
            apt_install("chromium")
        except subprocess.CalledProcessError as error:
            say(f"`{' '.join(map(str, error.cmd))}` failed")


def apt_install(package: str) -> None:
    """Install a Debian package, with fresh package lists when the present ones do not do."""
    say(f"Installing {package}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", package)
    try:
        run(*command, environment=environment, quiet=True)
    except subprocess.CalledProcessError:
        run("apt-get", "update", "-qq", environment=environment)
        run(*command, environment=environment)


def can_make_venv() -> bool:
    """Say whether `python3 -m venv` will work: Debian moves ensurepip to a package of its own."""
    code = "import ensurepip, venv"
    return subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0  # noqa: S603  our own Python


def works(python: Path) -> bool:
    """Say whether the interpreter starts and is new enough: its base may be gone or replaced."""
    if not python.exists():
        return False
    code = f"import sys; sys.exit(sys.version_info[:2] < {OLDEST_PYTHON})"
    return subprocess.run([python, "-c", code], check=False, capture_output=True).returncode == 0  # noqa: S603  our own Python


def is_ci() -> bool:
    """Say whether continuous integration runs this, where no test may be skipped."""
    return os.environ.get("CI", "").lower() not in {"", "0", "false"}


def is_root() -> bool:
    """Say whether packages can be installed without asking."""
    return os.geteuid() == 0


def run(*command: str | Path, environment: dict[str, str] | None = None, quiet: bool = False) -> None:
    """Run a command in the project's folder; its output goes to stderr, unless `quiet`."""
    output = subprocess.DEVNULL if quiet else sys.stderr
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=output, stderr=output)  # noqa: S603  no shell


def say(message: str) -> None:
    """Write one line of progress."""
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
