"""Artifacts of small functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.function_hosts import write_function

if TYPE_CHECKING:
    from pathlib import Path

#: Answers with its event; paths make it misbehave.
ECHO = """
    import base64, json, os, subprocess, sys, time

    def handler(event, context):
        path = event.get("rawPath", "")
        if path == "/crash":
            print("about to crash")
            os._exit(3)
        if path == "/sleep":
            time.sleep(60)
        if path == "/raise":
            raise KeyError("secret sauce")
        if path == "/malformed":
            return {"statusCode": "never"}
        if path == "/large":
            return {"statusCode": 200, "body": "x" * 6_291_600}
        if path == "/binary":
            body = base64.b64decode(event["body"])
            return {"statusCode": 200, "headers": {"content-type": "image/png"},
                    "body": base64.b64encode(body[::-1]).decode(), "isBase64Encoded": True}
        if path == "/child":
            child = subprocess.Popen(["sleep", "600"])
            return {"statusCode": 200, "body": str(child.pid)}
        return {"statusCode": 200, "body": json.dumps({
            "event": event, "pid": os.getpid(), "environment": dict(os.environ), "path": sys.path,
            "deadline": context.get_remaining_time_in_millis(), "arn": context.invoked_function_arn,
            "request_id": context.aws_request_id, "cwd": os.getcwd()})}
"""


@pytest.fixture
def folder(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Name a folder for an artifact, in one place for all, so that the runtime client is copied once."""
    return tmp_path_factory.getbasetemp() / "functions" / tmp_path.name


@pytest.fixture
def echo(folder: Path) -> Path:
    """Return the artifact of the echo function."""
    return write_function(folder, ECHO)
