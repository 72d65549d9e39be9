"""One deploy of a stage at a time: a parameter that only one of them can make.

A deploy that was killed leaves its parameter behind. Once its deadline is over another may take it over, and
of several who want to only one does: each makes a second parameter first, named after the lock that it found,
looks again whether that is still there, and only then puts its own in its place.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Final

from botocore.exceptions import ClientError

from infra.aws.errors import AwsError, code_of, translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.aws.account import Account
    from infra.aws.stage import Stage

#: How often the lock is looked at that is just changing hands, and the seconds in between.
_LOOKS: Final = 3
_PAUSE: Final = 0.2


class DeployRunningError(AwsError):
    """Another deploy of the stage runs, as far as is known; nothing was changed."""

    code: ClassVar[str] = "DEPLOY_RUNNING"
    retryable: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Holder:
    """Who deploys.

    Args:
        who: The ARN of the caller.
        where: The address of a run in CI, or the name of a machine.
        since: With time zone.
        until: When others may take it for dead, with time zone.
        token: Of this one deploy.
    """

    who: str
    where: str
    since: datetime
    until: datetime
    token: str

    @property
    def is_over(self) -> bool:
        """Whether its time is up, by this machine's clock."""
        return datetime.now(UTC) > self.until

    def __str__(self) -> str:
        """Say who, where and since when."""
        return f"{self.who} on {self.where}, since {self.since:%Y-%m-%d %H:%M:%S} UTC"

    def to_json(self) -> str:
        """Return what the parameter holds."""
        return json.dumps({**asdict(self), "since": self.since.isoformat(), "until": self.until.isoformat()})

    @classmethod
    def of_json(cls, text: str) -> Holder:
        """Return what a parameter holds.

        Raises:
            ValueError, TypeError: Somebody else wrote it.
        """
        given = json.loads(text)
        since, until = (datetime.fromisoformat(given.pop(key)).astimezone(UTC) for key in ("since", "until"))
        return cls(**given, since=since, until=until)


class DeployLock:
    """The lock of a stage, as one deploy sees it.

    Args:
        account: Where the stage is.
        stage: Whose lock.
        where: Where the deploy runs, for others to read.
        length: How long it takes at most.
        announce: Is told when a dead deploy's lock is taken over.
    """

    def __init__(
        self, account: Account, stage: Stage, where: str, length: timedelta, announce: Callable[[str], None]
    ) -> None:
        """Nothing is taken yet."""
        self._account = account
        # Beside the stage's secrets, and not among them.
        self._name = f"{stage.parameters}.deploy-lock"
        self._where = where
        self._length = length
        self._announce = announce
        self._token: str | None = None

    def holder(self) -> Holder | None:
        """Return who has it, `None` when it is free.

        Raises:
            AwsError: It cannot be read, or holds what no deploy has written.
        """
        with translated(f"look who deploys ({self._name})"):
            try:
                text = self._account.parameters.get_parameter(Name=self._name)["Parameter"]["Value"]
            except ClientError as error:
                if code_of(error) == "ParameterNotFound":
                    return None
                raise
        try:
            return Holder.of_json(text)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            message = f"parameter {self._name} is no lock of a deploy"
            raise AwsError(message, hint="delete it if nobody deploys") from error

    def check(self) -> None:
        """Refuse when somebody has it whose time is not over; changes nothing.

        Raises:
            DeployRunningError: It says who.
        """
        found = self.holder()
        if found is not None and not found.is_over:
            raise self._refusal(found)

    def take(self) -> None:
        """Take the lock, from a deploy whose time is over, too.

        Raises:
            DeployRunningError: Another has it; it says who.
        """
        now = datetime.now(UTC)
        mine = Holder(self._account.caller, self._where, now, now + self._length, token=secrets.token_hex(8))
        found: Holder | None = None
        for _ in range(_LOOKS):
            if self._make(self._name, mine.to_json()):
                self._token = mine.token
                return
            # It may have been given back in between.
            if (found := self.holder()) is not None:
                if found.token == mine.token:
                    # botocore asks again when an answer was lost.
                    self._token = mine.token
                    return
                if not found.is_over:
                    break
                if self._take_over(found, mine):
                    self._token = mine.token
                    self._announce(f"Took over the lock of a deploy that must be dead: {found}")
                    return
            time.sleep(_PAUSE)
        raise self._refusal(found)

    def release(self) -> None:
        """Give the lock back, if it is still this deploy's."""
        token, self._token = self._token, None
        if token is not None and (found := self.holder()) is not None and found.token == token:
            self._delete(self._name)

    def _take_over(self, found: Holder, mine: Holder) -> bool:
        claim = f"{self._name}-of-{found.token}"
        if not self._make(claim, mine.to_json()):
            return False
        try:
            again = self.holder()
            if again is None or again.token != found.token:
                return False
            with translated(f"take over {self._name}"):
                self._account.parameters.put_parameter(
                    Name=self._name, Value=mine.to_json(), Type="String", Overwrite=True
                )
            return True
        finally:
            self._delete(claim)

    def _refusal(self, found: Holder | None) -> DeployRunningError:
        if found is None:
            return DeployRunningError("other deploys come and go", hint="try again")
        if found.is_over:
            return DeployRunningError(
                f"the lock of a dead deploy ({found}) cannot be taken over, since another is at it",
                hint=f"try again; if it stays so, delete the parameters whose names begin with {self._name}",
            )
        return DeployRunningError(
            f"another deploy runs: {found}",
            hint=f"wait for it; if it is dead, others may go on at {found.until:%H:%M:%S} UTC, or delete"
            f" the parameter {self._name}",
        )

    def _make(self, name: str, value: str) -> bool:
        """Make a parameter; return false where there is one of this name."""
        with translated(f"take the lock {name}"):
            try:
                self._account.parameters.put_parameter(Name=name, Value=value, Type="String", Overwrite=False)
            except ClientError as error:
                if code_of(error) == "ParameterAlreadyExists":
                    return False
                raise
        return True

    def _delete(self, name: str) -> None:
        with translated(f"give back {name}"):
            try:
                self._account.parameters.delete_parameter(Name=name)
            except ClientError as error:
                if code_of(error) != "ParameterNotFound":
                    raise
