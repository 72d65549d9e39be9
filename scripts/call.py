"""`bough call`: one request to the deployed API."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import typer

from infra.config import load_project
from infra.errors import InfraError
from scripts import output
from scripts.aws_options import Local, StageOption, open_stage

if TYPE_CHECKING:
    from infra.aws.account import Account
    from infra.aws.call import Answer
    from infra.aws.function_url import Request
    from infra.aws.stage import Stage

_FIRST_ERROR: Final = 400

#: What HTTP takes as a method or a header's name.
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class RequestInvalidError(InfraError):
    """The request cannot be sent as it was given."""

    code: ClassVar[str] = "REQUEST_INVALID"
    exit_code: ClassVar[int] = 2


def call(
    path: Annotated[str, typer.Argument(help="With its query: /posts?limit=5")],
    *,
    method: Annotated[
        str | None, typer.Option("-X", "--request", help="Without it GET, or POST where there is a body.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("-H", "--header", metavar="NAME: VALUE", help="May be repeated.")
    ] = None,
    body: Annotated[
        str | None,
        typer.Option("-d", "--data", help="The body; `@FILE` for a file's content, `@-` for stdin."),
    ] = None,
    json_body: Annotated[
        str | None, typer.Option("--json", help="A body as --data has it, which is JSON and says so.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            help="Where the bearer token is: `env:NAME` for a variable, `-` for stdin. Not the token itself:"
            " everybody can read command lines.",
        ),
    ] = None,
    qualifier: Annotated[
        str | None,
        typer.Option(help="Call this version or alias itself, past the URL: `7`, `live`, `$LATEST`."),
    ] = None,
    stage: StageOption = None,
    local: Local = False,
) -> None:
    """Send a request to the deployed API: its body to stdout, status and time to stderr.

    Signed where the URL takes signed requests alone. Exits with 1 for a status from 400 on.
    """
    request = _request(path, method, header or [], body, json_body, token)
    account, where = open_stage(load_project(Path.cwd()), stage, local=local)
    answer = _call(account, where, request, qualifier)
    _show(answer)
    if answer.response.status >= _FIRST_ERROR:
        raise typer.Exit(1)


def _call(account: Account, stage: Stage, request: Request, qualifier: str | None) -> Answer:
    from infra.aws import call as calls  # noqa: PLC0415  boto3 takes time that --help need not pay
    from infra.aws.function_errors import FunctionNotFoundError  # noqa: PLC0415  as above
    from infra.aws.functions import Functions  # noqa: PLC0415  as above
    from infra.aws.stage import LIVE  # noqa: PLC0415  as above

    functions = Functions(account)
    if qualifier is not None:
        return calls.through_invoke(functions, stage.api, qualifier, request)
    if (url := functions.url(stage.api, LIVE)) is None:
        raise FunctionNotFoundError(
            f"stage {stage.name} has no URL yet", hint="it has one once it is deployed: bough deploy"
        )
    if url.auth == "AWS_IAM" and any(name == "authorization" for name, _ in request.headers):
        raise RequestInvalidError(
            f"{url.url} takes signed requests, and a request is either signed or has a bearer token",
            hint="call past the URL: --qualifier live",
        )
    return calls.through_url(account, url, request)


def _show(answer: Answer) -> None:
    response = answer.response
    sys.stdout.flush()
    sys.stdout.buffer.write(response.body)
    if response.body and sys.stdout.isatty() and not response.body.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    version = f" by version {answer.version}" if answer.version else ""
    kind = dict(response.headers).get("content-type", "no content type")
    output.say(f"← {response.status} in {answer.seconds * 1000:.0f} ms{version} ({kind})")


def _request(  # noqa: PLR0917  as above
    path: str,
    method: str | None,
    headers: list[str],
    body: str | None,
    json_body: str | None,
    token: str | None,
) -> Request:
    """Return the request that the options mean.

    Raises:
        RequestInvalidError: They contradict each other, or show a token.
    """
    from infra.aws.function_url import Request  # noqa: PLC0415  as above

    if not path.startswith("/"):
        raise RequestInvalidError(f"{path!r} is no path", hint="it begins with a slash: bough call /healthz")
    if body is not None and json_body is not None:
        raise RequestInvalidError("--data and --json both give the body", hint="leave one out")
    given = [("accept", "*/*"), ("user-agent", "bough")]
    if json_body is not None:
        given = [("accept", "application/json"), ("content-type", "application/json"), given[1]]
    if token is not None:
        given.append(("authorization", f"Bearer {_token(token)}"))
    for header in headers:
        name, colon, value = header.partition(":")
        name = name.strip().lower()
        if not colon or not _TOKEN.fullmatch(name) or not (value.isascii() and value.isprintable()):
            raise RequestInvalidError(
                "a header is not NAME: VALUE in plain ASCII", hint="-H 'Accept: text/html'"
            )
        if name == "authorization":
            raise RequestInvalidError(
                "-H shows a token, and command lines can be read by everybody",
                hint="put it into a variable, and give its name: --token env:NAME",
            )
        given = [each for each in given if each[0] != name] + [(name, value.strip())]
    content = _content(json_body if body is None else body)
    plain, _, query = path.partition("?")
    verb = method or ("POST" if content is not None else "GET")
    if not _TOKEN.fullmatch(verb):
        raise RequestInvalidError(f"{verb!r} is no HTTP method", hint="-X PUT")
    return Request(verb.upper(), plain, query, tuple(given), content or b"", "127.0.0.1", 443)


def _content(given: str | None) -> bytes | None:
    if given is None or not given.startswith("@"):
        return given.encode() if given is not None else None
    if given == "@-":
        return sys.stdin.buffer.read()
    return Path(given[1:]).read_bytes()


def _token(given: str) -> str:
    if given == "-":
        token = sys.stdin.readline().strip()
    elif given.startswith("env:"):
        token = os.environ.get(given.removeprefix("env:"), "").strip()
    else:
        raise RequestInvalidError(
            "--token says where the token is, not what it is", hint="--token env:NAME, or - for stdin"
        )
    if not token:
        raise RequestInvalidError(f"there is no token in {'stdin' if given == '-' else given[4:]}")
    return token
