"""Deploys of a whole project, from the first: what answers, and what stays when something fails."""

from __future__ import annotations

import base64
import shutil
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.support.deployed_shop import FUNCTION, PATIENCE
from tests.support.small_kit import git

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.deployed_shop import Ended, Shop

pytestmark = pytest.mark.prove

#: Works wherever its secrets are variables, which is where revisions are rehearsed, and not in Lambda.
NEEDS_A_SECRET = """
import os

if "DATABASE_URL_PARAMETER" in os.environ:
    os.environ["PAYMENT_KEY"]
"""
#: Answers what a smoke check asks, and fails what visitors ask.
FAILS_VISITORS = """
@app.get("/visited")
async def visited() -> None:
    raise RuntimeError("not what was tested")
"""
LOGIN = {"email": "ada@example.com", "password": "correct horse battery"}


class TestFirstDeploy:
    def test_answers_at_its_url(self, first_deploy: tuple[Shop, Ended]) -> None:
        """The very code that was packaged, taken back from AWS, writes to the database and reads from it."""
        shop, done = first_deploy
        assert (done.json["version"], done.json["previous"], done.json["held_back"]) == ("1", None, [])
        assert done.json["code"] == git(shop.root, "rev-list", "--max-parents=0", "HEAD")
        live = shop.account.functions.get_function_configuration(FunctionName=FUNCTION, Qualifier="live")
        sha256 = base64.b64decode(live["CodeSha256"]).hex()
        assert (shop.root / ".bough" / "deployed" / f"{sha256}.zip").is_file()
        # What the AWS of this machine has unzipped, and runs.
        assert list((shop.root / ".bough" / "aws").glob(f"**/{sha256}/api/app.py"))
        with httpx2.Client(base_url=done.json["url"], timeout=PATIENCE) as api:
            assert api.post("/users", json=LOGIN | {"username": "ada"}).status_code == 201
            token = api.post("/auth/login", json=LOGIN).json()["access_token"]
            me = api.get("/users/me", headers={"authorization": f"Bearer {token}"})
        assert me.json()["email"] == LOGIN["email"]

    def test_shows_no_secret(self, first_deploy: tuple[Shop, Ended]) -> None:
        """Neither in what it says nor in the function's variables, which name where they are."""
        shop, done = first_deploy
        secret = shop.account.parameters.get_parameter(
            Name="/bough/shop/production/api/DATABASE_URL", WithDecryption=True
        )["Parameter"]["Value"]
        password = httpx2.URL(secret).password
        function = shop.account.functions.get_function_configuration(FunctionName=FUNCTION)
        assert password
        assert password not in done.stdout + done.stderr + str(function["Environment"])


class TestLaterDeploys:
    def test_nothing_is_done_when_nothing_has_changed(self, shop: Shop) -> None:
        """Not even the lock is taken."""
        before = shop.shares
        again = shop.deploy()
        assert (again.json["changed"], again.steps, shop.shares) == (False, [], before)
        assert shop.deploy("--dry-run").json == []

    def test_code_comes_with_the_revision_that_it_needs(self, shop: Shop) -> None:
        """Rehearsed on a fork with both codes, applied, and then the code: no stack was touched."""
        # As in CI, which has nothing of earlier deploys.
        shutil.rmtree(shop.root / ".bough" / "deployed")
        shop.name_version("0.2.0")
        revision = shop.add_table("notes")
        planned = [step["step"] for step in shop.deploy("--dry-run", code=3).json]
        done = shop.deploy()
        assert planned == [
            *("lock", "rehearse", "migrate", "upload", "code", "publish"),
            *("smoke", "shift", "record", "prune", "unlock"),
        ]
        assert len(done.steps) == len(planned)
        assert "cannot try the deployed code" not in done.stderr
        assert (done.json["applied"], done.json["head"]) == ([revision], revision)
        assert (shop.shares, shop.answering()) == ({done.json["version"]: 1.0}, "0.2.0")


