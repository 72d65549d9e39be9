"""The project's `.bough/`: where the local world keeps its data, its state and its secrets."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.disk import disk_full_translated
from infra.local import lock_file

if TYPE_CHECKING:
    from pathlib import Path
    from pwd import struct_passwd


@dataclass(frozen=True, slots=True)
class Secrets:
    """Random, made once for a project, kept in `.bough/secrets.json` with mode 0600.

    Args:
        auth_secret: Signs the tokens of the application.
        neon_api_key: Opens the project's control plane.
    """

    auth_secret: str
    neon_api_key: str

    def __repr__(self) -> str:
        """Show nothing."""
        return "Secrets(***)"


def folder(root: Path) -> Path:
    """Return the project's `.bough/`, made when missing, which git ignores."""
    path = root / ".bough"
    with disk_full_translated(path):
        path.mkdir(mode=0o700, exist_ok=True)
        ignore = path / ".gitignore"
        if not ignore.exists():
            write_private(ignore, "*\n")
    return path


def read_secrets(root: Path) -> Secrets:
    """Return the project's local secrets, made when there are none; at once in several processes too."""
    own = folder(root)
    path = own / "secrets.json"
    with lock_file.waited_for(own / "secrets.lock"):
        made = {"auth_secret": secrets.token_hex(32), "neon_api_key": secrets.token_urlsafe(32)}
        kept = json.loads(path.read_text()) if path.exists() else {}
        document = {name: kept.get(name, value) for name, value in made.items()}
        if document != kept:
            write_private(path, json.dumps(document))
    return Secrets(**document)


def write_private(path: Path, text: str, owner: struct_passwd | None = None) -> None:
    """Write a file that only this user, or `owner`, can read: whole or not at all."""
    # A name of its own: another process may be writing the same file.
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    with disk_full_translated(path.parent):
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
            if owner:
                os.chown(new, owner.pw_uid, owner.pw_gid)
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
