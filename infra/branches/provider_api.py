"""What the adapters' requests have in common: one project, one deadline, answers that are read or refused."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import TypeAdapter, ValidationError

from infra.branches.errors import BranchBusyError, BranchError, ProviderUnavailableError
from infra.http_errors import HttpAmbiguousError, HttpError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.deadline import Deadline
    from infra.http import HttpClient
    from infra.http_answers import Answer

_T = TypeVar("_T")


class ProviderApi:
    """Requests to one provider about one project, all until one deadline."""

    service: ClassVar[str]
    #: Where the provider says that it is out of order.
    status_page: ClassVar[str]

    def __init__(self, http: HttpClient, *prefix: str, deadline: Deadline) -> None:
        """Send nothing yet; all paths begin with `prefix`."""
        self._http = http
        self._prefix = prefix
        self.deadline = deadline

    def pause(self, seconds: float, what: str) -> None:
        """Sleep.

        Raises:
            BranchBusyError: That would be beyond the deadline; `what` was not done until then.
        """
        if not self.deadline.allows_look_after(seconds):
            raise BranchBusyError(
                f"{what} was not done after {self.deadline.seconds:g} s",
                hint="it may still be at work: run this again in a while",
            )
        time.sleep(seconds)

    def _translated(self, error: HttpError, branch_id: str | None) -> BranchError:
        """Return the error that callers of a provider know; `branch_id` is the request's, if it has one."""
        raise NotImplementedError

    def _get(
        self,
        kind: type[_T],
        *path: str,
        query: Mapping[str, str | int | bool] | None = None,
        branch_id: str | None = None,
    ) -> _T:
        return self._read(kind, self._send("GET", *path, query=query, branch_id=branch_id))

    def _send(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str | int | bool] | None = None,
        body: Mapping[str, Any] | None = None,
        repeatable: bool | None = None,
        branch_id: str | None = None,
    ) -> Answer:
        """Send a request; see `HttpClient.request`.

        Args:
            method: In capitals.
            path: Below the prefix.
            query: Parameters.
            body: To be sent as JSON.
            repeatable: Whether doing it twice is the same as once; without it, only for GET.
            branch_id: That the request names, unless its path is `branches/ID…`.
        """
        try:
            return self._http.request(
                method,
                *self._prefix,
                *path,
                query=query,
                body=body,
                repeatable=repeatable,
                deadline=self.deadline,
            )
        except HttpAmbiguousError:
            raise
        except HttpError as error:
            in_path = path[1] if path[0] == "branches" and len(path) > 1 else None
            raise self._translated(error, branch_id or in_path) from error

    def _read(self, kind: type[_T], answer: Answer) -> _T:
        """Return what an answer holds; one without a body is an empty object.

        Raises:
            ProviderUnavailableError: It is not as the provider's API document says.
        """
        try:
            return TypeAdapter(kind).validate_python(answer.json() if answer.text.strip() else {})
        except ValidationError as error:
            what = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        except HttpError as error:
            what = str(error)
        # Raised here: the errors' tracebacks hold the answer.
        raise ProviderUnavailableError(
            f"{self.service}'s answer is not as its API document says: {what} ({answer.request})",
            hint="is the API's address right, is a proxy between?",
        )
