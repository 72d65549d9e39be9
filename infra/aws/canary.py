"""A canary: a share of the requests for the new version, for as long as it does no worse than the old one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from infra.aws.errors import AwsError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from datetime import timedelta

#: Server errors from which on a version can be called bad, whatever their share: fewer are chance.
ERRORS: Final = 3
#: Share of a version's requests that may be server errors, whatever the old version does.
ERROR_SHARE: Final = 0.01
#: The new version is bad with so many times the old one's share of errors, or its time for a request.
TIMES_WORSE: Final = 2.0
#: Milliseconds by which requests must take longer, too: twice as long as nothing is nothing.
SLOWER: Final = 100.0
#: Requests of a version from which on it can be judged.
REQUESTS: Final = 20

THRESHOLDS: Final = (
    f"goes back at {ERRORS} server errors, if they are more than {ERROR_SHARE:.0%} of the requests and than"
    f" {TIMES_WORSE:g} times the old version's share, or when {REQUESTS} requests took {TIMES_WORSE:g} times"
    f" as long as the old version's, and {SLOWER:g} ms longer"
)


class CanaryError(AwsError):
    """The new version does worse than the old one, which has all requests again."""

    code: ClassVar[str] = "CANARY_FAILED"


class CanaryStoppedError(AwsError):
    """Somebody ended the canary before its time; the old version has all requests again."""

    code: ClassVar[str] = "CANARY_STOPPED"
    exit_code: ClassVar[int] = 130


@dataclass(frozen=True, slots=True)
class Canary:
    """How carefully traffic is shifted.

    Args:
        share: Of the requests, between 0 and 1, that the new version gets at first.
        length: How long it is watched before it gets them all.
        tick: Seconds between two looks.
    """

    share: float
    length: timedelta
    tick: float = 10.0

    @property
    def spoken_length(self) -> str:
        """Its length as people say it."""
        seconds = self.length.total_seconds()
        return f"{seconds:.0f} s" if seconds % 60 else f"{seconds / 60:.0f} min"


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a version was asked since the canary began.

    Args:
        requests: How many requests it has answered.
        errors: How many of them with a server error.
        milliseconds: That a request took, the median; `None` when that is not known.
    """

    requests: int
    errors: int
    milliseconds: float | None = None

    @property
    def error_share(self) -> float:
        """Errors for each request; more errors than requests are known when an app counts errors alone."""
        return self.errors / max(self.requests, self.errors, 1)

    def __str__(self) -> str:
        """Say it in few words."""
        time_each = "" if self.milliseconds is None else f", {self.milliseconds:.0f} ms (median)"
        return f"{self.requests} requests, {self.errors} server errors{time_each}"


def fault(old: Traffic, new: Traffic) -> str | None:
    """Return what the new version does worse than the old one; `None` while there is nothing to say."""
    if new.errors >= ERRORS and new.error_share > max(ERROR_SHARE, TIMES_WORSE * old.error_share):
        shares = f"{new.error_share:.1%}; the old version: {old.error_share:.1%}"
        return f"{new.errors} of {max(new.requests, new.errors)} requests are server errors ({shares})"
    if old.milliseconds is None or new.milliseconds is None or min(old.requests, new.requests) < REQUESTS:
        return None
    if new.milliseconds > max(TIMES_WORSE * old.milliseconds, old.milliseconds + SLOWER):
        return f"requests take {new.milliseconds:.0f} ms (the old version: {old.milliseconds:.0f} ms)"
    return None


@dataclass(frozen=True, slots=True)
class Watch:
    """What a canary is watched with.

    Args:
        traffic: Returns that of the old and of the new version until now.
        probe: Asks the new version itself; returns what is wrong with its answers, if anything.
        announce: Is told what is seen.
        tick: Seconds between two looks.
    """

    traffic: Callable[[], tuple[Traffic, Traffic]]
    probe: Callable[[], str | None]
    announce: Callable[[str], None]
    tick: float

    def through(self, length: timedelta, stopped: threading.Event) -> str:
        """Watch until the time is over; return what was seen.

        As long as too few requests come, the version is asked by the deploy as well, so that one that is
        broken is found out without visitors.

        Raises:
            CanaryError: The new version is worse.
            CanaryStoppedError: `stopped` was set.
            AwsError: The metrics cannot be read.
        """
        end = time.monotonic() + length.total_seconds()
        asked_itself = False
        while True:
            rest = end - time.monotonic()
            if stopped.wait(min(self.tick, max(rest, 0))):
                raise CanaryStoppedError("the canary was ended before its time")
            old, new = self.traffic()
            why = fault(old, new)
            if why is None and new.requests < REQUESTS:
                if not asked_itself:
                    self.announce(
                        f"Too few requests reach the new version to judge it by ({new.requests}; it takes"
                        f" {REQUESTS}): asking it from here, too"
                    )
                asked_itself = True
                why = self.probe()
            if why is not None:
                raise CanaryError(f"the new version is worse: {why}", hint="see: bough logs --since 15m")
            if rest <= self.tick:
                few = f"; too few to judge by (fewer than {REQUESTS})" if new.requests < REQUESTS else ""
                return f"new version: {new}; old version: {old}{few}"
            self.announce(
                f"{max(end - time.monotonic(), 0):.0f} s to go. New version: {new}; old version: {old}"
            )
