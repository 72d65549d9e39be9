"""Zips of functions, unzipped: each once, however many versions have the same."""

from __future__ import annotations

import asyncio
import base64
import io
import secrets
import shutil
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.local.aws.deployed import Deployed


class CodeStore:
    """A folder of unzipped code; empty at first, and deleted in the end.

    Args:
        folder: Nobody else's.
    """

    def __init__(self, folder: Path) -> None:
        """Delete what a killed process left."""
        self._folder = folder
        self._one_at_a_time = asyncio.Lock()
        self.clear()

    def clear(self) -> None:
        """Delete all of it."""
        shutil.rmtree(self._folder, ignore_errors=True)

    async def folder(self, deployed: Deployed) -> Path:
        """Return where a version's code lies.

        Raises:
            zipfile.BadZipFile: Its code is no zip.
            OSError: It cannot be written.
        """
        found = self._path(deployed.code_sha256)
        async with self._one_at_a_time:
            if not found.is_dir():
                await asyncio.to_thread(self._unzip, deployed.code(), found)
        return found

    async def forget(self, sha256: str) -> None:
        """Delete code that nothing runs any more; at once for whoever looks for it."""
        gone = self._folder / f"gone-{secrets.token_hex(8)}"
        with suppress(FileNotFoundError):
            self._path(sha256).rename(gone)
        await asyncio.to_thread(shutil.rmtree, gone, ignore_errors=True)

    def _path(self, sha256: str) -> Path:
        return self._folder / base64.b64decode(sha256).hex()

    def _unzip(self, code: bytes, target: Path) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder) as temporary:
            unzipped = Path(temporary, "code")
            unzipped.mkdir()
            with zipfile.ZipFile(io.BytesIO(code)) as archive:
                archive.extractall(unzipped)
            unzipped.rename(target)
