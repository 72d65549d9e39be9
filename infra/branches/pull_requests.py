"""Which pull requests are open: asked of GitHub, or told by who knows.

Branches are deleted for what is missing here, so half a list is worse than none: whatever is odd about an
answer is an error.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from infra.branches.errors import PullRequestsUnknownError
from infra.http_errors import HttpError, HttpStatusError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from infra.http import HttpClient

_API: Final = "https://api.github.com"
_HEADERS: Final = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_NOT_FOUND: Final = 404

#: Word for an empty list: an empty text is what a failed command leaves.
NONE: Final = "none"

_HINT: Final = "nothing was deleted; or list them yourself: --open-pull-requests 12,15 (or `none`)"


class PullRequests(Protocol):
    """Where it is known which pull requests are open."""

    def open_numbers(self) -> frozenset[int]:
        """Return the numbers of all that are open.

        Raises:
            PullRequestsUnknownError: Not all of them can be had.
        """

    def why_keep(self, number: int) -> str | None:
        """Return why what belongs to one must stay, `None` when it is closed for certain; asked once more.

        Raises:
            PullRequestsUnknownError: It cannot be told.
        """


@dataclass(frozen=True, slots=True)
class GivenPullRequests:
    """What the caller said; it is taken for the whole truth."""

    numbers: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> GivenPullRequests:
        """Read numbers with commas or white space between them, such as `12, 15`; `none` for no number.

        Raises:
            PullRequestsUnknownError: It is something else, nothing at all for one.
        """
        words = text.replace(",", " ").split()
        if words == [NONE]:
            return cls(frozenset())
        if not words or not all(re.fullmatch(r"#?[0-9]{1,10}", word) for word in words):
            what = f"{text!r} is no list of pull requests" if words else "the list of pull requests is empty"
            raise PullRequestsUnknownError(what, hint=_HINT)
        return cls(frozenset(int(word.removeprefix("#")) for word in words))

    def open_numbers(self) -> frozenset[int]:
        """Return them."""
        return self.numbers

    def why_keep(self, number: int) -> str | None:
        """Ask the same list again."""
        return f"pull request {number} is open" if number in self.numbers else None


@dataclass(frozen=True, slots=True)
class GitHubPullRequests:
    """Those of one repository, by GitHub's REST API."""

    client: HttpClient
    owner: str
    name: str

    def open_numbers(self) -> frozenset[int]:
        """Return them, from all pages.

        Pages are asked for until an empty one: whether there is another is not left to a header that a
        proxy may drop. One that moves between two pages while they are read is found by `why_keep`.
        """
        numbers: set[int] = set()
        page = 1
        while found := self._page(page):
            if found <= numbers:
                message = f"GitHub's list of pull requests repeats itself on page {page}"
                raise PullRequestsUnknownError(message, hint=_HINT)
            numbers |= found
            page += 1
        return frozenset(numbers)

    def why_keep(self, number: int) -> str | None:
        """Ask for this one: it may have been opened again since, or belong to another repository."""
        try:
            found = self._get("repos", self.owner, self.name, "pulls", str(number))
        except PullRequestsUnknownError as error:
            if isinstance(error.__cause__, HttpStatusError) and error.__cause__.status == _NOT_FOUND:
                return f"{self.owner}/{self.name} has no pull request {number}"
            raise
        if not isinstance(found, dict) or found.get("number") != number:
            raise _odd(f"pull request {number}")
        return None if found.get("state") == "closed" else f"pull request {number} is open"

    def _page(self, page: int) -> set[int]:
        query: dict[str, str | int | bool] = {"state": "open", "per_page": 100, "page": page}
        found = self._get("repos", self.owner, self.name, "pulls", query=query)
        if not isinstance(found, list):
            raise _odd("the list of pull requests")
        numbers = {
            each["number"] for each in found if isinstance(each, dict) and type(each.get("number")) is int
        }
        if len(numbers) != len(found):
            raise _odd("the list of pull requests")
        return numbers

    def _get(self, *path: str, query: Mapping[str, str | int | bool] | None = None) -> Any:
        try:
            return self.client.request("GET", *path, query=query, headers=_HEADERS).json()
        except HttpError as error:
            message = f"which pull requests are open is not known: {error}"
            raise PullRequestsUnknownError(message, hint=_HINT) from error


@contextmanager
def of_github(
    environment: Mapping[str, str], *, announce: Callable[[str], None]
) -> Iterator[GitHubPullRequests]:
    """Ask GitHub for the length of the block, as a workflow's variables say.

    Args:
        environment: Has GITHUB_TOKEN, GITHUB_REPOSITORY (`owner/name`) and perhaps GITHUB_API_URL.
        announce: Is told of every wait, in one sentence.

    Raises:
        PullRequestsUnknownError: A variable is missing or cannot be used.
    """
    missing = [name for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY") if not environment.get(name)]
    if missing:
        message = f"which pull requests are open is not known: {' and '.join(missing)} not set"
        raise PullRequestsUnknownError(message, hint=_HINT)
    repository = environment["GITHUB_REPOSITORY"]
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository, re.ASCII):
        message = f"GITHUB_REPOSITORY must be `owner/name`, not {repository!r}"
        raise PullRequestsUnknownError(message, hint=_HINT)
    from infra.http import HttpClient  # noqa: PLC0415  a tenth of a second that --help need not pay

    owner, _, name = repository.partition("/")
    try:
        client = HttpClient(
            environment.get("GITHUB_API_URL") or _API,
            environment["GITHUB_TOKEN"],
            service="GitHub",
            announce=announce,
        )
    except HttpError as error:
        raise PullRequestsUnknownError(str(error), hint=error.hint) from error
    with client:
        yield GitHubPullRequests(client, owner, name)


def _odd(what: str) -> PullRequestsUnknownError:
    return PullRequestsUnknownError(
        f"what GitHub answered is not {what}", hint=f"is GITHUB_API_URL right? {_HINT}"
    )
