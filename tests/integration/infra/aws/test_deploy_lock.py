"""The lock of a stage: one holder, also of those who want a dead deploy's."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from infra.aws.deploy_lock import DeployLock, DeployRunningError
from infra.aws.errors import AwsError
from infra.aws.stage import Stage
from infra.config_tables import StageSettings

if TYPE_CHECKING:
    from infra.aws.account import Account

HOUR = timedelta(hours=1)
OVER = timedelta(seconds=-1)


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Stage:
    """A stage of the test's own."""
    return Stage("locks", f"t{abs(hash(request.node.name)) % 10**9}", StageSettings())


def lock(
    account: Account, stage: Stage, length: timedelta = HOUR, said: list[str] | None = None
) -> DeployLock:
    return DeployLock(account, stage, "ci.test/7", length, said.append if said is not None else print)


def names(account: Account, stage: Stage) -> list[str]:
    found = account.parameters.describe_parameters(
        ParameterFilters=[{"Key": "Name", "Option": "BeginsWith", "Values": [stage.parameters]}]
    )
    return [each["Name"] for each in found["Parameters"]]


class TestDeployLock:
    """`DeployLock`."""

    def test_is_taken_and_given_back(self, account: Account, stage: Stage) -> None:
        """Nothing is left; who held it is known meanwhile."""
        mine = lock(account, stage)
        mine.take()
        held = mine.holder()
        assert held is not None
        assert (held.who, held.where) == (account.caller, "ci.test/7")
        mine.release()
        assert (mine.holder(), names(account, stage)) == (None, [])

    def test_refuses_a_second_deploy_and_says_who_runs(self, account: Account, stage: Stage) -> None:
        """By taking and by looking alike; the first one keeps it."""
        first, second = lock(account, stage), lock(account, stage)
        first.take()
        for ask in (second.take, second.check):
            with pytest.raises(DeployRunningError, match=r"another deploy runs: arn:.* on ci\.test/7, since"):
                ask()
        second.release()
        assert first.holder() is not None

    def test_lets_only_one_of_many_take_it(self, account: Account, stage: Stage) -> None:
        """All at once."""
        assert race(account, stage) == 1

    def test_is_taken_when_the_answer_was_lost(
        self, account: Account, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Asked again, AWS says that there is such a lock: it is this deploy's own."""
        monkeypatch.setattr("infra.aws.deploy_lock.secrets.token_hex", lambda _: "token")
        lock(account, stage).take()
        again = lock(account, stage)
        again.take()
        again.release()
        assert names(account, stage) == []

    def test_takes_over_from_a_deploy_whose_time_is_over(self, account: Account, stage: Stage) -> None:
        """It says from whom; the dead one, if it lives after all, does not give back what is another's."""
        said: list[str] = []
        dead, mine = lock(account, stage, OVER), lock(account, stage, said=said)
        dead.take()
        mine.check()
        mine.take()
        assert said[0].startswith("Took over the lock of a deploy that must be dead: arn:")
        dead.release()
        held = mine.holder()
        assert held is not None
        assert not held.is_over
        mine.release()
        assert names(account, stage) == []

    def test_lets_only_one_of_many_take_over(self, account: Account, stage: Stage) -> None:
        """The others learn who it was, or that somebody is at it."""
        lock(account, stage, OVER).take()
        assert race(account, stage) == 1

    def test_says_what_to_delete_where_another_died_taking_over(self, account: Account, stage: Stage) -> None:
        """Its claim stays, and nobody can tell that it is dead."""
        dead = lock(account, stage, OVER)
        dead.take()
        held = dead.holder()
        assert held is not None
        claim = f"{stage.parameters}.deploy-lock-of-{held.token}"
        account.parameters.put_parameter(Name=claim, Value="x", Type="String")
        with pytest.raises(DeployRunningError) as caught:
            lock(account, stage).take()
        assert caught.value.hint == (
            "try again; if it stays so, delete the parameters whose names begin with"
            f" {stage.parameters}.deploy-lock"
        )

    @pytest.mark.parametrize("value", ["x", "[]", '{"who": "me"}'])
    def test_refuses_what_no_deploy_has_written(self, account: Account, stage: Stage, value: str) -> None:
        """Nobody can tell whose it is."""
        account.parameters.put_parameter(Name=f"{stage.parameters}.deploy-lock", Value=value, Type="String")
        with pytest.raises(AwsError, match="is no lock of a deploy"):
            lock(account, stage).take()


def race(account: Account, stage: Stage) -> int:
    """Have several take the lock at the same time; return how many have it."""
    together = threading.Barrier(4)

    def take() -> bool:
        together.wait()
        try:
            lock(account, stage).take()
        except DeployRunningError:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        return sum(each.result() for each in [threads.submit(take) for _ in range(4)])
