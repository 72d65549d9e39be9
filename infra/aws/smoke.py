"""Smoke checks: whether a published version answers, before requests of others reach it."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar, Final

from infra.aws import function_url
from infra.aws.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.aws.functions import Functions
    from infra.config_tables import SmokeSettings

#: How often a check is asked that says that the app is not ready yet, and the seconds in between: a database
#: that had scaled to zero wakes up meanwhile.
_TRIES: Final = 4
_PAUSE: Final = 1.5

#: Characters that are shown of what a version answered.
_SHOWN: Final = 200

_SUCCESS: Final = range(200, 300)


class SmokeFailedError(AwsError):
    """A version does not answer as it must; no requests were led to it."""

    code: ClassVar[str] = "SMOKE_FAILED"


@dataclass(frozen=True, slots=True)
class SmokeCheck:
    """What a version answered.

    Args:
        path: That it was asked, with GET.
        status: The HTTP status; `None` where it did not answer at all.
        milliseconds: From the request to the answer, as seen from here, of the last try.
        fault: What is wrong, in few words; `None` where the check passed.
    """

    path: str
    status: int | None
    milliseconds: float
    fault: str | None = None

    def __str__(self) -> str:
        """Say it in one line."""
        answer = f"{self.path} {self.status or 'no answer'} in {self.milliseconds:.0f} ms"
        return f"{answer}: {self.fault}" if self.fault else answer


@dataclass(frozen=True, slots=True)
class Smoke:
    """The checks of a project, asked of versions of a function through Invoke, which needs no URL.

    Args:
        functions: Of the account.
        name: Of the function.
        settings: Which paths, and whether they are the project's own: an app that says nothing of them need
            not have `/readyz`.
        host: What the function is called in the requests, for apps that answer to their own names alone.
        pause: Seconds before a check is asked again.
    """

    functions: Functions
    name: str
    settings: SmokeSettings
    host: str = "smoke.invalid"
    pause: float = _PAUSE

    def ask(self, qualifier: str) -> tuple[SmokeCheck, ...]:
        """Return what a version answers to each check.

        Args:
            qualifier: Its number, or an alias.

        Raises:
            AwsError: It cannot be called.
        """
        return tuple(self._ask_patiently(qualifier, path) for path in self.settings.paths)

    def require(self, version: str) -> tuple[SmokeCheck, ...]:
        """Ask a version each check, and refuse it unless all pass.

        Raises:
            SmokeFailedError: One has not passed.
            AwsError: It cannot be called.
        """
        checks = self.ask(version)
        if wrong := faults(checks):
            raise SmokeFailedError(
                f"version {version} of {self.name} does not answer as it must: {wrong}",
                hint=f"see what it logged: bough logs --version {version} --since 15m",
            )
        return checks

    def _ask_patiently(self, qualifier: str, path: str) -> SmokeCheck:
        check = self._ask_once(qualifier, path)
        for _ in range(_TRIES - 1):
            if check.status != HTTPStatus.SERVICE_UNAVAILABLE:
                break
            time.sleep(self.pause)
            check = self._ask_once(qualifier, path)
        return check

    def _ask_once(self, qualifier: str, path: str) -> SmokeCheck:
        done = self.functions.invoke(self.name, qualifier, _event(path, self.host))
        milliseconds = done.seconds * 1000
        if done.error is not None:
            return SmokeCheck(path, None, milliseconds, _shortened(done.failure))
        try:
            answer = function_url.response(done.result)
        except function_url.MalformedResponseError as error:
            return SmokeCheck(path, None, milliseconds, str(error))
        # An app that has no such path, and answers: more was not asked for.
        absent = self.settings.checks is None and answer.status == HTTPStatus.NOT_FOUND
        passed = absent or answer.status in _SUCCESS
        fault = None if passed else _shortened(answer.body.decode(errors="replace"))
        return SmokeCheck(path, answer.status, milliseconds, fault)


def faults(checks: Sequence[SmokeCheck]) -> str | None:
    """Return which checks have not passed and why, `None` where all have."""
    return "; ".join(str(check) for check in checks if check.fault is not None) or None


def _event(path: str, host: str) -> bytes:
    path_alone, _, query = path.partition("?")
    headers = (("host", host), ("accept", "application/json"), ("user-agent", "bough-smoke"))
    request = function_url.Request("GET", path_alone, query, headers, b"", "127.0.0.1", 443)
    return json.dumps(function_url.event(request, str(uuid.uuid4()))).encode()


def _shortened(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= _SHOWN else f"{one_line[:_SHOWN]}…"
