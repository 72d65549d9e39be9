"""The artifact of the code that is live, for the rehearsal that proves that it fits the new schema."""

from __future__ import annotations

import base64
import shutil
from typing import TYPE_CHECKING, Final

from infra.aws.errors import AwsError, translated
from infra.aws.target import Target
from infra.aws.uploads import PREFIX
from infra.local import own_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.aws.function import Function
    from infra.aws.package import Package
    from infra.aws.release_outlook import Deployment

#: In the project's own folder.
_FOLDER: Final = "deployed"


def artifact_of(deployment: Deployment, live: Function, announce: Callable[[str], None]) -> Path | None:
    """Return the zip of the live code, downloaded unless this machine has deployed it.

    Args:
        deployment: Whose.
        live: The live version.
        announce: Is told why there is none, since the rehearsal can do without.

    Returns:
        `None` where this machine cannot run it, or the stage's bucket does not have it any more.
    """
    here, there = Target.this_machine(), live.configuration
    if (there.runtime, there.architecture) != (here.runtime, here.architecture):
        announce(
            f"The deployed code is for {there.runtime} on {there.architecture}: the rehearsal on this machine"
            f" ({here}) cannot try it"
        )
        return None
    sha256 = base64.b64decode(live.code_sha256).hex()
    file = _folder(deployment.project.root) / f"{sha256}.zip"
    if file.is_file():
        return file
    new = file.with_suffix(".new")
    try:
        bucket = deployment.stack.outputs().bucket
        with translated(f"download the code of {live.name} from {bucket}"):
            deployment.account.objects.download_file(bucket, f"{PREFIX}{sha256}.zip", str(new))
        new.replace(file)
    except AwsError as error:
        announce(f"The rehearsal cannot try the deployed code: {error}")
        return None
    finally:
        new.unlink(missing_ok=True)
    return file


def keep_alone(root: Path, package: Package) -> Path:
    """Keep the zip of what is live from now on, and none before it; return where."""
    folder = _folder(root)
    file = folder / f"{package.sha256}.zip"
    if not file.is_file():
        new = file.with_suffix(".new")
        shutil.copyfile(package.zip, new)
        new.replace(file)
    for other in folder.iterdir():
        if other != file:
            other.unlink(missing_ok=True)
    return file


def _folder(root: Path) -> Path:
    folder = own_folder.folder(root) / _FOLDER
    folder.mkdir(exist_ok=True)
    return folder
