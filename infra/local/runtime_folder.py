"""What Lambda's own image adds to an artifact: the runtime client, in a folder of its own."""

from __future__ import annotations

import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from infra.aws import distributions
from infra.aws.bytecode import compile_folder


def runtime_folder(artifact: Path) -> Path:
    """Return a folder with `awslambdaric` and what it requires, nothing else; make it when missing.

    It stands beside the artifact, for all artifacts there. Only it and the artifact are importable
    in an environment, so that what works here does not lean on a development environment.

    Raises:
        DistributionMissingError: `awslambdaric` is not installed.
        OSError: The folder cannot be written.
    """
    names = distributions.closure(["awslambdaric"])
    release = f"{metadata.version('awslambdaric')}-{sys.implementation.cache_tag}"
    folder = artifact.parent / f"runtime-{release}"
    if folder.is_dir():
        return folder
    with tempfile.TemporaryDirectory(prefix=".runtime-", dir=artifact.parent) as temporary:
        building = Path(temporary, "runtime")
        building.mkdir()
        for name in names:
            distributions.copy(name, building)
        compile_folder(building)
        try:
            building.rename(folder)
        except OSError:
            # Another host on the same artifact was faster; equal releases are equal folders.
            if not folder.is_dir():
                raise
            shutil.rmtree(building)
    return folder
