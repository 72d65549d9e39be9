"""Changes what the kit says of itself into what a new project says; copier runs it in the project's folder.

Files come here as they are in the kit, also at an update: a line that is not found is an error, because then
one of them has changed and this has not.

Runs from the kit's folder, with the standard library alone.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: What is left out with the sample domain.
SAMPLE: Final = ("catalog", "credits", "posts", "projects", "tags", "tasks", "teams")


class TailorError(Exception):
    """A file of the kit does not have what is to be changed."""


def main(answers: str) -> None:
    """Tailor the project in the current folder.

    Args:
        answers: What copier asked, as JSON.
    """
    tailor(Path.cwd(), **{key: value for key, value in json.loads(answers).items() if key[0] != "_"})


def tailor(root: Path, *, name: str, service: str, provider: str, region: str, sample: bool) -> None:
    """Give the project its name and settings.

    Raises:
        TailorError: A file does not have what is to be changed.
    """
    _change(root / "pyproject.toml", r'^name = "bough"$', f'name = "{name}"')
    _change(root / "pyproject.toml", r'^description = ".*"$', f'description = "The API of {name}"')
    # Whose licence the kit is under says nothing of what is made with it.
    _change(root / "pyproject.toml", r"^license = .*\n", "")
    _change(root / "api" / "app.py", r'title="bough"', f'title="{name}"')
    for file in (root / "clients" / "config.yml", root / "docs" / "guides" / "calling.md"):
        _change(
            file, r"\bbough([-_])client\b", lambda match: f"{name.replace('-', match[1])}{match[1]}client"
        )
    _rename_locked(root / "uv.lock", name)
    # It measures the kit against what is common elsewhere.
    _change(root / "Makefile", r"^bench: .*\n(\t.*\n)+\n", "")
    _change(root / "Makefile", r"(?<=^\.PHONY: ).*$", lambda match: match[0].replace(" bench", ""))
    _add_settings(root / "pyproject.toml", name=name, service=service, provider=provider, region=region)
    if not sample:
        _leave_out_sample(root)


def _rename_locked(lock: Path, name: str) -> None:
    """Give the project its name in the lock, and the place in it where uv looks for no difference."""
    head, *packages = lock.read_text(encoding="utf-8").split("[[package]]\n")
    renamed = [
        re.sub(r'\Aname = "bough"$', f'name = "{name}"', each, flags=re.MULTILINE) for each in packages
    ]
    if renamed == packages:
        raise TailorError(f"{lock} locks no bough")
    # Every block ends with an empty line but the last.
    blocks = sorted((each.rstrip("\n") for each in renamed), key=lambda each: each.split('"', 2)[1])
    text = "[[package]]\n" + "\n\n[[package]]\n".join(blocks)
    lock.write_text(f"{head}{text}\n", encoding="utf-8")


def _add_settings(pyproject: Path, *, name: str, service: str, provider: str, region: str) -> None:
    tables = {
        "aws": {"region": region, "service": service if service != name else ""},
        "branches": {"provider": provider if provider != "local" else ""},
    }
    lines = ""
    for table, settings in tables.items():
        if given := {key: value for key, value in settings.items() if value}:
            lines += f"[tool.bough.{table}]\n"
            lines += "".join(f'{key} = "{value}"\n' for key, value in given.items()) + "\n"
    _change(pyproject, r"^(?=\[tool\.alembic\]$)", lines)


def _leave_out_sample(root: Path) -> None:
    module = rf"api\.(?:{'|'.join(SAMPLE)})\b"
    _change(root / "api" / "app.py", rf'^ *"{module}.*\n', "")
    _change(root / "api" / "events.py", rf'^ *".*": "{module}.*\n', "")
    _change(root / "api" / "models.py", rf"^import {module}.*\n", "")
    _change(root / "scripts" / "cli.py", r"^( +seed,|app\.command\(\)\(seed\.seed\))\n", "")
    pyproject = root / "pyproject.toml"
    _change(pyproject, rf'"{module}", |, "{module}"', "")
    _change(pyproject, r"^# `bough seed` .*\nignore_imports = \[.*\]\n", "")
    _change(pyproject, r'^"scripts/seeding/\*" = \[\n( .*\n)+\]\n', "")
    _change(pyproject, r'\n\[\[tool\.importlinter\.contracts\]\]\nname = "tasks -> projects.*"\n(.+\n)+', "")


def _change(file: Path, pattern: str, new: str | Callable[[re.Match[str]], str]) -> None:
    text, count = re.subn(pattern, new, file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if not count:
        raise TailorError(f"{file} has nothing like {pattern}")
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
