"""Secrets that the environment only names: parameters of AWS Systems Manager, read when first needed.

`STRIPE_KEY_PARAMETER=/bough/shop/production/api/STRIPE_KEY` says where `STRIPE_KEY` is. A value comes over
the local HTTP of Lambda's Parameters and Secrets extension, which answers during invocations alone, and stays
in this process: it never enters `os.environ`, which libraries and error reports show.

Only the standard library is imported, so any application may call `secret`.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from http.client import HTTPConnection

logger = logging.getLogger(__name__)

#: What a variable's name ends with whose value is the name of a parameter.
SUFFIX: Final = "_PARAMETER"
#: Seconds for all that is read at once, however often it has to be asked for.
PATIENCE: Final = 3.0
#: Seconds after which what was read is read again before the next new connection or token: how long a new
#: value takes to reach every environment that is in use.
MAX_AGE: Final = 600.0
#: Says where the extension listens, if not on 2773.
PORT_VARIABLE: Final = "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"
#: Seconds until what could not be read again is tried once more.
_RETRY: Final = 30.0
_FIRST_WAIT: Final = 0.02
_LONGEST_WAIT: Final = 0.5
_TOKEN_HEADER: Final = "X-Aws-Parameters-Secrets-Token"  # noqa: S105  a header's name
#: What no repetition changes. Of an answer nothing but such a word is ever shown.
_FINAL: Final = re.compile(r"AccessDenied\w*|ParameterNotFound|ParameterVersionNotFound|ValidationException")

#: Values by variable, and when the oldest of them was read: wall-clock seconds, which count through a freeze.
_values: dict[str, str] = {}
_read_at: float = 0.0


class ParameterError(Exception):
    """Secrets cannot be read; the message has a line for each variable and never a value."""

    code = "SECRET_UNAVAILABLE"


class _NotAnsweredError(Exception):
    """The extension has no value yet; asking again may help."""


class _RefusedError(Exception):
    """There is no value for this function."""


def secret(name: str) -> str:
    """Return the variable `name`, or else what the parameter holds that `<name>_PARAMETER` names.

    A parameter is read by the first call, inside an invocation.

    Raises:
        ParameterError: Neither is set, both are, or the parameter cannot be read.
    """
    found = secrets_of([name])
    if name in found:
        return found[name]
    if name in os.environ:
        return os.environ[name]
    raise ParameterError(f"{name}: is not set, and neither is {name}{SUFFIX}")


def secrets_of(names: Iterable[str]) -> Mapping[str, str]:
    """Return the values of those variables that a parameter holds, asking for all of them at once.

    Raises:
        ParameterError: One cannot be read, or is set itself too.
    """
    global _read_at  # noqa: PLW0603  one per execution environment
    wanted = {name: os.environ[f"{name}{SUFFIX}"] for name in names if os.environ.get(f"{name}{SUFFIX}")}
    if twice := [name for name in wanted if name in os.environ]:
        raise ParameterError(
            "\n".join(f"{name}: is set, and {name}{SUFFIX} too; unset one" for name in twice)
        )
    missing = {name: parameter for name, parameter in wanted.items() if name not in _values}
    if missing:
        now = time.time()
        found, refused = _read(missing)
        if refused is not None:
            raise refused
        _read_at = min(_read_at, now) if _values else now
        _values.update(found)
    return {name: _values[name] for name in wanted}


def renew(older_than: float = MAX_AGE) -> bool:
    """Read again what was read, and return whether a value has changed.

    What cannot be read stays as it was, which the log says: the old value may still be good. It is tried
    again half a minute later, so that it is not behind the others for long.

    Args:
        older_than: Seconds since the last time, below which nothing is read.
    """
    global _read_at  # noqa: PLW0603  one per execution environment
    # A clock set back counts as long ago.
    if not _values or 0 <= time.time() - _read_at < older_than:
        return False
    _read_at = time.time()
    fresh, refused = _read({name: os.environ[f"{name}{SUFFIX}"] for name in _values})
    if refused is not None:
        logger.error("%s: %s", refused.code, refused)
        _read_at -= MAX_AGE - _RETRY
    changed = any(_values[name] != value for name, value in fresh.items())
    _values.update(fresh)
    return changed


def forget() -> None:
    """Have everything read anew when it is next needed."""
    _values.clear()


def _read(parameters: Mapping[str, str]) -> tuple[dict[str, str], ParameterError | None]:
    """Return the values of parameters, by variable, and why there are not all of them."""
    if not os.environ.get("AWS_SESSION_TOKEN"):
        lines = (
            f"{name}: parameters can be read inside a Lambda function alone; set {name} here"
            for name in parameters
        )
        return {}, ParameterError("\n".join(lines))
    values: dict[str, str] = {}
    reasons: dict[str, str] = {}
    end, wait = time.monotonic() + PATIENCE, _FIRST_WAIT
    while True:
        open_ = [name for name in parameters if name not in values and name not in reasons]
        late = _read_once({name: parameters[name] for name in open_}, end, values, reasons)
        if not late:
            break
        if time.monotonic() + wait >= end:
            reasons.update(late)
            break
        time.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)
    lines = (
        f"{name}: the parameter {parameters[name]} cannot be read: {why}" for name, why in reasons.items()
    )
    return values, ParameterError("\n".join(lines)) if reasons else None


def _read_once(
    parameters: Mapping[str, str], end: float, values: dict[str, str], reasons: dict[str, str]
) -> dict[str, str]:
    """Ask for every parameter once; return why those have no value yet that may get one."""
    from http.client import HTTPException  # noqa: PLC0415  20 ms that an app without secrets need not pay

    late: dict[str, str] = {}
    asked: dict[str, HTTPConnection] = {}
    for name, parameter in parameters.items():
        try:
            asked[name] = _ask(parameter, max(0.001, end - time.monotonic()))
        except OSError as error:
            late[name] = f"the extension does not answer ({error})"
    for name, connection in asked.items():
        try:
            values[name] = _answer(connection)
        except _NotAnsweredError as error:
            late[name] = str(error)
        except _RefusedError as error:
            reasons[name] = str(error)
        except (OSError, HTTPException) as error:
            late[name] = f"the extension does not answer ({type(error).__name__})"
        finally:
            connection.close()
    return late


def _ask(parameter: str, seconds: float) -> HTTPConnection:
    """Send the request; the answer is waited for once all are sent."""
    from http.client import HTTPConnection  # noqa: PLC0415  as above
    from urllib.parse import urlencode  # noqa: PLC0415  as above

    port = int(os.environ.get(PORT_VARIABLE) or 2773)
    connection = HTTPConnection("localhost", port, timeout=seconds)
    query = urlencode({"name": parameter, "withDecryption": "true"})
    headers = {_TOKEN_HEADER: os.environ["AWS_SESSION_TOKEN"]}
    connection.request("GET", f"/systemsmanager/parameters/get?{query}", headers=headers)
    return connection


def _answer(connection: HTTPConnection) -> str:
    response = connection.getresponse()
    status, body = response.status, response.read().decode(errors="replace")
    if status == 200:  # noqa: PLR2004  HTTP's own word for success
        try:
            return str(json.loads(body)["Parameter"]["Value"])
        except (ValueError, KeyError, TypeError):
            # It may hold the value, so neither it nor the exception, which quotes it, goes on.
            body = ""
        raise _RefusedError("the extension's answer holds no parameter")
    if final := _FINAL.search(body):
        raise _RefusedError(final[0])
    # "not ready to serve traffic" is a 400 and so is a throttled request, which waiting cures.
    raise _NotAnsweredError(f"the extension answers {status}")
