"""The project's `.bough/`: where the local world keeps its data, its state and its secrets."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.disk import disk_full_translated

if TYPE_CHECKING:
    from pathlib import Path
    from pwd import struct_passwd


@dataclass(frozen=True, slots=True)
class Secrets:
    """Random, made once for a project, kept in `.bough/secrets.json` with mode 0600."""

    owner_password: str
    application_password: str
    auth_secret: str

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
    """Return the project's local secrets, made when there are none."""
    path = folder(root) / "secrets.json"
    if not path.exists():
        write_private(
            path,
            json.dumps(
                {
                    "owner_password": secrets.token_urlsafe(24),
                    "application_password": secrets.token_urlsafe(24),
                    "auth_secret": secrets.token_hex(32),
                }
            ),
        )
    return Secrets(**json.loads(path.read_text()))


def write_private(path: Path, text: str, owner: struct_passwd | None = None) -> None:
    """Write a file that only this user, or `owner`, can read: whole or not at all."""
    new = path.with_name(f"{path.name}.new")
    with disk_full_translated(path.parent):
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        if owner:
            os.chown(new, owner.pw_uid, owner.pw_gid)
        new.replace(path)
