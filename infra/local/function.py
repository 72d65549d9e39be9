"""What runs in an execution environment: an artifact, its command line and its variables."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: What a function is called that was deployed nowhere.
FUNCTION_NAME: Final = "bough-local"
LATEST: Final = "$LATEST"

#: Variables that Lambda sets itself, and lets nobody else set:
#: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime.
RESERVED: Final = frozenset(
    {
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
    }
)


@dataclass(frozen=True, slots=True)
class Function:
    """What runs in an environment.

    Args:
        artifact: The artifact folder.
        runtime: A folder with AWS's runtime client (`runtime_folder`).
        handler: Lambda's notation.
        environment: The function's own variables. Nothing else of this process's environment
            reaches it, and Lambda's reserved variables win.
        timeout: Seconds an invocation may take.
        memory_mb: What the function is told that it has; no limit is enforced.
        name: What it is called.
        version: A published version's number, or `$LATEST`.
        region: Where it is told that it runs.
        account: Whose it is told to be.
        log_group: Where it is told that its output goes; empty for Lambda's default.
    """

    artifact: Path
    runtime: Path
    handler: str
    environment: Mapping[str, str] = field(repr=False)
    timeout: float
    memory_mb: int
    name: str = FUNCTION_NAME
    version: str = LATEST
    region: str = "us-east-1"
    account: str = "000000000000"
    log_group: str = ""

    @property
    def arn(self) -> str:
        """Its ARN without a version."""
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{self.name}"

    def command(self) -> list[str]:
        """Return the process's arguments.

        `-S` and this Python's base interpreter keep the development environment out. On Linux the
        kernel kills the process when its parent dies (`PR_SET_PDEATHSIG`, set by util-linux's
        setpriv: a `preexec_fn` is not safe in a process with threads).
        """
        python: str = getattr(sys, "_base_executable", sys.executable)
        setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
        leash = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
        return [*leash, python, "-S", "-m", "awslambdaric", self.handler]

    def variables(self, runtime_api: str, log_stream: str) -> dict[str, str]:
        """Return the process's environment, as Lambda sets it."""
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return {
            "LANG": "C.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "TZ": ":UTC",
            **self.environment,
            # Lambda's task root is read-only: no .pyc is ever written there.
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": f"{self.artifact}{os.pathsep}{self.runtime}",
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{version}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_mb),
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": self.version,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": self.log_group or f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
            "AWS_LAMBDA_RUNTIME_API": runtime_api,
            "AWS_REGION": self.region,
            "LAMBDA_RUNTIME_DIR": str(self.runtime),
            "LAMBDA_TASK_ROOT": str(self.artifact),
            "_HANDLER": self.handler,
        }
