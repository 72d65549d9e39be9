"""Write variables into a `.env` file and leave every other byte of it alone.

The file is read as python-dotenv reads it: `export`, quotes, values of several lines, comments
behind a value. Comments, order, line ends and a missing last one stay as they are.
"""

from __future__ import annotations

import io
import os
import re
import stat
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from dotenv.parser import parse_stream

from infra.disk import disk_full_translated
from infra.errors import InfraError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What a shell and every reader of such files take literally, without quotes.
#: Docker's `--env-file` would take quotes for a part of the value.
_PLAIN: Final = re.compile(r"[\w@%+=:,./?-]+", re.ASCII)
_NEWLINE: Final = re.compile(r"\r\n|\n|\r")

#: One assignment: what stands before the value, the value, what stands behind it.
_ASSIGNMENT: Final = re.compile(
    r"(?P<before>\s*(?:export[^\S\r\n]+)?[^=\s]+)"
    r"(?:(?P<equals>[^\S\r\n]*=[^\S\r\n]*)(?P<value>'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|[^\r\n]*?))?"
    r"(?P<behind>(?:(?:[^\S\r\n]+|(?<=\s))#[^\r\n]*)?[^\S\r\n]*(?:\r\n|\n|\r)?)",
    re.DOTALL,
)


class EnvFileError(InfraError):
    """The file cannot be changed without harm; nothing was."""

    code: ClassVar[str] = "ENV_FILE"


class EnvFileTrackedError(EnvFileError):
    """Git tracks the file: what is written there is soon published."""

    code = "ENV_FILE_TRACKED"


def updated(text: str, variables: Mapping[str, str]) -> str:
    """Return the file's text with these variables set, each wherever it is assigned, or else at the end.

    Raises:
        EnvFileError: A value cannot be written so that it is read back, or the file has a quote
            that is never closed.
    """
    body = text.removeprefix("\ufeff")
    present, statements = set(), []
    for binding in parse_stream(io.StringIO(body, newline="")):
        statement, value = binding.original.string, variables.get(binding.key or "")
        present.add(binding.key)
        statements.append(statement if value is None else _assigned(statement, value))
    found = _NEWLINE.search(body)
    newline = found[0] if found else "\n"
    missing = [
        f"{name}={_quoted(value)}{newline}" for name, value in variables.items() if name not in present
    ]
    if missing and body and not body.endswith(("\n", "\r")):
        missing.insert(0, newline)
    result = text[: len(text) - len(body)] + "".join([*statements, *missing])
    read_back = {each.key: each.value for each in parse_stream(io.StringIO(result, newline=""))}
    # A quote that nothing closed until now may have found its other half in ours.
    is_as_before = _others(body, variables) == _others(result.removeprefix("\ufeff"), variables)
    if not is_as_before or any(read_back.get(name) != value for name, value in variables.items()):
        raise EnvFileError(
            "the file could not be read again with these variables in it",
            hint="look for a quote that is never closed",
        )
    return result


def write(path: Path, variables: Mapping[str, str]) -> None:
    """Set variables in a file, whole or not at all; a new one can be read by this user alone.

    A symbolic link stays one; mode and owner of an existing file stay.

    Raises:
        EnvFileError: As `updated`, or it is not a file.
        DiskFullError: No space; the file is as it was.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise EnvFileError(f"{path} is not a file", hint="name another with --file")
    if not path.parent.is_dir():
        raise EnvFileError(f"there is no folder {path.parent}", hint="make it, or name another with --file")
    try:
        before = path.read_bytes().decode(errors="surrogateescape")
        status = path.stat()
    except FileNotFoundError:
        before, status = "", None
    try:
        text = updated(before, variables)
    except EnvFileError as error:
        raise EnvFileError(f"{path}: {error}", hint=error.hint) from None
    with disk_full_translated(path.parent):
        descriptor, new = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode(errors="surrogateescape"))
                if status:
                    os.fchmod(file.fileno(), status.st_mode)
                    with suppress(PermissionError):
                        os.fchown(file.fileno(), status.st_uid, status.st_gid)
            Path(new).replace(path)
        except BaseException:
            Path(new).unlink()
            raise


def is_readable_by_others(path: Path) -> bool:
    """Say whether other users of this machine may read the file."""
    return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def is_tracked(path: Path) -> bool:
    """Say whether git tracks the file; outside of a repository, or without git, it does not."""
    return _git(path, "ls-files", "--error-unmatch")


def is_ignored(path: Path) -> bool:
    """Say whether git will leave the file out of commits: it is ignored, or in no repository."""
    return _git(path, "check-ignore", "--quiet") or not _git(path, "ls-files")


def _git(path: Path, *arguments: str) -> bool:
    command = ["git", "-C", str(path.parent), *arguments, "--", path.name]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603  no shell
    except FileNotFoundError:
        return False


def _others(text: str, ours: Mapping[str, str]) -> list[tuple[str | None, str]]:
    """Return what the text says besides our variables: names with values, and lines that are none."""
    found = [
        (each.key, each.original.string.strip() if each.key is None else each.value or "")
        for each in parse_stream(io.StringIO(text, newline=""))
        if each.key not in ours
    ]
    return [each for each in found if each != (None, "")]


def _assigned(statement: str, value: str) -> str:
    match = _ASSIGNMENT.fullmatch(statement)
    if match is None:
        raise EnvFileError("an assignment of the file cannot be read", hint="write it as NAME=value")
    old, behind = match["value"] or "", match["behind"]
    quote = old[0] if old[:1] in {"'", '"'} else ""
    space = " " if behind.startswith("#") else ""
    return f"{match['before']}{match['equals'] or '='}{_quoted(value, quote)}{space}{behind}"


def _quoted(value: str, quote: str = "") -> str:
    """Return the value as it is written, in the quotes that it had where they leave it as it is."""
    if re.search(r"['\\\r\n]", value):
        raise EnvFileError("a value with quotes, backslashes or line breaks cannot be written")
    if quote == '"' and not re.search(r'[$`"!]', value):
        return f'"{value}"'
    return value if not quote and _PLAIN.fullmatch(value) else f"'{value}'"
