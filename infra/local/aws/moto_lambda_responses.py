"""Lambda's HTTP API, where moto 5.2.5 reads too little of a request."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from moto.awslambda.responses import LambdaResponse

from infra.local.aws import moto_policies
from infra.local.function import LATEST

if TYPE_CHECKING:
    from infra.local.aws.moto_lambda import Lambda


#: What an account may run at once.
CONCURRENCY: Final = 1000


class LambdaResponses(LambdaResponse):
    """moto's; the names of its methods are those of Lambda's actions."""

    @property
    def backend(self) -> Lambda:
        """The mended one."""
        mended: Any = super().backend
        found: Lambda = mended
        return found

    def invoke(self) -> Any:
        """Run a function."""
        kind = self.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        name = self._name()
        if kind == "DryRun":
            self.backend.function(name, self._qualifier())
            return 204, {"status": 204}, ""
        payload = self.body if isinstance(self.body, bytes) else str(self.body or "").encode()
        wait = kind != "Event"
        outcome = self.backend.run(name, self._qualifier() or None, payload or b"{}", wait=wait)
        if outcome is None:
            return 202, {"status": 202}, ""
        headers = {"content-type": "application/json", "X-Amz-Executed-Version": outcome.version}
        if outcome.error is not None:
            headers["X-Amz-Function-Error"] = outcome.error
        if self.headers.get("X-Amz-Log-Type") == "Tail":
            headers["X-Amz-Log-Result"] = base64.b64encode(outcome.tail).decode()
        return 200, headers, outcome.payload

    def publish_version(self) -> Any:
        """Publish a version."""
        asked = self._asked()
        version = self.backend.publish_version(
            self._name(), asked.get("Description", ""), asked.get("CodeSha256"), asked.get("RevisionId")
        )
        return 201, {"status": 201}, json.dumps(version.get_configuration())

    def update_alias(self) -> Any:
        """Move an alias."""
        alias = unquote(self.path.rpartition("/")[2])
        return json.dumps(self.backend.change_alias(alias, self._name(), self._asked()).to_json())

    def create_function_url_config(self) -> Any:
        """Have a function or an alias answer HTTP."""
        config = self.backend.add_url(self._name(), self._qualifier(), self._asked())
        return 201, {"status": 201}, json.dumps(config.to_dict())

    def get_function_url_config(self) -> Any:
        """Say where it answers."""
        return json.dumps(self.backend.url(self._name(), self._qualifier()).to_dict())

    def update_function_url_config(self) -> Any:
        """Change who may call it."""
        config = self.backend.url(self._name(), self._qualifier())
        config.update(self._asked())
        return json.dumps(config.to_dict())

    def delete_function_url_config(self) -> Any:
        """Have it answer no more."""
        self.backend.delete_url(self._name(), self._qualifier())
        return 204, {"status": 204}, ""

    def add_permission(self) -> Any:
        """Add a statement to a policy."""
        statement = moto_policies.add(self.backend, self._name(), self._qualifier(), self._asked())
        return 201, {"status": 201}, json.dumps({"Statement": json.dumps(statement)})

    def remove_permission(self) -> Any:
        """Take one from it."""
        name, sid = self._name(), unquote(self.path.split("/")[-1])
        revision = self.querystring.get("RevisionId", [None])[0]
        moto_policies.remove(self.backend, name, self._qualifier(), sid, revision)
        return 204, {"status": 204}, ""

    def get_policy(self) -> Any:
        """Return all of it."""
        return json.dumps(moto_policies.read(self.backend, self._name(), self._qualifier()))

    def get_account_settings(self) -> Any:
        """Return the account's limits."""
        functions: list[Any] = list(self.backend.list_functions())
        reserved = sum(int(each.reserved_concurrency or 0) for each in functions)
        limit = {
            "TotalCodeSize": 80_530_636_800,
            "CodeSizeUnzipped": 262_144_000,
            "CodeSizeZipped": 52_428_800,
            "ConcurrentExecutions": CONCURRENCY,
            "UnreservedConcurrentExecutions": CONCURRENCY - reserved,
        }
        usage = {
            "TotalCodeSize": sum(each.code_size for each in functions),
            "FunctionCount": len(functions),
        }
        return json.dumps({"AccountLimit": limit, "AccountUsage": usage})

    def _name(self) -> str:
        """Return the function's name, given as such or in an ARN."""
        return self._named().partition(":")[0]

    def _qualifier(self) -> str:
        """Return what is named of the function, by itself or in the ARN; empty for its newest code."""
        found: str = self.querystring.get("Qualifier", [""])[0] or self._named().partition(":")[2]
        return "" if found == LATEST else found

    def _named(self) -> str:
        part = self.path.partition("/functions/")[2].partition("/")[0]
        return unquote(part).rpartition(":function:")[2]

    def _asked(self) -> dict[str, Any]:
        asked: dict[str, Any] = json.loads(self.body or "{}")
        return asked
