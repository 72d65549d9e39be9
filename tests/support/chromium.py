"""A real browser, without a window and without a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def require_chromium() -> str:
    """Return Chromium's path; skip the test where it is missing, fail in CI."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found:
        return found
    reason = "Chromium is not installed: on Debian, apt-get install chromium"
    if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
        pytest.fail(reason)
    pytest.skip(reason)


class Chromium:
    """Opens pages, each in a browser of its own; no host but a file can be reached."""

    def __init__(self, folder: Path) -> None:
        """Keep profiles in an empty folder."""
        self._program = require_chromium()
        self._folder = folder

    def dom(self, page: Path) -> tuple[str, list[str]]:
        """Return the document after scripts have run, and what went to the console."""
        done = self._run("--dump-dom", "--virtual-time-budget=5000", page.as_uri())
        return done.stdout, re.findall(r"CONSOLE[:(].*", done.stderr)

    def screenshot(self, page: Path, *, width: int, height: int) -> Path:
        """Return a PNG file of the page's top."""
        image = self._folder / f"{page.stem}-{width}.png"
        self._run(
            "--hide-scrollbars", f"--screenshot={image}", f"--window-size={width},{height}", page.as_uri()
        )
        return image

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        options = [
            "--headless=new",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--enable-logging=stderr",
            # Port 9 discards, and nobody listens on it.
            "--proxy-server=127.0.0.1:9",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={self._folder / 'profile'}",
        ]
        if os.geteuid() == 0:
            # Its sandbox does not run as root.
            options.append("--no-sandbox")
        environment = {**os.environ, "HOME": str(self._folder)}
        return subprocess.run(
            [self._program, *options, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
