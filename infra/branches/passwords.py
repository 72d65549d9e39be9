"""The application role's password on each branch: derived, so that nobody has to store it."""

from __future__ import annotations

import base64
import hashlib


def application_password(owner_password: str, *, project_id: str, branch_id: str, role: str) -> str:
    """Return the role's password on one branch: 32 characters of the URL-safe alphabet.

    Whoever may ask the provider for the owner's password can derive it; from it nobody finds the
    owner's, nor that of another branch, though a branch inherits its owner's password from its
    parent. scrypt, because an owner's password that a person chose could be guessed otherwise.

    Raises:
        ValueError: A part is empty: the result would not be the branch's own.
    """
    if not (owner_password and project_id and branch_id and role):
        message = "an application password needs the owner's password, a project, a branch and a role"
        raise ValueError(message)
    salt = f"bough application role\0{project_id}\0{branch_id}\0{role}".encode()
    derived = hashlib.scrypt(owner_password.encode(), salt=salt, n=2**14, r=8, p=1, dklen=24)
    return base64.urlsafe_b64encode(derived).decode()
