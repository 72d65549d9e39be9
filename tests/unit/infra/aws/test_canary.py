"""Canaries: what counts as worse, and how long one is watched."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest

from infra.aws.canary import (
    ERRORS,
    REQUESTS,
    Canary,
    CanaryError,
    CanaryStoppedError,
    Traffic,
    Watch,
    fault,
)

BUSY = Traffic(1000, 0, 20.0)
QUIET = Traffic(0, 0)


def watch(*looks: tuple[Traffic, Traffic], probe: str | None = None, said: list[str] | None = None) -> Watch:
    """A watch that sees the looks one after the other, the last one for ever."""
    left = list(looks)
    told = said if said is not None else []
    return Watch(lambda: left.pop(0) if len(left) > 1 else left[0], lambda: probe, told.append, tick=0.01)


class TestCanary:
    """`Canary`."""

    @pytest.mark.parametrize(
        ("seconds", "spoken"), [(20, "20 s"), (60, "1 min"), (90, "90 s"), (1800, "30 min")]
    )
    def test_says_its_length_as_people_do(self, seconds: int, spoken: str) -> None:
        """In minutes where it has whole ones."""
        assert Canary(0.1, timedelta(seconds=seconds)).spoken_length == spoken


class TestFault:
    """`fault`."""

    @pytest.mark.parametrize(
        "new",
        [
            QUIET,
            Traffic(5, ERRORS - 1),
            Traffic(1000, 10, 30.0),
            Traffic(REQUESTS - 1, 0, 5000.0),
            Traffic(REQUESTS, 0, 100.0),
            Traffic(REQUESTS, 0, None),
        ],
    )
    def test_finds_none_in_what_may_be_chance(self, new: Traffic) -> None:
        """Too few errors, or too small a share of them; too few requests, or hardly slower ones."""
        assert fault(BUSY, new) is None

    @pytest.mark.parametrize(
        ("new", "why"),
        [
            (Traffic(5, ERRORS), r"3 of 5 requests are server errors \(60.0%; the old version: 0.0%\)"),
            (Traffic(1000, 11, 20.0), "11 of 1000 requests are server errors"),
            (Traffic(0, 4), "4 of 4 requests are server errors"),
            (Traffic(REQUESTS, 0, 121.0), r"requests take 121 ms \(the old version: 20 ms\)"),
        ],
    )
    def test_finds_what_is_worse(self, new: Traffic, why: str) -> None:
        """Errors need no number of requests; an app that counts errors alone is judged, too."""
        found = fault(BUSY, new)
        assert found is not None
        assert re.search(why, found)

    def test_allows_twice_the_errors_of_an_old_version_that_has_many(self) -> None:
        """A database that is down hurts both."""
        assert fault(Traffic(100, 50), Traffic(100, 90)) is None
        assert fault(Traffic(100, 20), Traffic(100, 50)) is not None

    def test_allows_twice_the_time_of_an_old_version_that_is_slow(self) -> None:
        """100 ms more are nothing then."""
        assert fault(Traffic(100, 0, 400.0), Traffic(100, 0, 790.0)) is None
        assert fault(Traffic(100, 0, 400.0), Traffic(100, 0, 810.0)) is not None


class TestWatch:
    """`Watch`."""

    def test_says_what_was_seen_at_the_end(self) -> None:
        """Without asking the version itself: enough requests came."""
        found = watch((BUSY, BUSY), probe="broken").through(timedelta(seconds=0.05), threading.Event())
        assert found.startswith("new version: 1000 requests, 0 server errors, 20 ms (median); old version: ")

    def test_ends_at_once_when_the_new_version_is_worse(self) -> None:
        """Long before its time."""
        with pytest.raises(CanaryError, match="the new version is worse: 50 of 100") as caught:
            watch((BUSY, BUSY), (BUSY, Traffic(100, 50))).through(timedelta(hours=1), threading.Event())
        assert caught.value.exit_code == 1

    def test_looks_once_more_at_the_end_of_its_time(self) -> None:
        """Also when that is shorter than a tick."""
        eager = Watch(lambda: (BUSY, Traffic(9, 9)), lambda: None, lambda _: None, tick=60)
        with pytest.raises(CanaryError):
            eager.through(timedelta(seconds=0.01), threading.Event())

    def test_asks_the_version_itself_when_too_few_requests_come(self) -> None:
        """It says so once, and in the result."""
        said: list[str] = []
        found = watch((BUSY, Traffic(1, 0)), said=said).through(timedelta(seconds=0.05), threading.Event())
        assert len([line for line in said if line.startswith("Too few requests")]) == 1
        assert found.endswith("too few to judge by (fewer than 20)")

    def test_finds_a_broken_version_without_visitors(self) -> None:
        """By its own requests."""
        with pytest.raises(CanaryError, match="worse: /readyz 500"):
            watch((BUSY, QUIET), probe="/readyz 500").through(timedelta(hours=1), threading.Event())

    def test_can_be_ended_from_outside(self) -> None:
        """As Ctrl-C does it; the exit code is that of Ctrl-C."""
        stopped = threading.Event()
        stopped.set()
        with pytest.raises(CanaryStoppedError) as caught:
            watch((BUSY, BUSY)).through(timedelta(hours=1), stopped)
        assert caught.value.exit_code == 130
