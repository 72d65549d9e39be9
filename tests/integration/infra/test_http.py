"""The client of HTTP APIs: what it tries again, what it says, and what it never shows."""

from __future__ import annotations

import logging
import time
import traceback
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import http as http_module
from infra.deadline import Deadline
from infra.http import HttpClient
from infra.http_errors import (
    HttpAmbiguousError,
    HttpConfigurationError,
    HttpError,
    HttpStatusError,
    HttpUnreachableError,
)
from tests.support.scripted_api import DROP, Reply, ScriptedApi

TOKEN = "secret-token-9f2"
NOWHERE = HttpClient("http://127.0.0.1:9", TOKEN, service="Neon", announce=print)


@pytest.fixture
def api():
    """A server that answers by `api.replies`, the last one for ever."""
    replies = [Reply(200, {"fine": True})]
    server = ScriptedApi(lambda _: replies.pop(0) if len(replies) > 1 else replies[0])
    server.replies = replies
    yield server
    server.stop()


@pytest.fixture
def said():
    """What was announced."""
    return []


@pytest.fixture
def client(api, said, monkeypatch):
    """A client of that server, whose waits are short."""
    monkeypatch.setattr(http_module, "_FIRST_WAIT", 0.01)
    with HttpClient(
        api.url, TOKEN, service="Neon", announce=said.append, deadline=3.0, try_timeout=0.3
    ) as client:
        yield client


class TestRequest:
    def test_answer_is_read_as_json(self, client, api):
        """Path segments are encoded, parameters and body sent, the token and an id in the headers."""
        api.replies[:] = [Reply(201, {"id": 1})]
        answer = client.request("POST", "a", "b/c", query={"pooled": True, "limit": 3}, body={"n": None})
        assert (answer.status, answer.json()) == (201, {"id": 1})
        (received,) = api.received
        assert (received.path, received.query) == ("/a/b/c", {"pooled": "true", "limit": "3"})
        assert received.body == {"n": None}
        assert received.headers["Authorization"] == f"Bearer {TOKEN}"
        assert len(received.headers["X-Request-ID"]) == 36

    def test_answer_that_is_no_json_is_said(self, client, api):
        """A page of some proxy does not pass for an answer, and is not quoted at length."""
        api.replies[:] = [Reply(200, "<html>")]
        with pytest.raises(HttpUnreachableError, match="no JSON"):
            client.request("GET", "a").json()

    @given(st.sampled_from(["", " ", "\t\n", ".", ".."]), st.integers(0, 2))
    def test_blank_segment_is_refused_before_anything_is_sent(self, blank, position):
        """A path with a hole in it is another request, so none is built."""
        path = ["a", "b"]
        path.insert(position, blank)
        with pytest.raises(ValueError, match="segment"):
            NOWHERE.request("DELETE", *path)
        with pytest.raises(ValueError, match="parameter branch_id is blank"):
            NOWHERE.request("GET", "a", query={"branch_id": blank.strip(".")})