class TestFailingSmoke:
    def test_old_version_answers_over_the_new_schema(self, shop: Shop) -> None:
        """The alias has not moved, the revision stays, and the next deploy goes on from there."""
        before, answering = shop.shares, shop.answering()
        shop.name_version("0.3.0")
        revision = shop.add_table("ideas")
        with (shop.root / "api" / "app.py").open("a") as file:
            file.write(NEEDS_A_SECRET)
        failed = shop.deploy(code=1)
        assert "SMOKE_FAILED" in failed.stderr
        assert "KeyError" in failed.stderr
        assert "as before" in failed.stderr
        assert f"applied {revision}, which stays: the live code works with it" in failed.stderr
        assert (shop.shares, shop.answering()) == (before, answering)
        shop.restore()
        mended = shop.deploy()
        assert (mended.json["applied"], shop.answering()) == ([], "0.3.0")


class TestCanary:
    def test_that_goes_bad_returns_by_itself(self, shop: Shop) -> None:
        """Its smoke check passes; what visitors get from it is counted, and ends it long before its time."""
        before, answering = shop.shares, shop.answering()
        shop.name_version("0.4.0")
        with (shop.root / "api" / "app.py").open("a") as file:
            file.write(FAILS_VISITORS)
        with visitors(f"{shop.url}/visited") as statuses:
            failed = shop.deploy("--canary", "50%", "--for", "30m", code=1)
        assert "CANARY_FAILED" in failed.stderr
        assert "requests are server errors" in failed.stderr
        assert failed.seconds < PATIENCE
        assert {404, 500} <= set(statuses)
        assert (shop.shares, shop.answering()) == (before, answering)


class TestRollback:
    def test_old_version_answers_again(self, shop: Shop) -> None:
        """In one call; the next deploy leads back to the code that is there."""
        shop.name_version("0.5.0")
        old = shop.shares
        answering = shop.answering()
        shop.deploy()
        new = shop.shares
        assert shop.answering() == "0.5.0"
        shown = shop.bough("releases", "production", "--local", "-o", "json").json
        assert {row["version"]: row["share"] for row in shown if row["share"]} == {next(iter(new)): "100%"}
        shop.bough("rollback", "--stage", "production", "--local")
        assert (shop.shares, shop.answering()) == (old, answering)
        assert shop.deploy().json["version"] == next(iter(new))
        assert shop.answering() == "0.5.0"


class TestTwoAtOnce:
    def test_one_wins_and_the_other_says_who(self, shop: Shop) -> None:
        """The second is refused before it changes anything; Ctrl-C has the first one return."""
        before = shop.shares
        shop.name_version("0.6.0")
        first = shop.start("deploy", "production", "--local", "--canary", "10%", "--for", "30m")
        try:
            assert first.stderr is not None
            while "The canary goes back" not in (line := first.stderr.readline()):
                assert line, "it ended before its canary began"
            second = shop.deploy(code=1)
            assert "DEPLOY_RUNNING" in second.stderr
            assert f"pid {first.pid}" in second.stderr
            assert len(shop.shares) == 2
            first.send_signal(signal.SIGINT)
            rest = first.communicate(timeout=PATIENCE)[1]
        finally:
            first.kill()
        assert (first.returncode, shop.shares) == (130, before), rest
        assert shop.deploy().json["changed"]
        assert shop.answering() == "0.6.0"


@contextmanager
def visitors(url: str) -> Iterator[list[int]]:
    """Ask a URL again and again while the block runs; yields the statuses of the answers so far."""
    statuses: list[int] = []
    gone = threading.Event()

    def visit() -> None:
        while not gone.wait(0.2):
            statuses.append(httpx2.get(url, timeout=PATIENCE).status_code)

    thread = threading.Thread(target=visit, daemon=True)
    thread.start()
    try:
        yield statuses
    finally:
        gone.set()
        thread.join()
