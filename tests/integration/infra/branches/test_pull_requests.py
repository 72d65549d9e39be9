"""The list of open pull requests is complete, or there is none."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from infra.branches.errors import PullRequestsUnknownError
from infra.branches.pull_requests import GivenPullRequests, of_github
from tests.support.scripted_api import DROP, Received, Reply, ScriptedApi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.branches.pull_requests import GitHubPullRequests

TOKEN = "ghs_secret-of-the-test"


class GitHub(ScriptedApi):
    """The pull requests of `acme/shop`, two on a page."""

    def __init__(self) -> None:
        self.states: dict[int, str] = {}
        self.replies: dict[str, Reply] = {}
        super().__init__(self.answer)

    def answer(self, request: Received) -> Reply:
        """Answer as GitHub does, unless a reply was set for this page or number."""
        page = request.query.get("page", request.path.rpartition("/")[2])
        if page in self.replies:
            return self.replies[page]
        if request.path == "/repos/acme/shop/pulls":
            found = [number for number, state in self.states.items() if state == request.query["state"]]
            first = 2 * (int(page) - 1)
            return Reply(200, [self.pull_request(number) for number in found[first : first + 2]])
        number = int(request.path.removeprefix("/repos/acme/shop/pulls/"))
        return (
            Reply(200, self.pull_request(number))
            if number in self.states
            else Reply(404, {"message": "Not Found"})
        )

    def pull_request(self, number: int) -> dict[str, Any]:
        return {"number": number, "state": self.states[number], "title": "…"}


@pytest.fixture
def github() -> Iterator[GitHub]:
    """A server that speaks as much of GitHub's API as is asked of it."""
    server = GitHub()
    yield server
    server.stop()


@contextmanager
def asked(github: GitHub, **changes: str) -> Iterator[GitHubPullRequests]:
    environment = {"GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": "acme/shop", "GITHUB_API_URL": github.url}
    with of_github(environment | changes, announce=lambda _: None) as pull_requests:
        yield pull_requests


class TestGitHub:
    """`GitHubPullRequests`."""

    def test_reads_all_pages(self, github: GitHub) -> None:
        """Until an empty one, whatever the headers say."""
        github.states = dict.fromkeys(range(1, 6), "open") | {6: "closed"}
        with asked(github) as pull_requests:
            assert pull_requests.open_numbers() == {1, 2, 3, 4, 5}
        assert [each.query["page"] for each in github.received] == ["1", "2", "3", "4"]
        assert github.received[0].headers["Authorization"] == f"Bearer {TOKEN}"

    def test_empty_list_is_a_list(self, github: GitHub) -> None:
        """A repository without open pull requests has none: that is known."""
        with asked(github) as pull_requests:
            assert pull_requests.open_numbers() == frozenset()

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(401, {"message": "Bad credentials"}),
            Reply(403, {"message": "API rate limit exceeded"}),
            Reply(404, {"message": "Not Found"}),
            Reply(301, {"message": "Moved Permanently"}, {"Location": "/elsewhere"}),
            Reply(500, {"message": "Server Error"}),
            Reply(200, {"message": "a page of something else"}),
            Reply(200, "<html>"),
            Reply(200, [{"number": "7"}]),
            Reply(200, [{"number": True}]),
            Reply(200, ["7"]),
            Reply(200, [{"number": 1, "state": "open"}]),
        ],
        ids=lambda reply: f"{reply.status}-{str(reply.body)[:24]}",
    )
    def test_half_a_list_is_none(self, github: GitHub, reply: Reply) -> None:
        """A second page that fails, is odd or repeats the first takes the first one along."""
        github.states = {1: "open", 2: "open", 3: "open"}
        github.replies["2"] = reply
        with asked(github) as pull_requests, pytest.raises(PullRequestsUnknownError) as failure:
            pull_requests.open_numbers()
        assert "nothing was deleted" in (failure.value.hint or "")
        assert TOKEN not in f"{failure.value} {failure.value.hint}"

    def test_asks_for_one(self, github: GitHub) -> None:
        """Only one that is closed for certain lets its branch go; another repository's is not ours."""
        github.states = {1: "open", 2: "closed"}
        with asked(github) as pull_requests:
            assert pull_requests.why_keep(1) == "pull request 1 is open"
            assert pull_requests.why_keep(2) is None
            assert pull_requests.why_keep(3) == "acme/shop has no pull request 3"

    @pytest.mark.parametrize(
        "reply", [Reply(401, {}), Reply(200, {"number": 9, "state": "closed"}), Reply(200, [])]
    )
    def test_one_that_cannot_be_told_is_an_error(self, github: GitHub, reply: Reply) -> None:
        """So is an answer about another one."""
        github.replies["2"] = reply
        with asked(github) as pull_requests, pytest.raises(PullRequestsUnknownError):
            pull_requests.why_keep(2)

    def test_goes_on_after_a_dropped_connection(self, github: GitHub) -> None:
        """Reading is tried again."""
        github.states = {1: "open"}
        github.replies["1"] = DROP

        def announce(_: str) -> None:
            github.replies.clear()

        environment = {"GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": "acme/shop", "GITHUB_API_URL": github.url}
        with of_github(environment, announce=announce) as pull_requests:
            assert pull_requests.open_numbers() == {1}

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("GITHUB_TOKEN", "", "GITHUB_TOKEN not set"),
            ("GITHUB_REPOSITORY", "", "GITHUB_REPOSITORY not set"),
            ("GITHUB_REPOSITORY", "shop", "owner/name"),
            ("GITHUB_REPOSITORY", "acme/shop/pulls", "owner/name"),
            ("GITHUB_API_URL", "http://github.example", "unencrypted"),
        ],
    )
    def test_needs_the_variables(self, github: GitHub, name: str, value: str, said: str) -> None:
        """Nothing is sent, and the message says what is missing."""
        with pytest.raises(PullRequestsUnknownError, match=said), asked(github, **{name: value}):
            pass
        assert github.received == []


class TestGiven:
    """`GivenPullRequests`."""

    @pytest.mark.parametrize(
        ("text", "numbers"),
        [("12,15", {12, 15}), (" #12\n15\n", {12, 15}), ("7", {7}), ("none", set()), (" none\n", set())],
    )
    def test_reads_what_people_and_programs_write(self, text: str, numbers: set[int]) -> None:
        """Commas, lines, number signs; `none` is the empty list."""
        given = GivenPullRequests.parse(text)
        assert given.open_numbers() == numbers
        assert given.why_keep(12) == ("pull request 12 is open" if 12 in numbers else None)

    @pytest.mark.parametrize("text", ["", " \n", ",", "12,x", "none,12", "-3", "[]", "null"])
    def test_nothing_is_not_none(self, text: str) -> None:
        """What a failed command leaves must not pass for an empty list."""
        with pytest.raises(PullRequestsUnknownError, match=r"empty|no list"):
            GivenPullRequests.parse(text)
