"""What the Neon adapter sends, and how it reads answers that are odd or refusals."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.branches import errors
from infra.branches.neon.provider import NeonProvider
from infra.branches.provider import BranchSpec, BranchState, DatabaseRole
from tests.support.scripted_api import Reply
from tests.support.scripted_neon import PROJECT, branch, error, main


def _refuse_to_send(*_, **__):
    pytest.fail("a request was sent")


NOWHERE = NeonProvider(PROJECT, "key", base_url="http://127.0.0.1:9", announce=lambda _: None)
NOWHERE._http.request = _refuse_to_send


class TestBlankNames:
    @given(
        blank=st.text(st.sampled_from(" \t\n\r\u00a0\u2003"), max_size=5),
        call=st.sampled_from(
            [
                lambda p, b: p.get(b),
                lambda p, b: p.reset(b),
                lambda p, b: p.restore(b, datetime(2026, 1, 1, tzinfo=UTC)),
                lambda p, b: p.set_expiry(b, None),
                lambda p, b: p.protect(b, on=True),
                lambda p, b: p.delete(b),
                lambda p, b: p.direct_url(b, DatabaseRole.OWNER),
                lambda p, b: p.pooled_url(b, DatabaseRole.APP),
                lambda p, b: p.schema(b),
                lambda p, b: p.diff("main", b),
                lambda p, b: p.diff(b, "main"),
                lambda p, b: p.create(BranchSpec(b)),
                lambda p, b: p.create(BranchSpec("one", parent=b)),
            ]
        ),
    )
    def test_nothing_is_changed_for_a_branch_without_a_name(self, blank, call):
        """An empty name means production to Neon: refused, and no request names a branch."""
        with pytest.raises(errors.BranchNameMissingError):
            call(NOWHERE, blank)

    @given(st.text(max_size=80).filter(lambda text: not re.fullmatch("[a-z0-9-]{1,60}", text)))
    def test_no_request_is_built_with_what_is_no_id(self, wrong):
        """Empty, relative, encoded or too long: what is no id never becomes a part of a path or a query."""
        api = NOWHERE._api()
        for call in (
            api.branch,
            api.endpoints,
            api.databases,
            api.delete_branch,
            lambda b: api.update_branch(b, {}),
            lambda b: api.create_branch(b, {"name": "one"}, {}),
            lambda b: api.restore_branch(b, "br-main", {}),
            lambda b: api.restore_branch("br-1", b, {}),
            lambda b: api.create_endpoint(b, {}),
            lambda b: api.schema(b, "app"),
            lambda b: api.connection_url(None, b, "app", "owner", pooled=False),
        ):
            with pytest.raises((errors.BranchNameMissingError, errors.BranchNameInvalidError)):
                call(wrong)


class TestList:
    def test_all_pages_are_read(self, neon, api, provider):
        """Until there is no cursor; oldest first whatever the pages' order."""
        old = branch("br-old", "old", created_at="2020-01-01T00:00:00Z")
        pages = {
            None: ([main()], "one"),
            "one": ([branch("br-2", "two")], "two"),
            "two": ([old], None),
        }

        def answer(request):
            branches, cursor = pages[request.query.get("cursor")]
            return Reply(200, {"branches": branches, "pagination": {"next": cursor} if cursor else {}})

        neon.before = answer
        assert [each.name for each in provider.list()] == ["old", "main", "two"]
        assert len(api.received) == 3

    @pytest.mark.parametrize("last", ["empty page", "same cursor again"])
    def test_cursor_that_leads_nowhere_ends_it(self, neon, api, provider, last):
        """Neon may send a cursor with the last page too."""

        def answer(request):
            branches = [] if last == "empty page" and "cursor" in request.query else [main()]
            return Reply(200, {"branches": branches, "pagination": {"next": "again"}})

        neon.before = answer
        assert len(provider.list()) == 1
        assert len(api.received) == 2

    @pytest.mark.parametrize(
        ("state", "meant"), [("init", BranchState.CREATING), ("frozen", BranchState.READY)]
    )
    def test_states_are_put_in_the_kits_words(self, neon, provider, state, meant):
        """One that Neon adds later stops nobody."""
        neon.branches["br-1"] = branch("br-1", "one", current_state=state)
        assert provider.get("one").state is meant


