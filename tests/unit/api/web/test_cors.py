"""Which pages may call the API: what browsers are told, behind a Function URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.app import create_app
from api.settings import WebSettings
from tests.support.handler_copy import handler_around
from tests.support.lambda_events import Context, function_url

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = "https://app.example.com"


class Browser:
    """Asks an application by way of the handler's own adapter."""

    def __init__(self, module: Any, *origins: str) -> None:
        app = create_app(WebSettings(cors_origins=origins))
        self._ask = module.Mangum(module.Edge(app), lifespan="off")

    def ask(
        self, method: str, origin: str, path: str = "/healthz", **headers: str
    ) -> tuple[int, dict[str, str]]:
        """Return the status, and the headers that CORS is made of."""
        sent = {"origin": origin, **{name.replace("_", "-"): value for name, value in headers.items()}}
        answer = self._ask(function_url(method, path, headers=sent), Context())
        named = answer["headers"].items()
        return answer["statusCode"], {
            name: value for name, value in named if name.startswith(("access-", "vary"))
        }


@pytest.fixture(scope="module")
def loaded() -> Iterator[Any]:
    """The handler, whose own application is not asked."""
    with handler_around("tests.support.probe_app:app") as module:
        yield module


@pytest.fixture(scope="module")
def browser(loaded: Any) -> Browser:
    """One that asks an API which a page may call."""
    return Browser(loaded, PAGE)


class TestPreflight:
    """What a browser asks before a request with a body, a token or a method of its own."""

    def test_page_is_allowed_every_method_and_its_headers(self, browser: Browser) -> None:
        """Answered by the application, for ten minutes; a token goes in a header and never as a cookie."""
        status, headers = browser.ask(
            "OPTIONS",
            PAGE,
            access_control_request_method="PATCH",
            access_control_request_headers="authorization,idempotency-key",
        )
        assert status == 200
        assert set(headers.pop("access-control-allow-methods").split(", ")) >= {"PATCH", "PUT", "DELETE"}
        assert headers.pop("vary").startswith("Origin")
        assert headers == {
            "access-control-allow-origin": PAGE,
            "access-control-allow-headers": "authorization,idempotency-key",
            "access-control-max-age": "600",
        }

    @pytest.mark.parametrize("origin", ["https://evil.example", f"{PAGE}.evil.example", "null"])
    def test_other_page_is_refused(self, browser: Browser, origin: str) -> None:
        """Its browser sends the request itself no more."""
        status, headers = browser.ask("OPTIONS", origin, access_control_request_method="PATCH")
        assert status == 400
        assert "access-control-allow-origin" not in headers

    def test_without_origins_nobody_is_told_anything(self, loaded: Any) -> None:
        """As it comes, the API has no CORS at all."""
        status, headers = Browser(loaded).ask("OPTIONS", PAGE, access_control_request_method="PATCH")
        assert (status, headers) == (405, {})


class TestAnswer:
    """What comes with the response proper."""

    @pytest.mark.parametrize(("path", "expected"), [("/healthz", 200), ("/nowhere", 404)])
    def test_page_may_read_answer_and_headers(self, browser: Browser, path: str, expected: int) -> None:
        """Errors as well; each header comes once, or browsers refuse both."""
        status, headers = browser.ask("GET", PAGE, path)
        assert (status, headers) == (
            expected,
            {
                "access-control-allow-origin": PAGE,
                "access-control-expose-headers": "x-request-id, retry-after, idempotent-replayed",
                "vary": "Origin",
            },
        )

    def test_other_page_may_not_read_it(self, browser: Browser) -> None:
        """The request is answered, and its browser keeps the answer from it."""
        assert "access-control-allow-origin" not in browser.ask("GET", "https://evil.example")[1]