class TestTriedAgain:
    @pytest.mark.parametrize("status", [423, 429, 503])
    def test_refusal_is_tried_again_whatever_the_method(self, client, api, said, status):
        """These say that nothing was begun; each wait is announced once, with the reason."""
        api.replies.insert(0, Reply(status, {"code": "", "message": "later"}))
        assert client.request("POST", "a", body={}).json() == {"fine": True}
        assert len(api.received) == 2
        assert len({each.headers["X-Request-ID"] for each in api.received}) == 1
        (line,) = said
        assert line.startswith("Neon ")
        assert f"({status}); trying again in 0.0 s" in line

    @pytest.mark.parametrize("reply", [Reply(502), Reply(504), DROP, Reply(delay=0.4)])
    def test_lost_answer_to_a_get_is_tried_again(self, client, api, said, reply):
        """Reading twice changes nothing."""
        api.replies.insert(0, reply)
        assert client.request("GET", "a").json() == {"fine": True}
        assert len(said) == 1

    @pytest.mark.parametrize("reply", [Reply(500), Reply(502), Reply(504), DROP, Reply(delay=0.4)])
    def test_lost_answer_to_a_write_is_left_to_the_caller(self, client, api, said, reply):
        """It may have been done: sent once, and raised as what it is."""
        api.replies.insert(0, reply)
        with pytest.raises(HttpAmbiguousError, match="not known whether it was done"):
            client.request("POST", "a", body={})
        assert (len(api.received), said) == (1, [])

    def test_write_that_may_be_repeated_is(self, client, api):
        """A DELETE by id, or a PATCH with fixed values, does the same twice as once."""
        api.replies.insert(0, DROP)
        client.request("DELETE", "a", repeatable=True)
        assert len(api.received) == 2

    def test_refused_connection_is_tried_again_until_the_deadline(self, client, api, said):
        """Nothing was sent, so a write too is tried again; at the end it says how long."""
        api.stop()
        with pytest.raises(HttpUnreachableError, match="cannot be reached") as caught:
            client.request("POST", "a", body={}, deadline=Deadline(0.2))
        assert caught.value.hint == "gave up after 0.2 s; try again later"
        assert len(said) >= 2

    def test_wait_that_took_all_that_was_left_hides_no_reason(self, api, monkeypatch):
        """On a busy machine a wait may outlast the deadline: what is raised is what went wrong before it."""
        monkeypatch.setattr(http_module, "_FIRST_WAIT", 0.01)
        api.stop()
        busy = HttpClient(api.url, TOKEN, service="Neon", announce=lambda _: time.sleep(0.2))
        with busy as client, pytest.raises(HttpUnreachableError, match="cannot be reached") as caught:
            client.request("GET", "a", deadline=Deadline(0.1))
        assert caught.value.hint == "gave up after 0.1 s; try again later"

    def test_nobody_waits_long_for_what_does_not_listen(self, client, api, said, monkeypatch):
        """A mistyped address does not hold a command until its deadline."""
        monkeypatch.setattr(http_module, "_CONNECT_PATIENCE", 0.2)
        api.stop()
        started = time.monotonic()
        with pytest.raises(HttpUnreachableError, match="cannot be reached") as caught:
            client.request("GET", "a", deadline=Deadline(60.0))
        assert caught.value.hint == "gave up after 0.2 s; try again later"
        assert time.monotonic() - started < 5
        assert len(said) >= 2

    @pytest.mark.parametrize("status", [301, 400, 401, 404, 409, 422])
    def test_other_answers_are_final(self, client, api, said, status):
        """They are raised at once, with code, message and the request's id."""
        api.replies.insert(0, Reply(status, {"code": "NOT_SO", "message": "no such thing"}))
        with pytest.raises(HttpStatusError, match=f"{status}: no such thing") as caught:
            client.request("GET", "a")
        assert (caught.value.status, caught.value.api_code) == (status, "NOT_SO")
        assert api.received[0].headers["X-Request-ID"] in str(caught.value)
        assert said == []


class TestRetryAfter:
    @pytest.mark.parametrize("form", ["seconds", "date"])
    def test_wish_is_followed(self, client, api, said, form):
        """At least as long as the API asks for, in either notation."""
        value = "1" if form == "seconds" else formatdate(time.time() + 1.9, usegmt=True)
        api.replies.insert(0, Reply(429, {}, {"Retry-After": value}))
        started = time.monotonic()
        client.request("GET", "a")
        assert time.monotonic() - started >= 0.9
        assert len(said) == 1

    def test_wish_beyond_the_deadline_ends_it_at_once(self, client, api, said):
        """Waiting would be for nothing; the hint has both numbers."""
        api.replies[:] = [Reply(429, {"message": "slow down"}, {"Retry-After": "600"})]
        with pytest.raises(HttpStatusError, match="slow down") as caught:
            client.request("GET", "a")
        assert "asks to wait 600 s, longer than the 3 s left" in caught.value.hint
        assert said == []

    def test_chance_never_takes_the_last_try_away(self, client, api, monkeypatch):
        """A wish that fits into the time left is followed, though a longer wait would not."""
        monkeypatch.setattr(http_module.random, "uniform", lambda _, most: 100 * most)
        api.replies[:] = [Reply(503, {}, {"Retry-After": "1"}), Reply(200, {})]
        assert client.request("POST", "a").status == 200


