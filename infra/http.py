"""One client for the HTTP APIs that bough acts through: retries, deadlines, a token that shows nowhere.

What is tried again: answers that say that nothing was done (`refusals`), connections that could not be
made, and, for requests that may be repeated, every answer that was lost. Any other write whose answer
was lost raises `HttpAmbiguousError`: only its caller can look whether it was done.
"""

from __future__ import annotations

import logging
import random
import ssl
import uuid
import weakref
from typing import TYPE_CHECKING, Final, Self

import httpx2
import stamina

from api.database.connection_url_syntax import Secret
from infra.deadline import Deadline
from infra.http_answers import Answer, error_of, retry_after, text_of
from infra.http_errors import (
    HttpAmbiguousError,
    HttpConfigurationError,
    HttpError,
    HttpNotConnectedError,
    HttpStatusError,
    HttpUnreachableError,
)
from infra.http_requests import (
    HttpRequest,
    check_token,
    checked_parameters,
    checked_segment,
    checked_url,
    is_on_this_machine,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

#: Busy with the same thing, too many requests, unavailable: by Neon's API document, not begun.
REFUSALS: Final = frozenset({423, 429, 503})
_GATEWAY_FAILURES: Final = frozenset({502, 503, 504, 524})
_REASONS: Final = {423: "is busy with this project", 429: "limits how many requests it takes"}

#: Seconds.
_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 8.0
#: While no connection can be made: longer than a restart takes, shorter than anybody watches.
_CONNECT_PATIENCE: Final = 30.0

# stamina logs every retry as a warning, which without a handler Python writes to stderr: there
# `announce` has said it already.
logging.getLogger("stamina").addHandler(logging.NullHandler())


class _Bearer(httpx2.Auth):
    def __init__(self, token: Secret) -> None:
        self._token = token

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        yield request


class HttpClient:
    """Requests to one API. Threads may share it; `close` it, or use it in `with`."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        service: str,
        announce: Callable[[str], None],
        deadline: float = 120.0,
        try_timeout: float = 30.0,
        refusals: frozenset[int] = REFUSALS,
    ) -> None:
        """Connect to nothing yet.

        Args:
            base_url: `https://…`, or `http://…` on loopback.
            token: Sent as `Authorization: Bearer …`.
            service: Whose API it is, for messages.
            announce: Is told of every wait, in one sentence.
            deadline: Seconds for a request with all its tries, where none is given.
            try_timeout: Seconds for one try.
            refusals: Statuses by which this API says that it did not even begin.

        Raises:
            HttpConfigurationError: The address or the token cannot be used.
        """
        sealed = Secret(token)
        del token
        url = checked_url(base_url, service)
        check_token(sealed, service)
        self._service = service
        self._announce = announce
        self._deadline = deadline
        self._try_timeout = try_timeout
        self._refusals = refusals
        self._base_url = base_url.rstrip("/")
        self._client = httpx2.Client(
            auth=_Bearer(sealed),
            # A proxy from the environment is of no use for this machine's own services.
            trust_env=not is_on_this_machine(url),
            # Where there is no TLS, reading all CAs would be half of the time that a command takes.
            verify=url.scheme == "https" or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )
        self._close = weakref.finalize(self, self._client.close)

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Close all connections, as happens by itself when nobody has the client any more."""
        self._close()

    def request(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str | int | bool] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        deadline: Deadline | None = None,
    ) -> Answer:
        """Send a request, again where that is safe, and return the successful answer.

        Args:
            method: In capitals.
            path: The segments of the path below the base URL, not encoded.
            query: Parameters; `True` is sent as `true`.
            body: Sent as JSON unless it is `None`.
            headers: Besides the token, JSON's and `X-Request-ID`.
            repeatable: Whether doing it twice is the same as once; without it, only for GET.
            deadline: For all tries together; without it, the client's.

        Raises:
            ValueError: A segment or a parameter is blank: an API would take the request for another.
            HttpStatusError: The API refused, or still did so at the deadline.
            HttpUnreachableError: There was no usable answer until the deadline.
            HttpAmbiguousError: A write that may not be repeated was sent, and its answer lost.
        """
        parameters = checked_parameters(query)
        request_id = str(uuid.uuid4())
        once = HttpRequest(
            method=method,
            url="/".join((self._base_url, *map(checked_segment, path))),
            parameters=parameters,
            body=body,
            headers={"X-Request-ID": request_id, "Accept": "application/json", **(headers or {})},
            repeatable=method == "GET" if repeatable is None else repeatable,
            deadline=deadline or Deadline(self._deadline),
        )
        failure: HttpError | None = None
        for attempt in stamina.retry_context(on=self._backoff(once), attempts=None, timeout=None):
            with attempt:
                if failure and not once.deadline.remaining():
                    raise failure  # the wait took longer than planned, and all that was left
                try:
                    return self._send(once)
                except HttpError as error:
                    failure = error
                    raise
        raise AssertionError("the last try returns or raises")

    def _send(self, once: HttpRequest) -> Answer:
        failure: Exception
        limit = Deadline(min(self._try_timeout, once.deadline.remaining()))
        if not limit.seconds:
            raise HttpUnreachableError(f"{self._service} was not asked: no time is left ({once})")
        try:
            with self._client.stream(
                once.method,
                once.url,
                params=once.parameters,
                json=once.body,
                headers=once.headers,
                timeout=limit.seconds,
            ) as response:
                text = text_of(response, limit)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            failure = self._not_sent(once, error)
        except httpx2.HTTPError as error:
            failure = self._lost(once, f"{self._service} did not answer: {_plain(error)}")
        else:
            if response.is_success:
                return Answer(response.status_code, dict(response.headers), text, str(once))
            failure = self._refused(once, response, text)
        # Raised here: the client's own errors hold the request, whose headers hold the token.
        raise failure

    def _not_sent(self, once: HttpRequest, error: Exception) -> Exception:
        message = f"{self._service} cannot be reached: {_plain(error)} ({once})"
        if "CERTIFICATE_VERIFY_FAILED" in message:
            # Waiting changes nothing.
            return HttpConfigurationError(message, hint="is a proxy between? SSL_CERT_FILE names its CA")
        return HttpNotConnectedError(message)

    def _lost(self, once: HttpRequest, what: str) -> Exception:
        if once.repeatable:
            return HttpUnreachableError(f"{what} ({once})")
        return HttpAmbiguousError(
            f"{what}, so it is not known whether it was done ({once})", hint="look before you try again"
        )

    def _refused(self, once: HttpRequest, response: httpx2.Response, text: str) -> Exception:
        status = response.status_code
        code, said = error_of(text)
        what = f"{self._service} answered {status}: {said or response.reason_phrase}"
        if response.is_server_error and status not in self._refusals and not once.repeatable:
            return self._lost(once, what)
        return HttpStatusError(
            f"{what} ({once})",
            status=status,
            api_code=code,
            api_message=said,
            retry_after=retry_after(response.headers.get("Retry-After", "")),
        )

    def _backoff(self, once: HttpRequest) -> Callable[[Exception], bool | float]:
        """Return stamina's hook: how long to wait after an error, or `False` to let it through."""
        wait = _FIRST_WAIT
        connecting: Deadline | None = None

        def seconds_after(error: Exception) -> bool | float:
            nonlocal wait, connecting
            limits = [once.deadline]
            again = self._refusals | (_GATEWAY_FAILURES if once.repeatable else frozenset())
            if isinstance(error, HttpStatusError) and error.status in again:
                asked = error.retry_after or 0.0
                reason = f"{_REASONS.get(error.status, 'is unavailable')} ({error.status})"
            elif isinstance(error, HttpUnreachableError):
                asked, reason = 0.0, "does not answer"
                if isinstance(error, HttpNotConnectedError):
                    connecting = connecting or Deadline(_CONNECT_PATIENCE)
                    limits.append(connecting)
            else:
                return False
            # Up to half is random: who was turned away together does not come back together.
            least = max(asked, wait)
            seconds = least * random.uniform(1.0, 1.5)  # noqa: S311
            wait = min(2 * wait, _LONGEST_WAIT)
            left = min(limit.remaining() for limit in limits)
            if seconds >= left:
                seconds = least
            if seconds >= left:
                error.hint = _given_up(self._service, asked, left, min(limit.seconds for limit in limits))
                return False
            self._announce(f"{self._service} {reason}; trying again in {seconds:.1f} s")
            return seconds

        return seconds_after


def _given_up(service: str, asked: float, left: float, limit: float) -> str:
    if asked > left:
        return f"{service} asks to wait {asked:.0f} s, longer than the {left:.0f} s left; try again later"
    return f"gave up after {limit:g} s; try again later"


def _plain(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
