"""Every command that acts on AWS, where AWS must not be acted on: exit code 4, and nothing was asked for."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
import typer

from scripts import cli
from tests.support.scripted_api import Reply, ScriptedApi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.histories import History

pytestmark = pytest.mark.prove

_REFUSAL = "<ErrorResponse><Error><Code>{}</Code><Message>No entry.</Message></Error></ErrorResponse>"
_IDENTITY = (
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/ann</Arn>"
    "<UserId>A</UserId><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)
#: What commands cannot do without.
_ARGUMENTS = {
    "call": ["/healthz"],
    "migrate apply": ["--remote"],
    "preview down": ["12"],
    "preview up": ["12"],
    "secrets rotate": ["auth"],
    "secrets set": ["KEY"],
}


def _commands(path: tuple[str, ...], command: Any) -> Iterator[tuple[str, ...]]:
    """Yield the commands that take `--local`: those that act on AWS."""
    if any("--local" in parameter.opts for parameter in command.params):
        yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from _commands((*path, name), child)


COMMANDS = [
    [*path, *_ARGUMENTS.get(" ".join(path), [])] for path in _commands((), typer.main.get_command(cli.app))
]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScriptedApi]:
    """AWS, which knows the credentials of the environment, and a project in another account."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "AKIA0",
        "AWS_SECRET_ACCESS_KEY": "never-shown",
    }.items():
        monkeypatch.setenv(name, value)
    server = ScriptedApi(lambda _: Reply(body=_IDENTITY))
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    yield server
    server.stop()


@pytest.fixture
def bough(aws: ScriptedApi, in_history, history: History, monkeypatch: pytest.MonkeyPatch):
    """Run a command in a project of account 444455556666 in eu-central-1, with a secret on stdin."""
    with (history.project.root / "pyproject.toml").open("a") as file:
        file.write(
            '\n[tool.bough.aws]\nservice = "shop"\nregion = "eu-central-1"\naccount = "444455556666"\n'
        )
    monkeypatch.setattr("sys.stdin", io.StringIO("sk_live_never-shown"))
    return in_history


class TestRefusals:
    """Before anything is changed, or looked at."""

    @pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
    def test_credentials_of_another_account(self, bough, aws: ScriptedApi, command: list[str]) -> None:
        """By every command: both accounts are named; who has the credentials is all that was asked."""
        code, out, err = bough(*command)
        assert (code, out, "error[AWS_WRONG_ACCOUNT]" in err) == (4, "", True)
        assert ("444455556666" in err, "111122223333" in err, "never-shown" in err) == (True, True, False)
        assert [each.body for each in aws.received] == ["Action=GetCallerIdentity&Version=2011-06-15"]

    def test_no_credentials(self, bough, aws: ScriptedApi, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing was asked, and the way to some is shown."""
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        code, out, err = bough("deploy")
        assert (code, out, aws.received) == (4, "", [])
        assert "error[AWS_CREDENTIALS_MISSING]" in err
        assert "hint: log in" in err

    @pytest.mark.parametrize(
        ("refusal", "error"), [("ExpiredToken", "EXPIRED"), ("InvalidClientTokenId", "INVALID")]
    )
    def test_credentials_that_aws_refuses(self, bough, aws: ScriptedApi, refusal: str, error: str) -> None:
        """AWS was asked once, and its words are shown."""
        aws.script = lambda _: Reply(403, _REFUSAL.format(refusal))
        code, out, err = bough("deploy")
        assert (code, out, len(aws.received)) == (4, "", 1)
        assert f"error[AWS_CREDENTIALS_{error}]: could not ask AWS who you are: No entry." in err

    def test_another_region(self, bough, aws: ScriptedApi) -> None:
        """The shell's is not the project's."""
        code, out, err = bough("deploy", AWS_REGION="us-east-1")
        assert (code, out, aws.received) == (4, "", [])
        assert "error[AWS_REGION]: AWS_REGION is us-east-1, and the project belongs to eu-central-1" in err

    def test_another_profile(self, bough, aws: ScriptedApi) -> None:
        """One that is not configured."""
        code, out, err = bough("deploy", AWS_PROFILE="nobody")
        assert (code, out, "nobody" in err, aws.received) == (4, "", True, [])
