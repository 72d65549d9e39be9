"""Lambda's Parameters and Secrets extension, as a function finds it: values by parameter, on loopback."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from api import parameters
from api.settings import get_settings
from tests.support.scripted_api import Received, Reply, ScriptedApi

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "IQoJb3JpZ2luX2VjE"
#: What the real one answers outside of an invocation.
NOT_READY = Reply(400, "not ready to serve traffic, please wait")


class ParametersExtension(ScriptedApi):
    """Answers what `values` holds, and first of all the `replies` in their order."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.replies: list[Reply] = []
        super().__init__(self._reply)

    @property
    def names(self) -> list[str]:
        """The parameters that were asked for, in order."""
        return [each.query.get("name", "") for each in self.received]

    def _reply(self, request: Received) -> Reply:
        if request.headers.get("X-Aws-Parameters-Secrets-Token") != TOKEN:
            return Reply(401, "Unauthorized")
        if self.replies:
            return self.replies.pop(0)
        name = request.query.get("name", "")
        if request.path != "/systemsmanager/parameters/get" or request.query.get("withDecryption") != "true":
            return Reply(400, "bad request")
        if name not in self.values:
            return Reply(400, f"operation error SSM: GetParameter, ParameterNotFound: {name}")
        parameter = {"Name": name, "Type": "SecureString", "Value": self.values[name], "Version": 1}
        return Reply(body={"Parameter": parameter, "ResultMetadata": {}})


@contextmanager
def parameters_extension() -> Iterator[ParametersExtension]:
    """Be inside a Lambda function that has the extension, with nothing read yet."""
    extension = ParametersExtension()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SESSION_TOKEN", TOKEN)
        patch.setenv(parameters.PORT_VARIABLE, extension.url.rpartition(":")[2])
        parameters.forget()
        get_settings.cache_clear()
        yield extension
    parameters.forget()
    get_settings.cache_clear()
    extension.stop()
