"""What a stage's stack is made of, in tests: artifacts without code, and the kit with other parameters."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from infra.aws.account import Account
from infra.aws.stage import Stage
from infra.config_tables import StageSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
#: Without it a connection to another machine would go unseen.
LOOPBACK_ONLY = Path(__file__).with_name("loopback_only.cjs")


def require_osls() -> None:
    """Skip the test where osls is not installed, fail in CI."""
    if shutil.which("node") and (ROOT / "node_modules" / ".bin" / "osls").exists():
        return
    reason = "osls is not installed: `make test` does so where there is npm"
    if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
        pytest.fail(reason)
    pytest.skip(reason)


def shop(stage: str = "production") -> Stage:
    return Stage("shop", stage, StageSettings())


def offline_account(region: str = "eu-central-1") -> Account:
    """An account that nobody has asked for; whoever does has no way to it."""
    return Account(
        "123456789012", region, "aws", "arn:aws:iam::123456789012:user/nobody", None, _session(region)
    )


@cache
def _session(region: str) -> boto3.Session:
    """One for all: each reads the services' models anew."""
    return boto3.Session("nobody", "of-no-use", region_name=region)


def make_artifacts(folder: Path, *, runtime: str = "python3.13", architecture: str = "arm64") -> Path:
    """Write what `bough package` writes, with next to nothing in the zips."""
    folder.mkdir(exist_ok=True)
    for name in ("api", "migrate"):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            archive.writestr("module.py", "")
        record = {
            "service": "shop",
            "handler": f"{name}.handler.handler",
            "runtime": runtime,
            "architecture": architecture,
        }
        (folder / f"{name}.json").write_text(json.dumps(record))
    return folder


def make_kit(folder: Path, parameters: Mapping[str, str] | None = None) -> Path:
    """Copy what osls reads of the kit, with lines of `params.default` replaced or added."""
    folder.mkdir(exist_ok=True)
    text = (ROOT / "serverless.yml").read_text()
    head, separator, tail = text.partition("  default:\n")
    assert separator
    lines = []
    for line in tail.splitlines():
        name = line.partition(":")[0].strip()
        if not (line.startswith("    ") and name in (parameters or {})):
            lines.append(line)
    added = [f"    {name}: {value}" for name, value in (parameters or {}).items()]
    (folder / "serverless.yml").write_text("\n".join([head + separator.rstrip(), *added, *lines, ""]))
    (folder / "pyproject.toml").write_text('[project]\nname = "shop"\n')
    shutil.copytree(ROOT / "infra" / "aws" / "resources", folder / "infra" / "aws" / "resources")
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    return folder
