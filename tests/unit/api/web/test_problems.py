"""Every error as a problem document."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
from fastapi import Body, FastAPI, HTTPException, Query
from pydantic import BaseModel, SecretStr, field_validator
from starlette.testclient import TestClient

from api.app import create_app
from api.database import errors
from api.settings import SettingsError, WebSettings
from api.web import problems
from api.web.openapi import problem_responses


class Credentials(BaseModel):
    email: str
    password: Annotated[SecretStr, Body()]

    @field_validator("password")
    @classmethod
    def long(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 10:
            message = "is too short"
            raise ValueError(message)
        return value


class TakenError(problems.ConflictError):
    code = "EMAIL_TAKEN"


def _app() -> FastAPI:
    app = create_app(WebSettings(cors_origins=("https://web.example",)))

    @app.post("/probe", responses=problem_responses(TakenError, problems.NotFoundError, 409))
    async def probe(credentials: Credentials, tries: Annotated[int, Query()] = 0) -> dict[str, Any]:
        return {"tries": tries}

    @app.patch("/probe")
    async def change_probe() -> None: ...

    @app.get("/raise/{name}")
    async def fail(name: str) -> None:
        raise RAISED[name]

    @app.get("/wrong-response")
    async def wrong_response() -> Credentials:
        return {"email": "a", "password": "hunter2"}  # type: ignore[return-value]

    return app


RAISED: dict[str, BaseException] = {
    "taken": TakenError("This address has an account.", field="email", status=200),
    "unauthorized": problems.UnauthorizedError("Log in first."),
    "throttled": problems.TooManyRequestsError("Slow down.", retry_after=30),
    "teapot": HTTPException(418, "I am one.", {"x-tea": "green"}),
    "odd": HTTPException(499),
    "structured": HTTPException(400, {"any": "thing"}),
    "not-modified": HTTPException(304),
    "bug": ZeroDivisionError("hunter2"),
    "settings": SettingsError("DATABASE_URL: is not set"),
    **{
        kind.__name__: kind("password=hunter2")
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.DatabaseError)
    },
}


@pytest.fixture(scope="module")
def client() -> TestClient:
    """A client of an app with one route for each error."""
    return TestClient(_app(), follow_redirects=False)


class TestDocument:
    """The form of RFC 9457."""

    def test_problem_error_has_all_members(self, client: TestClient) -> None:
        """All members, the extension, and never an extension in place of a member."""
        response = client.get("/raise/taken", headers={"x-request-id": "request-1234"})
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["x-request-id"] == "request-1234"
        assert response.json() == {
            "type": "about:blank",
            "title": "Conflict",
            "status": 409,
            "detail": "This address has an account.",
            "instance": "/raise/taken",
            "code": "EMAIL_TAKEN",
            "request_id": "request-1234",
            "field": "email",
        }
        assert response.status_code == 409

    @pytest.mark.parametrize(
        ("path", "status", "code", "header"),
        [
            ("/raise/unauthorized", 401, "UNAUTHORIZED", ("www-authenticate", "Bearer")),
            ("/raise/throttled", 429, "TOO_MANY_REQUESTS", ("retry-after", "30")),
            ("/raise/teapot", 418, "I_M_A_TEAPOT", ("x-tea", "green")),
            ("/raise/odd", 499, "ERROR", None),
            ("/raise/structured", 400, "BAD_REQUEST", None),
            ("/nowhere", 404, "NOT_FOUND", None),
            ("/probe", 405, "METHOD_NOT_ALLOWED", ("allow", "PATCH, POST")),
        ],
    )
    def test_status_and_headers_are_kept(
        self, client: TestClient, path: str, status: int, code: str, header: tuple[str, str] | None
    ) -> None:
        """Our errors, FastAPI's and the router's have the same form."""
        response = client.get(path)
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert response.json()["status"] == status
        if header:
            assert response.headers[header[0]] == header[1]

    def test_status_without_content_stays_empty(self, client: TestClient) -> None:
        """304 has no body."""
        response = client.get("/raise/not-modified")
        assert (response.status_code, response.content) == (304, b"")

    @pytest.mark.parametrize(("status", "code"), [(413, "CONTENT_TOO_LARGE"), (422, "UNPROCESSABLE_CONTENT")])
    def test_code_does_not_depend_on_python(self, status: int, code: str) -> None:
        """Names that Python changed between 3.11 and 3.13 are RFC 9110's."""
        assert problems.status_code_name(status) == code


