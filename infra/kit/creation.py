"""Makes a new project of the kit that this code is part of."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from infra.config_tables import SERVICE_NAME, read_table
from infra.kit import git as git_command
from infra.kit.errors import KitFailedError, NoKitError, ProjectRefusedError
from infra.kit.git import git

if TYPE_CHECKING:
    from collections.abc import Callable

#: The kit's own folder.
KIT: Final = Path(__file__).parents[2]
ANSWERS: Final = ".copier-answers.yml"


@dataclass(frozen=True, slots=True)
class Answers:
    """What copier.yml asks.

    Args:
        name: Of the project.
        service: What names in AWS begin with.
        provider: Who hosts the database's branches: `local`, `neon` or `supabase`.
        region: Of AWS; empty for the environment's.
        sample: With the sample domain besides users and logins.
    """

    name: str
    service: str
    provider: str = "local"
    region: str = ""
    sample: bool = True


def create(
    folder: Path, answers: Answers, *, force: bool, announce: Callable[[str], None], kit: Path = KIT
) -> str:
    """Write a project; nothing is asked of the network.

    Args:
        folder: That it is written to; made if it is not there.
        answers: What it is to be.
        force: Write also into a folder that is not empty.
        announce: Is told what happens.
        kit: The kit's checkout. Its last commit is what counts.

    Returns:
        The version of the kit that the project was made from.

    Raises:
        NoKitError: This is no checkout of the kit.
        ProjectRefusedError: The folder is not empty or is the kit's, or an answer cannot be.
        ConfigError: The region is none.
        KitFailedError: Git or copier failed.
    """
    _check_answers(answers)
    _check_kit(kit)
    _check_name(answers.name, kit)
    _check_folder(folder, kit, force=force)
    if git(kit, "status", "--porcelain").strip():
        announce("The kit's checkout has changes that are not committed: they are left out")
    version = git(kit, "describe", "--tags", "--always").strip()
    announce(f"Making {answers.name} in {folder}, from bough {version}")
    _copy(kit, git(kit, "rev-parse", "HEAD").strip(), folder, answers)
    _name_source(folder / ANSWERS, kit)
    _write_reference(folder)
    if not git_command.is_repository(folder):
        git(folder, "init", "--quiet", "--initial-branch=main")
    return version


def _check_answers(answers: Answers) -> None:
    for key, value in (("name", answers.name), ("service", answers.service)):
        if not SERVICE_NAME.fullmatch(value):
            raise ProjectRefusedError(
                f"{value!r} cannot be the {key}",
                hint="it has lower-case letters, digits and dashes, 32 at most",
            )
    if answers.region:
        read_table(Path("pyproject.toml"), "aws", {"region": answers.region})


def _check_name(name: str, kit: Path) -> None:
    """Refuse what uv would: a package's name that ends in a dash, or that is another one's."""
    locked = tomllib.loads((kit / "uv.lock").read_text(encoding="utf-8")).get("package", [])
    if name.endswith("-"):
        reason = "it ends in a dash"
    elif name in {each["name"] for each in locked}:
        reason = "a package that the project needs is called so"
    else:
        return
    raise ProjectRefusedError(
        f"{name!r} cannot be the name: {reason}", hint=f"bough init {Path('..', name.rstrip('-') + '-api')}"
    )


def _check_kit(kit: Path) -> None:
    if not (kit / "copier.yml").exists():
        hint = f"{ANSWERS} names where this project was made from" if (kit / ANSWERS).exists() else None
        raise NoKitError(f"{kit} is not the kit: a new project is made from a checkout of it", hint=hint)
    if not (kit / ".git").exists():
        raise NoKitError(
            f"{kit} is no git repository: later versions could not be merged", hint="clone the kit with git"
        )


def _check_folder(folder: Path, kit: Path, *, force: bool) -> None:
    if folder.resolve().is_relative_to(kit.resolve()):
        raise ProjectRefusedError(
            f"{folder.resolve()} is inside the kit's own checkout",
            hint=f"make it beside that: bough init {Path('..', folder.name)}",
        )
    if folder.exists() and not folder.is_dir():
        raise ProjectRefusedError(f"{folder} is a file")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise ProjectRefusedError(f"{folder} is not empty", hint="--force writes into it all the same")


def _copy(kit: Path, commit: str, folder: Path, answers: Answers) -> None:
    import copier  # noqa: PLC0415  0.3 s
    from copier.errors import CopierError, ShallowCloneWarning  # noqa: PLC0415
    from plumbum.commands.processes import ProcessExecutionError  # noqa: PLC0415

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ShallowCloneWarning)
            copier.run_copy(
                str(kit),
                folder,
                data=asdict(answers),
                vcs_ref=commit,
                defaults=True,
                overwrite=True,
                quiet=True,
                # It runs infra/kit/tailor.py, of the kit that runs this.
                unsafe=True,
            )
    except (CopierError, ProcessExecutionError) as error:
        raise KitFailedError(f"{folder} could not be written: {error}") from error


def _name_source(answers_file: Path, kit: Path) -> None:
    """Have updates come from where the kit itself came from: its folder is on this machine alone."""
    try:
        origin = git(kit, "remote", "get-url", "origin").strip()
    except KitFailedError:
        return
    lines = answers_file.read_text(encoding="utf-8").splitlines(keepends=True)
    text = "".join(
        f"_src_path: {_source(origin, kit)}\n" if each.startswith("_src_path:") else each for each in lines
    )
    answers_file.write_text(text, encoding="utf-8")


def _source(origin: str, kit: Path) -> str:
    """Return a remote's URL as copier takes it, without a password; a path as seen from anywhere."""
    parts = urlsplit(origin)
    if parts.scheme in {"http", "https"}:
        host = parts.netloc.rpartition("@")[2]
        return f"git+{parts._replace(netloc=host).geturl()}"
    if parts.scheme or "@" in origin:
        return origin
    return str((kit / origin).resolve())


def _write_reference(folder: Path) -> None:
    """Write docs/reference from the project's own code, with what the kit has installed."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.reference"], cwd=folder, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise KitFailedError(
            f"{folder / 'docs' / 'reference'} could not be written: {done.stderr.strip().splitlines()[-1]}",
            hint=f"make .venv/.bootstrapped in {KIT} installs what the kit needs",
        )