class TestFailures:
    @pytest.mark.parametrize(
        ("reply", "kind", "exit_code"),
        [
            (error(401, "no such key"), errors.ProviderAuthError, 4),
            (error(403, "not yours"), errors.ProviderAuthError, 4),
            (error(404, "no such project"), errors.ProjectNotFoundError, 1),
            (error(423, "busy"), errors.BranchBusyError, 1),
            (Reply(429, {}, {"Retry-After": "900"}), errors.ProviderUnavailableError, 1),
            (error(503, "down"), errors.ProviderUnavailableError, 1),
            (error(500, "broken"), errors.BranchError, 1),
            (error(412, "not on this plan"), errors.BranchError, 1),
            (Reply(200, "<html>"), errors.ProviderUnavailableError, 1),
            (Reply(200, {"branches": [{"id": 1}]}), errors.ProviderUnavailableError, 1),
        ],
    )
    def test_answers_end_in_the_kits_errors(self, neon, api, reply, kind, exit_code):
        """By code, then status; each with a sentence and a way on."""
        neon.before = lambda _: reply
        with (
            NeonProvider(PROJECT, "key", base_url=api.url, announce=print, deadline=0.3) as provider,
            pytest.raises(kind) as caught,
        ):
            provider.list()
        assert type(caught.value) is kind
        assert caught.value.exit_code == exit_code
        assert caught.value.hint or reply.status == 500
        assert "key" not in str(caught.value).replace("such key", "").replace("the key may", "")

    @pytest.mark.parametrize("status", ["failed", "error", "cancelled"])
    def test_operation_that_failed_is_an_error(self, neon, provider, status):
        """With the operation's own words and id."""
        failed = {"id": "op-1", "action": "create_branch", "status": status, "error": "no space"}
        neon.before = lambda request: (
            Reply(200, {"operation": failed}) if "/operations/" in request.path else None
        )
        with pytest.raises(errors.BranchError, match=r"could not finish create_branch.*op-1"):
            provider.create(BranchSpec("one"))

    def test_operation_that_does_not_end_is_given_up(self, neon, api):
        """At the deadline, saying which."""
        neon.polls = 10_000
        with (
            NeonProvider(PROJECT, "key", base_url=api.url, announce=print, deadline=0.5) as provider,
            pytest.raises(errors.BranchBusyError, match=r"create_branch|start_compute"),
        ):
            provider.create(BranchSpec("one"))

    def test_missing_key_or_project_is_refused_at_once(self):
        """Before anything is sent."""
        with pytest.raises(errors.ProviderAuthError) as caught:
            NeonProvider(PROJECT, "", announce=print)
        assert "NEON_API_KEY" in caught.value.hint
        for wrong in ("", "a/b", ".."):
            with pytest.raises(errors.ProjectNotFoundError, match="no project's id"):
                NeonProvider(wrong, "key", announce=print)


class TestUrls:
    def test_password_that_is_not_stored_is_said(self, neon, provider):
        """Without the owner's password there is none for the application either."""
        neon.password = ""
        with pytest.raises(errors.BranchError, match="does not give the password of the role 'owner'"):
            provider.pooled_url("main", DatabaseRole.APP)

    def test_database_must_be_clear(self, neon, api, provider):
        """Several databases are not guessed between; a named one spares the question."""
        two = [{"name": name, "owner_name": "owner"} for name in ("app", "other")]
        neon.before = lambda request: (
            Reply(200, {"databases": two}) if request.path.endswith("databases") else None
        )
        with pytest.raises(errors.BranchError, match="has 2 databases: app, other"):
            provider.direct_url("main", DatabaseRole.OWNER)
        with NeonProvider(PROJECT, "key", base_url=api.url, announce=print, database="other") as named:
            assert named.direct_url("main", DatabaseRole.OWNER).host == "127.0.0.1"
        assert api.received[-1].query == {
            "branch_id": "br-main",
            "database_name": "other",
            "role_name": "owner",
            "pooled": "false",
        }

    def test_application_password_is_the_branchs_own(self, neon, provider):
        """Derived: the same for both ways and for ever, another on another branch."""
        neon.branches["br-1"] = branch("br-1", "one")
        direct = provider.direct_url("main", DatabaseRole.APP)
        pooled = provider.pooled_url("main", DatabaseRole.APP)
        other = provider.direct_url("one", DatabaseRole.APP)
        assert direct.user == "bough_app"
        assert direct.libpq() == pooled.libpq()
        assert direct != other
        assert "***" in str(direct)


class TestDiff:
    def test_diff_is_of_the_schemas_alone(self, provider, neon, api):
        """Unified, without the keys that differ with every dump."""
        neon.branches["br-1"] = branch("br-1", "one")
        text = provider.diff("main", "one")
        assert text.splitlines()[0] == "--- main"
        assert [line for line in text.splitlines() if line[0] in "+-"][2:] == ["--- main", "+-- one"]
        assert "restrict" not in provider.schema("one")
        assert provider.diff("one", "br-1") == ""