class TestValidation:
    """Requests that are not valid."""

    def test_errors_point_and_never_quote(self, client: TestClient) -> None:
        """Pointers and reasons; the refused password is not repeated."""
        response = client.post("/probe?tries=many", json={"password": "hunter2"})
        problem = response.json()
        assert (response.status_code, problem["code"]) == (422, "VALIDATION_FAILED")
        pointers = {error["pointer"] for error in problem["errors"]}
        assert pointers == {"/query/tries", "/body/email", "/body/password"}
        assert {error["detail"] for error in problem["errors"]} >= {
            "Field required",
            "is too short",
        }
        assert "hunter2" not in response.text

    @pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[]", b"null", b""])
    def test_broken_body_is_a_problem(self, client: TestClient, body: bytes) -> None:
        """JSON that does not parse, and JSON of another shape."""
        response = client.post("/probe", content=body, headers={"content-type": "application/json"})
        assert response.status_code in {400, 422}
        assert response.headers["content-type"] == "application/problem+json"


class TestDatabaseErrors:
    """The table of database errors."""

    @pytest.mark.parametrize(
        ("kind", "status", "retry_after"),
        [
            (errors.DatabaseError, 500, None),
            (errors.DatabaseUnavailableError, 503, "2"),
            (errors.DatabaseAuthenticationError, 503, None),
            (errors.ConnectionLostError, 503, "1"),
            (errors.CommitUncertainError, 503, None),
            (errors.PoolExhaustedError, 503, "1"),
            (errors.StatementTimeoutError, 504, None),
            (errors.DeadlineExceededError, 504, None),
            (errors.LockTimeoutError, 503, "1"),
            (errors.SerializationError, 503, "1"),
            (errors.DeadlockError, 503, "1"),
            (errors.ReadOnlySessionError, 500, None),
            (errors.ConstraintViolationError, 409, None),
            (errors.UniqueViolationError, 409, None),
            (errors.ForeignKeyViolationError, 409, None),
            (errors.CheckViolationError, 422, None),
            (errors.NotNullViolationError, 422, None),
        ],
    )
    def test_error_has_status_and_advice(
        self, client: TestClient, kind: type[errors.DatabaseError], status: int, retry_after: str | None
    ) -> None:
        """Each has its status, its code, advice to retry only where that is safe, no driver's message."""
        response = client.get(f"/raise/{kind.__name__}")
        assert (response.status_code, response.json()["code"]) == (status, kind.code)
        assert response.headers.get("retry-after") == retry_after
        assert "hunter2" not in response.text


class TestUnhandled:
    """What no handler knows."""

    def test_bug_is_a_500_and_a_logged_traceback(
        self, client: TestClient, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The client gets code and request id, the log the traceback with the same id, CORS still holds."""
        headers = {"origin": "https://web.example"}
        response = client.get("/raise/bug", headers=headers)
        assert (response.status_code, response.json()["code"]) == (500, "INTERNAL_ERROR")
        assert "hunter2" not in response.text
        assert "Traceback" not in response.text
        assert response.headers["access-control-allow-origin"] == "https://web.example"
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        (error,) = [line for line in lines if line["level"] == "ERROR"]
        assert "ZeroDivisionError" in error["exception"]
        assert error["request_id"] == response.headers["x-request-id"] == response.json()["request_id"]

    def test_invalid_response_logs_no_values(
        self, client: TestClient, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A response that does not fit its model is a bug; its values stay out of response and log."""
        response = client.get("/wrong-response")
        out = capsys.readouterr().out
        assert response.status_code == 500
        assert "ResponseValidationError" in out
        assert "hunter2" not in out + response.text

    def test_missing_settings_say_where_to_look(
        self, client: TestClient, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The log names the variable; the client is sent to /readyz."""
        response = client.get("/raise/settings")
        assert (response.status_code, response.json()["code"]) == (500, "SETTINGS_INVALID")
        assert "DATABASE_URL: is not set" in capsys.readouterr().out


class TestOpenApi:
    """What the document declares."""

    def test_operations_are_named_and_errors_declared(self, client: TestClient) -> None:
        """Operation ids are function names; errors are problem documents with their codes."""
        schema = client.get("/openapi.json").json()
        operation = schema["paths"]["/probe"]["post"]
        assert operation["operationId"] == "probe"
        assert operation["responses"]["409"]["description"] == "`EMAIL_TAKEN`, `CONFLICT`"
        for status in ("400", "404", "409", "422", "default"):
            content = operation["responses"][status]["content"]
            assert content == {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
            }

    def test_fastapis_error_schemas_are_gone(self, client: TestClient) -> None:
        """Nothing refers to FastAPI's own error schemas, and they are not there."""
        text = client.get("/openapi.json").text
        assert "ValidationError" not in text

    def test_docs_are_served(self, client: TestClient) -> None:
        """/docs answers."""
        assert client.get("/docs").status_code == 200
