"""`bough preview` on the AWS of this machine and real branches: what there is, is asked, and is refused."""

from __future__ import annotations

import functools
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx2
import pytest
from botocore.client import BaseClient

from infra.aws.functions import Functions
from infra.aws.preview import PreviewSite, PreviewUp, PreviewWishes
from infra.aws.stage import find_stage
from infra.aws.target import Target
from infra.branches.provider import BranchSpec, DatabaseRole
from infra.branches.pull_requests import GivenPullRequests
from infra.context import ProviderName
from infra.plan import execute
from tests.support.histories import query
from tests.support.preview_stage import APP, Shop, deployed_shop
from tests.support.published import make, zipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.aws.account import Account


@pytest.fixture(scope="module")
def deployed(account: Account, branch_project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("previewed")
    with deployed_shop(account, branch_project.api, branch_project.as_neon, folder) as shop:
        yield shop


@pytest.fixture
def preview(deployed: Shop, branch_project, on_branches, monkeypatch):
    """Run `bough preview` there; return exit code, what it shows and says."""
    monkeypatch.chdir(deployed.history.project.root)
    # The kit's own rows do not fit this schema.
    monkeypatch.setattr("scripts.preview._SEED", "no_such_package.workspace")
    return functools.partial(on_branches, "preview", **deployed.environment)


class TestUp:
    """`bough preview up`, and its end."""

    def test_is_made_kept_brought_up_to_date_and_taken_down(
        self, preview, deployed: Shop, monkeypatch
    ) -> None:
        """Nothing new changes nothing, new code and revisions come, and in the end nothing is left."""
        asked_of_aws: list[str] = []
        ask = BaseClient._make_api_call
        monkeypatch.setattr(
            BaseClient, "_make_api_call", lambda *call: asked_of_aws.append(call[1]) or ask(*call)
        )
        shop, root = deployed, deployed.history.project.root
        code, out, err = preview("up", "12", "-o", "json")
        made = json.loads(out)
        assert (code, made["branch"], made["auth"], made["function"]) == (0, "pr-12", "NONE", shop.function)
        assert httpx2.get(made["url"]).text == "first"
        assert query(shop.database(), "SELECT count(*) FROM a") == [(0,)]
        assert query(shop.database(), "SELECT version_num FROM alembic_version") == [("one",)]
        pooled = shop.secrets().get("preview/pr-12", "DATABASE_URL")
        assert pooled == shop.provider.pooled_url("pr-12", DatabaseRole.APP).libpq()
        assert pooled.split(":")[2].split("@")[0] not in err

        function, asked = Functions(shop.account).get(shop.function), len(shop.proxy.exchanges)
        asked_of_aws.clear()
        code, out, err = preview("up", "12", "-o", "json")
        assert {re.match("[A-Z][a-z]+", each)[0] for each in asked_of_aws} == {
            "Describe",
            "Get",
            "Invoke",
        }
        assert len(asked_of_aws) <= 13
        assert (code, json.loads(out) | {"changed": made["changed"]}) == (0, made)
        assert "Nothing was changed" in err
        assert Functions(shop.account).get(shop.function) == function
        assert {each.method for each in shop.proxy.exchanges[asked:]} == {"GET"}

        (root / "app.py").write_text(APP.replace("first", "second"))
        revision = shop.history.write("two", "one", "op.execute('CREATE TABLE b (id int)')")
        code, out, err = preview("up", "12", "-o", "json")
        assert (code, json.loads(out)["changed"]) == (0, ["migrate", "function"])
        assert httpx2.get(made["url"]).text == "second"
        shop.history.write("two", "one", "op.execute('CREATE TABLE c (id int)')")
        code, out, err = preview("up", "12", "-o", "json")
        assert (code, "two has changed since it was applied" in err) == (0, True)
        assert query(shop.database(), "SELECT to_regclass('b'), to_regclass('c')") == [(None, "c")]
        revision.unlink()
        (root / "app.py").write_text(APP)

        code, out, _ = preview("list", "-o", "json")
        assert (code, [(row["number"], row["missing"]) for row in json.loads(out)]) == (0, [(12, None)])
        assert (preview("down", "12")[0], len(shop.left())) == (2, 5)
        assert preview("down", "12", "--yes")[0] == 0
        assert shop.left() == []
        assert "There is nothing of preview 12" in preview("down", "12", "--yes")[2]

    @pytest.mark.prove
    def test_with_data_takes_signed_requests_alone(self, preview, deployed: Shop) -> None:
        """It is never taken for one without, whose URL is everybody's; a flag opens it."""
        shop = replace(deployed, number=13)
        made = json.loads(preview("up", "13", "--with-data", "-o", "json")[1])
        assert query(shop.database(), "SELECT count(*) FROM a") == [(1,)]
        assert (made["auth"], httpx2.get(made["url"]).status_code) == ("AWS_IAM", 403)
        code, _, err = preview("up", "13")
        assert (code, "BRANCH_DIFFERS" in err, httpx2.get(made["url"]).status_code) == (1, True, 403)
        assert preview("up", "13", "--with-data", "--public")[0] == 0
        assert httpx2.get(made["url"]).status_code == 200
        assert preview("down", "13", "--yes")[0] == 0

    @pytest.mark.prove
    def test_is_closed_before_it_is_given_data(self, preview, deployed: Shop, monkeypatch) -> None:
        """Its URL was everybody's, and new environments would read the new connection string at once."""
        shop = replace(deployed, number=15)
        assert json.loads(preview("up", "15", "-o", "json")[1])["auth"] == "NONE"
        # As when it has expired.
        shop.provider.delete("pr-15")
        asked: list[str] = []
        ask = BaseClient._make_api_call
        monkeypatch.setattr(BaseClient, "_make_api_call", lambda *call: asked.append(call[1]) or ask(*call))
        assert json.loads(preview("up", "15", "--with-data", "-o", "json")[1])["auth"] == "AWS_IAM"
        assert asked.index("UpdateFunctionUrlConfig") < asked.index("PutParameter")
        assert preview("down", "15", "--yes")[0] == 0

    @pytest.mark.prove
    def test_completes_what_was_left_half_made(self, preview, deployed: Shop) -> None:
        """A copied schema that does not say its revision is made again; the list shows what is missing."""
        shop = replace(deployed, number=14)
        shop.provider.create(BranchSpec("pr-14", with_data=False))
        assert json.loads(preview("list", "-o", "json")[1])[0]["missing"] == "function, URL"
        code, _, err = preview("up", "14", "--expires", "never")
        assert (code, "it was left half made" in err) == (0, True)
        assert query(shop.database(), "SELECT version_num FROM alembic_version") == [("one",)]
        assert preview("down", "14", "--yes")[0] == 0

    @pytest.mark.prove
    def test_two_at_once_do_not_disturb_each_other(self, deployed: Shop, preview) -> None:
        """Each has its own code, branch and secrets; one package is built for both."""
        site = PreviewSite(
            deployed.history.project,
            deployed.account,
            find_stage(deployed.history.project),
            deployed.provider,
            ProviderName.NEON,
            deployed.provider.list()[0],
            Target.of(deployed.history.project),
            deployed.history.project.root / "dist",
        )

        def up(number: int) -> PreviewUp:
            made = PreviewUp(site, PreviewWishes(number), lambda _: None)
            execute(made.steps(), lambda _: None)
            return made

        with ThreadPoolExecutor() as threads:
            made = list(threads.map(up, (31, 32)))
        assert [httpx2.get(each.url.url).text for each in made if each.url] == ["first", "first"]
        urls = {deployed.secrets().get(f"preview/pr-{each.number}", "DATABASE_URL") for each in made}
        assert len(urls) == 2
        for number in ("31", "32"):
            assert preview("down", number, "--yes")[0] == 0

    @pytest.mark.parametrize(
        ("arguments", "code", "error"),
        [
            (("12", "--stage", "staging"), 2, "STAGE_NOT_FOUND"),
            (("0",), 2, "USAGE"),
            (("12345678",), 2, "PREVIEW_NUMBER_INVALID"),
            (("12", "--expires", "soon"), 2, "USAGE"),
            (("12", "--provider", "x"), 2, "USAGE"),
        ],
    )
    def test_refuses_what_cannot_be_meant(self, preview, deployed: Shop, arguments, code, error) -> None:
        """Before anything is made."""
        done, _, err = preview("up", *arguments)
        assert (done, f"error[{error}]" in err, deployed.left()) == (code, True, [])

    def test_refuses_a_stage_that_is_not_deployed(self, preview, deployed: Shop) -> None:
        """There is neither a role nor a bucket, and no branch is made."""
        code, _, err = preview("up", "12", AWS_REGION="eu-west-1", AWS_DEFAULT_REGION="eu-west-1")
        assert (code, "STACK_NOT_FOUND" in err, deployed.left()) == (1, True, [])


class TestSweep:
    """`bough preview sweep`."""

    @pytest.mark.prove
    def test_removes_what_belongs_to_closed_pull_requests(self, preview, deployed: Shop) -> None:
        """Also a branch without a function, and the reverse; young ones and those that are open stay."""
        shop = replace(deployed, number=21)
        stage = find_stage(shop.history.project)
        shop.provider.create(BranchSpec("pr-21"))
        make(shop.account, stage.preview(22), zipped(shop.history.project.root, "orphan"))
        make(shop.account, stage.preview(23), zipped(shop.history.project.root, "open"))
        rows = json.loads(preview("sweep", "--delete", "--open-pull-requests", "none", "-o", "json")[1])
        assert {row["action"] for row in rows} == {"keep"}
        options = ("sweep", "--grace", "1s", "-o", "json", "--open-pull-requests")
        assert (preview(*options, "23,")[0], preview(*options, "")[0]) == (0, 1)
        assert shop.left() == ["pr-21"]
        code, out, _ = preview(*options, "23", "--delete")
        assert (code, {row["number"]: row["action"] for row in json.loads(out)}) == (
            0,
            {21: "deleted", 22: "deleted", 23: "keep"},
        )
        assert (shop.left(), replace(shop, number=22).left()) == ([], [])
        Functions(shop.account).delete(stage.preview(23))

    @pytest.mark.prove
    def test_keeps_what_was_opened_again_meanwhile(self, preview, deployed: Shop, monkeypatch) -> None:
        """It is asked once more right before each end."""
        shop = replace(deployed, number=24)
        shop.provider.create(BranchSpec("pr-24"))
        answers = iter([None, "pull request 24 is open"])
        monkeypatch.setattr(GivenPullRequests, "why_keep", lambda *_: next(answers))
        options = ("--delete", "--grace", "1s", "--open-pull-requests", "none", "-o", "json")
        time.sleep(1)
        (row,) = json.loads(preview("sweep", *options)[1])
        assert (row["action"], row["reason"]) == ("keep", "pull request 24 is open")
        assert shop.left() == ["pr-24"]
        shop.provider.delete("pr-24")
