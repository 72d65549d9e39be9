"""Supabase's answers in the kit's words, those too that the stub cannot be made to give."""

from __future__ import annotations

import pytest

from infra.branches.errors import (
    BranchError,
    BranchNameMissingError,
    BranchNotFoundError,
    BranchProtectedError,
    ProjectNotFoundError,
    ProviderAuthError,
    ProviderUnavailableError,
    TargetError,
)
from infra.branches.provider import BranchSpec, DatabaseRole
from infra.branches.supabase.api import SupabaseApi
from infra.branches.supabase.provider import SupabaseProvider
from infra.branches.supabase.urls import Hosting
from infra.deadline import Deadline
from infra.http import HttpClient
from tests.support.scripted_api import Reply, ScriptedApi

REF = "abcdefghijklmnopqrst"
BRANCHES = f"GET /v1/projects/{REF}/branches"
PROJECT = {
    "ref": REF,
    "status": "ACTIVE_HEALTHY",
    "created_at": "2026-01-01T00:00:00Z",
    "database": {"host": f"db.{REF}.supabase.co"},
}


@pytest.fixture
def script():
    """What is answered, by request; everything else is not found."""
    return {}


@pytest.fixture
def server(script):
    """The server that follows it."""
    server = ScriptedApi(
        lambda each: script.get(f"{each.method} {each.path}", Reply(404, {"message": "Not Found"}))
    )
    yield server
    server.stop()


@pytest.fixture
def provider(server):
    """The adapter on it."""
    with SupabaseProvider(
        REF, "token", announce=lambda _: None, base_url=server.url, deadline=1.0, poll=0.01
    ) as provider:
        yield provider


class TestList:
    def test_default_branch_is_there_before_supabase_lists_it(self, script, provider):
        """A project without branches is its own default branch."""
        script[BRANCHES] = Reply(200, [])
        script[f"GET /v1/projects/{REF}"] = Reply(200, PROJECT)
        (default,) = provider.list()
        assert (default.id, default.is_default, default.is_protected, default.parent_id) == (
            REF,
            True,
            True,
            None,
        )

    @pytest.mark.parametrize(
        ("reply", "error"),
        [
            (Reply(401, {"message": "Unauthorized"}), ProviderAuthError),
            (Reply(403, {"message": "Forbidden resource"}), ProviderAuthError),
            (Reply(404, {"message": "Project not found"}), ProjectNotFoundError),
            (Reply(402, {"message": "Upgrade"}), BranchError),
            (Reply(500, {"message": "Failed to retrieve preview branches"}), ProviderUnavailableError),
            (Reply(429, {"message": "ThrottlerException"}, {"Retry-After": "60"}), ProviderUnavailableError),
            (Reply(200, "<html>a proxy's"), ProviderUnavailableError),
            (Reply(200, [{"name": "main"}]), ProviderUnavailableError),
        ],
        ids=lambda each: str(each.status) if isinstance(each, Reply) else each.__name__,
    )
    def test_refusals_have_their_own_error(self, script, provider, reply, error):
        """Each says what Supabase said, or what is wrong with its answer, and how to go on."""
        script[BRANCHES] = reply
        with pytest.raises(error) as caught:
            provider.list()
        said = reply.body["message"] if isinstance(reply.body, dict) else "answer"
        assert said in str(caught.value)
        assert caught.value.hint or reply.status == 500

    def test_exit_code_of_a_wrong_token_is_its_own(self, script, provider):
        """Scripts tell it from everything else."""
        script[BRANCHES] = Reply(401)
        with pytest.raises(ProviderAuthError) as caught:
            provider.list()
        assert caught.value.exit_code == 4


class TestCreate:
    def test_nothing_is_made_when_the_answers_stay_lost(self, script, server, provider):
        """It is tried a few times, looked for in between, and given up with the reason."""
        script[BRANCHES] = Reply(200, [])
        script[f"GET /v1/projects/{REF}"] = Reply(200, PROJECT)
        script[f"POST /v1/projects/{REF}/branches"] = Reply(502, {"message": "Bad gateway"})
        with pytest.raises(ProviderUnavailableError, match="after 3 tries"):
            provider.create(BranchSpec("preview", with_data=False))
        asked = server.asked
        assert asked.count(f"POST /v1/projects/{REF}/branches") == 3
        first, second = [index for index, each in enumerate(asked) if each.startswith("POST")][:2]
        assert BRANCHES in asked[first:second]


