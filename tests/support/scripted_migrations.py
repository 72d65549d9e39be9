"""A migration function that says and answers what its revision asks for, on the AWS of a test."""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING, Final

from infra.aws.contents import Kind
from infra.aws.functions import Functions
from infra.aws.package import Package
from infra.aws.remote_migrations import RemoteMigrations
from infra.aws.sources import Revisions
from infra.aws.target import Target
from infra.aws.uploads import SentCode
from tests.support.published import logging_role, make

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.aws.account import Account
    from infra.aws.stage import Stage

_CODE: Final = """
import json, os, time

def say(event, message):
    print("bough-migrate " + json.dumps({"run": event["id"], "message": message}), flush=True)

def handler(event, context):
    say(event, "Migrating")
    print("NOTICE of a revision")
    if event["record"]:
        return {"runs": [], "current": [], "held_back": [], "why": None, "dropped_indexes": []}
    say(event | {"id": "another"}, "of another run")
    if event["revision"] == "dies":
        os._exit(1)
    if event["revision"] == "fails":
        error = {"code": "REVISION_FAILED", "exit_code": 1, "message": "two failed", "hint": "mend it"}
        raise RuntimeError(json.dumps(error))
    time.sleep(1.5)
    say(event, "Ran two (expand)")
    run = {"id": "two", "message": "Two.", "phase": "expand", "seconds": 0.5, "attempts": 2}
    return {"runs": [run], "current": ["two"], "held_back": [], "why": None, "dropped_indexes": []}
"""


def scripted_migrations(
    account: Account, stage: Stage, folder: Path, announce: Callable[[str], None], head: str | None = None
) -> RemoteMigrations:
    """Make the migration function of a stage, as it was deployed with this very package."""
    code = folder / "migrate.zip"
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", _CODE)
    make(account, stage.migrate, SentCode(code), logging_role(account))
    content = code.read_bytes()
    package = Package(
        zip=code,
        handler="app.handler",
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        unzipped=len(content),
        target=Target.this_machine(),
        revisions=Revisions(head, head, (head,) if head else ()),
        kind=Kind.MIGRATE,
        compiled_by=None,
    )
    return RemoteMigrations(
        account, stage, Functions(account), package, lambda: f"{stage.stack}-code", None, None, announce
    )
