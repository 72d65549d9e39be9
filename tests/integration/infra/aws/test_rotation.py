"""New secrets for a stage, on a real server behind a real pooler, under requests that must not notice."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import text

from api.database.engine import make_engine
from api.database.session import read, write
from infra.aws.rotation import RotationError, finish_database, plan_database
from infra.branches.application_rights import excess_rights
from infra.branches.login_roles import LoginRoleError, end_copied_logins
from infra.plan import execute
from tests.support.rotations import Rotated, rotated_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from api.database.connection_url import ConnectionUrl
    from infra.aws.account import Account
    from infra.testing.databases import World


@pytest.fixture
def stage(world: World, account: Account, tmp_path: Path) -> Iterator[Rotated]:
    """A stage whose API logs in as the application role itself."""
    with rotated_stage(world, account, tmp_path / "pooler") as stage:
        yield stage


def rotate(stage: Rotated) -> None:
    """Carry the plan out."""
    steps = plan_database(stage.secrets, stage.owner, stage.application, announce=lambda _: None)
    execute(steps, lambda _: None)


def finish(stage: Rotated, *, now: bool = False) -> list[str]:
    """End the old login."""
    return finish_database(stage.secrets, stage.owner, stage.application, announce=lambda _: None, now=now)


def finished(stage: Rotated) -> bool:
    """Finish, unless the old login is in use; the pooler gives up what it keeps, as it does in time."""
    stage.pooler.console("RECONNECT")
    try:
        return bool(finish(stage))
    except RotationError:
        return False


def can_log_in(url: ConnectionUrl) -> bool:
    """Try."""
    try:
        psycopg.connect(url.libpq(), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


class Environment:
    """An execution environment: it keeps the secret that it read, and reads it again when it is refused."""

    def __init__(self, stage: Rotated) -> None:
        self.stage = stage
        self.url = stage.url()
        self.connects_again = self.reads_again = False
        self.engine = make_engine(self.url, target=self)

    def __call__(self, *, refused: bool) -> ConnectionUrl:
        if refused or self.reads_again:
            self.url, self.reads_again = self.stage.url(), False
        return self.url

    async def request(self) -> None:
        """Read, and write once."""
        if self.connects_again:
            self.connects_again = False
            await self.engine.dispose()
        async with read(self.engine) as session:
            await session.execute(text("SELECT times FROM counted"))
            async with write(session) as writer:
                await writer.execute(text("UPDATE counted SET times = times + 1"))


@asynccontextmanager
async def load(stage: Rotated, warm: int) -> AsyncIterator[list[Environment]]:
    """Send requests to warm environments, and to one new one after the other; every one must succeed."""
    environments = [Environment(stage) for _ in range(warm)]
    done = 0
    running = True

    async def serve(environment: Environment) -> None:
        nonlocal done
        while running:
            await environment.request()
            done += 1
        await environment.engine.dispose()

    async def begin() -> None:
        nonlocal done
        while running:
            new = Environment(stage)
            await new.request()
            done += 1
            await new.engine.dispose()

    async with asyncio.TaskGroup() as tasks:
        for each in environments:
            tasks.create_task(serve(each))
        tasks.create_task(begin())
        yield environments
        running = False
    (times,) = stage.administrator.execute("SELECT times FROM counted").fetchone() or (0,)
    assert times >= done > 5 * warm


async def all_know(stage: Rotated, environments: list[Environment]) -> None:
    """Wait until every environment has read the secret that there is now."""
    now = stage.url()
    async with asyncio.timeout(20):
        while any(each.url != now for each in environments):  # noqa: ASYNC110  nobody tells when
            await asyncio.sleep(0.02)


class TestPlanDatabase:
    """`plan_database` and `finish_database`."""

    def test_the_two_logins_take_turns(self, stage: Rotated) -> None:
        """Each has rights and limits of the application role, and a password that nobody has seen."""
        first = stage.url()
        stage.administrator.execute(f"ALTER ROLE {stage.application} SET search_path = '$user', 'public'")
        used = []
        for _ in range(3):
            rotate(stage)
            used.append(stage.url())
            finish(stage, now=True)
        assert [url.user.removeprefix(stage.application) for url in used] == ["_a", "_b", "_a"]
        assert [can_log_in(url) for url in (first, *used)] == [False, False, False, True]
        with psycopg.connect(used[-1].libpq(), prepare_threshold=None) as connection:
            connection.execute("UPDATE counted SET times = 5")
            shown = [
                connection.execute(f"SHOW {name}").fetchone()
                for name in ("statement_timeout", "lock_timeout", "search_path", "jit")
            ]
            assert shown == [("30s",), ("5s",), ('"$user", public',), ("off",)]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("CREATE TABLE mine ()")

    def test_the_old_login_is_good_until_it_is_ended(self, stage: Rotated) -> None:
        """And the next rotation waits for that."""
        first = stage.url()
        rotate(stage)
        assert can_log_in(first)
        with pytest.raises(RotationError, match=f"not finished: {stage.application} can log in too"):
            rotate(stage)

    def test_nothing_is_left_of_a_rotation_that_fails(
        self, stage: Rotated, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The secret is the old one, and the new role cannot log in."""
        before = stage.url()
        monkeypatch.setattr(stage.secrets, "put", None)
        with pytest.raises(TypeError):
            rotate(stage)
        assert stage.url() == before
        logins = stage.administrator.execute(
            "SELECT rolname FROM pg_roles WHERE rolcanlogin AND starts_with(rolname, %s)",
            [f"{stage.application}_a"],
        )
        assert logins.fetchall() == []

    def test_what_was_written_stays_when_its_answer_is_lost(
        self, stage: Rotated, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ctrl-C while it is written, or a broken connection: the API must not be left with a dead login."""
        put = stage.secrets.put

        def interrupted(*arguments: str) -> int:
            put(*arguments)
            raise KeyboardInterrupt

        monkeypatch.setattr(stage.secrets, "put", interrupted)
        with pytest.raises(KeyboardInterrupt):
            rotate(stage)
        assert stage.url().user == f"{stage.application}_a"
        assert can_log_in(stage.url())

    def test_nothing_is_ended_where_the_new_login_works_elsewhere(self, stage: Rotated, world: World) -> None:
        """Roles of the same names are at work on every branch: the wrong one would lose its own."""
        rotate(stage)
        with world.new_database() as other:
            owner = other.superuser
            with pytest.raises(LoginRoleError, match="it is another database"):
                finish_database(stage.secrets, owner, stage.application, announce=lambda _: None, now=True)
        assert can_log_in(stage.owner.replace(user=stage.application, password="first"))

    def test_the_end_waits_for_connections_of_the_old_login(self, stage: Rotated) -> None:
        """Unless told otherwise; it is repeated without effect."""
        direct = stage.owner.replace(user=stage.application, password="first")
        rotate(stage)
        with psycopg.connect(direct.libpq()):
            with pytest.raises(RotationError, match=rf"{stage.application} has 1"):
                finish(stage)
            ended = [finish(stage, now=True) for _ in range(2)]
        assert ended == [[stage.application], []]
        assert not can_log_in(direct)

    def test_another_database_is_refused(self, stage: Rotated, world: World) -> None:
        """Also one whose owner could make the role."""
        with pytest.raises(LoginRoleError, match="which is not other"):
            plan_database(stage.secrets, stage.owner, "other", announce=lambda _: None)
        stage.secrets.delete("api", "DATABASE_URL")
        with pytest.raises(RotationError, match="has no DATABASE_URL yet"):
            plan_database(stage.secrets, stage.owner, stage.application, announce=lambda _: None)

    @pytest.mark.asyncio
    async def test_no_request_fails_under_load(self, stage: Rotated) -> None:
        """Neither of warm environments, which know the old password only, nor of new ones."""
        async with load(stage, 4) as warm:
            await asyncio.to_thread(rotate, stage)
            await asyncio.sleep(0.1)
            await asyncio.to_thread(finish, stage, now=True)
            for each in warm:
                # As where a connection has reached its age.
                each.connects_again = True
            await all_know(stage, warm)

    @pytest.mark.prove
    @pytest.mark.asyncio
    async def test_no_request_fails_when_rotations_follow_each_other(self, stage: Rotated) -> None:
        """Each is finished once nobody uses the old login, but for an environment that was frozen since."""
        frozen = Environment(stage)
        await frozen.request()
        async with load(stage, 8) as warm:
            for _ in range(5):
                frozen.connects_again = True
                await asyncio.to_thread(rotate, stage)
                for each in warm:
                    # As where secret and connection have reached their age.
                    each.reads_again = each.connects_again = True
                await all_know(stage, warm)
                async with asyncio.timeout(20):
                    while not await asyncio.to_thread(finished, stage):  # noqa: ASYNC110  see above
                        await asyncio.sleep(0.1)
                await frozen.request()
        await frozen.engine.dispose()


class TestEndCopiedLogins:
    """`end_copied_logins`."""

    def test_ends_what_a_branch_has_from_its_parent(self, stage: Rotated) -> None:
        """Not the branch's own login, also after provisioning it again."""
        rotate(stage)
        with psycopg.connect(stage.owner.libpq(), autocommit=True) as owner:
            assert end_copied_logins(owner, stage.application) == []
            assert can_log_in(stage.url())
            stage.administrator.execute("UPDATE bough_branch SET branch_id = 'copy'")
            assert end_copied_logins(owner, stage.application) == [f"{stage.application}_a"]
        assert not can_log_in(stage.url())

    def test_leaves_logins_alone_where_nobody_says_which_branch_it_is(self, stage: Rotated) -> None:
        """The one that production uses may be among them."""
        rotate(stage)
        stage.administrator.execute("DROP TABLE bough_branch")
        with psycopg.connect(stage.owner.libpq(), autocommit=True) as owner:
            assert end_copied_logins(owner, stage.application) == []
        assert can_log_in(stage.url())

    def test_a_login_has_no_right_too_many(self, stage: Rotated) -> None:
        """`bough doctor` would say so."""
        rotate(stage)
        with psycopg.connect(stage.url().libpq(), autocommit=True, prepare_threshold=None) as connection:
            assert excess_rights(connection) == ()