class TestPooledUrl:
    @pytest.mark.parametrize(
        ("user", "host", "wanted"),
        [
            (f"postgres.{REF}", "aws-1-eu-central-1.pooler.supabase.com", f"bough_app.{REF}"),
            ("postgres", f"db.{REF}.supabase.co", "bough_app"),
        ],
        ids=["shared", "dedicated"],
    )
    def test_user_is_what_the_pooler_tells_projects_apart_by(self, script, provider, user, host, wanted):
        """The shared pooler by the user's name, a project's own by its host; both with TLS."""
        script[BRANCHES] = Reply(200, [])
        script[f"GET /v1/projects/{REF}"] = Reply(200, PROJECT)
        detail = {"ref": REF, "status": "ACTIVE_HEALTHY", "db_host": f"db.{REF}.supabase.co", "db_port": 5432}
        script[f"GET /v1/branches/{REF}"] = Reply(200, {**detail, "db_pass": "it"})
        pooler = {"database_type": "PRIMARY", "pool_mode": "transaction", "db_name": "postgres"}
        script[f"GET /v1/projects/{REF}/config/database/pooler"] = Reply(
            200, [{**pooler, "db_user": user, "db_host": host, "db_port": 6543}]
        )
        url = provider.pooled_url("main", DatabaseRole.APP)
        assert (url.user, url.host, url.port, url.sslmode) == (wanted, host, 6543, "require")


class TestHosting:
    @pytest.mark.parametrize(
        "host", ["db.abc.supabase.co", "aws-0-x.pooler.supabase.com", "DB.ABC.SUPABASE.CO"]
    )
    def test_supabases_hosts_are_taken(self, host):
        """Whatever the region or the generation of the pooler."""
        Hosting().check(host)

    @pytest.mark.parametrize("host", ["evilsupabase.com", "supabase.com.example.com", "127.0.0.1", ""])
    def test_others_are_refused(self, host):
        """A name that ends or begins alike is somebody else's."""
        with pytest.raises(TargetError):
            Hosting().check(host)


class TestSupabaseApi:
    @pytest.mark.parametrize(
        "ref", ["", "ABC", "abcdefghijklmnopqrs", "abcdefghijklmnopqrst/actions", "../projects"]
    )
    def test_what_is_no_project_is_refused_before_anything_is_sent(self, server, ref):
        """A reference is put into paths."""
        with pytest.raises(ProjectNotFoundError):
            SupabaseProvider(ref, "token", announce=lambda _: None, base_url=server.url)
        assert not server.asked

    def test_empty_token_is_refused(self):
        """With the variable that holds it."""
        with pytest.raises(ProviderAuthError) as caught:
            SupabaseProvider(REF, "", announce=lambda _: None)
        assert "SUPABASE_ACCESS_TOKEN" in caught.value.hint

    def test_request_about_a_branch_never_goes_out_without_one(self, server):
        """Every route that names a branch refuses what is none."""
        with HttpClient(server.url, "token", service="Supabase", announce=lambda _: None) as http:
            api = SupabaseApi(http, REF, Deadline(1.0))
            for act in (api.detail, api.delete_branch, api.reset_branch, api.runs, api.poolers, api.backups):
                with pytest.raises(BranchNameMissingError):
                    act(" ")
        assert not server.asked

    def test_project_itself_is_never_a_preview(self, server):
        """However the API lists it: neither deleted nor reset, and nothing is sent."""
        with HttpClient(server.url, "token", service="Supabase", announce=lambda _: None) as http:
            api = SupabaseApi(http, REF, Deadline(1.0))
            for act in (api.delete_branch, api.reset_branch):
                with pytest.raises(BranchProtectedError, match="the project itself"):
                    act(REF)
        assert not server.asked

    def test_branch_that_is_gone_is_told_from_a_project_that_is(self, server):
        """By what the request named."""
        with HttpClient(server.url, "token", service="Supabase", announce=lambda _: None) as http:
            api = SupabaseApi(http, REF, Deadline(1.0))
            for act in (api.detail, api.poolers, api.runs):
                with pytest.raises(BranchNotFoundError):
                    act("tsrqponmlkjihgfedcba")
            with pytest.raises(ProjectNotFoundError):
                api.branches()