class TestDeadline:
    def test_answer_that_only_trickles_is_given_up(self, client, api):
        """One byte now and then keeps a connection alive, and nobody waiting."""
        api.replies[:] = [Reply(200, {"long": "x" * 200}, drip=0.05)]
        began = time.monotonic()
        with pytest.raises(HttpAmbiguousError, match=r"took longer than 0.3 s"):
            client.request("POST", "a")
        assert time.monotonic() - began < 3

    def test_nothing_is_sent_when_no_time_is_left(self, client, api):
        """A write that went out then would be one whose answer nobody waits for."""
        with pytest.raises(HttpUnreachableError, match="was not asked: no time is left"):
            client.request("POST", "a", deadline=Deadline(0))
        assert api.asked == []


class TestErrorText:
    def test_what_would_act_on_a_terminal_is_left_out(self, client, api):
        """An API, or who stands in for it, writes nothing but words into a log."""
        api.replies[:] = [Reply(400, {"message": "a\x1b[2Jb\r\n\ud800c" + "d" * 10_000})]
        with pytest.raises(HttpStatusError) as caught:
            client.request("GET", "a")
        assert caught.value.api_message.startswith("a [2Jb cd")
        assert len(str(caught.value)) < 700

    @pytest.mark.parametrize("status", [200, 400])
    def test_answer_that_no_reader_follows_is_an_error_of_ours(self, client, api, status):
        """However deep it goes."""
        api.replies[:] = [Reply(status, "[" * 100_000)]
        with pytest.raises(HttpError):
            client.request("GET", "a").json()


class TestToken:
    def test_token_shows_nowhere(self, client, api, said, caplog):
        """Not in what is printed, logged, raised or kept in a traceback's chain."""
        shown = [repr(client), str(vars(client)), repr(client._client.__dict__)]
        with caplog.at_level(logging.DEBUG):
            for reply in (Reply(401, {"message": "bad"}), DROP, Reply(502), Reply(200, "no json")):
                api.replies.insert(0, reply)
                with pytest.raises(HttpError) as caught:
                    client.request("POST", "a", body={}).json()
                error = caught.value
                assert error.__cause__ is None
                assert error.__context__ is None
                lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
                shown += [repr(error), *lines]
        assert TOKEN not in "".join([*shown, *said, caplog.text])

    @pytest.mark.parametrize("token", ["", "two words", "line\nend", "naïve"])
    def test_impossible_token_is_refused_unquoted(self, token):
        """Before the HTTP library could quote it."""
        with pytest.raises(HttpConfigurationError, match="token for Neon") as caught:
            HttpClient("https://console.neon.tech/api/v2", token, service="Neon", announce=print)
        assert not token or token not in str(caught.value)

    @pytest.mark.parametrize(
        "url", ["", "console.neon.tech", "ftp://x.example", "https://user:pw@x.example", "https://x:port"]
    )
    def test_impossible_address_is_refused(self, url):
        """An address that is none, or that holds credentials."""
        with pytest.raises(HttpConfigurationError, match="not a plain URL"):
            HttpClient(url, TOKEN, service="Neon", announce=print)

    def test_token_is_not_sent_unencrypted(self):
        """Plain HTTP is for loopback."""
        with pytest.raises(HttpConfigurationError, match="unencrypted"):
            HttpClient("http://console.neon.tech/api/v2", TOKEN, service="Neon", announce=print)
