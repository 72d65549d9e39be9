"""Small functions, deployed to the AWS of this machine."""

from __future__ import annotations

import io
import json
import platform
import sys
import textwrap
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.aws.account import connect
from infra.config_tables import AwsSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.aws.account import Account, LocalAccess

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
LOGS = {"Effect": "Allow", "Action": ["logs:*"], "Resource": "*"}
RUNTIME = f"python3.{sys.version_info.minor}"
ARCHITECTURE = {"aarch64": "arm64"}.get(platform.machine(), "x86_64")
EXTENSION = "arn:aws:lambda:us-east-1:177933569100:layer:AWS-Parameters-and-Secrets-Lambda-Extension:4"

#: What everybody must be allowed who shall call a URL without a signature.
PUBLIC: tuple[dict[str, Any], ...] = (
    {"StatementId": "url", "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
    {"StatementId": "function", "Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True},
)


def code(body: str) -> bytes:
    """Return the zip of a function whose module `function` is `body`; its handler is `function.handler`."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("function.py", textwrap.dedent(body))
    return archive.getvalue()


@dataclass(frozen=True)
class Deployer:
    """Deploys to a local AWS by its API."""

    access: LocalAccess
    account: Account

    @classmethod
    def of(cls, access: LocalAccess) -> Deployer:
        return cls(access, connect(AwsSettings(), access))

    @property
    def client(self) -> Any:
        return self.account.functions

    def role(self, name: str, statements: Sequence[dict[str, Any]] = (LOGS,)) -> str:
        """Make a role that may do what the statements say; return its ARN."""
        iam: Any = self.account.session.client("iam", endpoint_url=self.access.endpoint)
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_TRUST))["Role"]
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
        return str(role["Arn"])

    def function(self, name: str, body: str, **settings: Any) -> Any:
        """Make a function of this machine's Python; `Role` and the like are keywords."""
        role = settings.pop("Role", None) or self.role(name)
        given = {"Runtime": RUNTIME, "Architectures": [ARCHITECTURE], "Timeout": 20, "MemorySize": 512}
        return self.client.create_function(
            FunctionName=name,
            Role=role,
            Handler="function.handler",
            Code={"ZipFile": code(body)},
            **(given | settings),
        )

    def invoke(self, name: str, event: Any = None, **more: Any) -> Any:
        """Call a function; return the answer with its payload read."""
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event).encode(), **more)
        answer["Payload"] = json.loads(answer["Payload"].read() or b"null")
        return answer
