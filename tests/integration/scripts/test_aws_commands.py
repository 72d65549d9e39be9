"""`bough call`, `bough logs` and `bough destroy`, on a stage of the AWS of this machine."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, NamedTuple

import pytest

from infra.aws.functions import Functions
from infra.aws.stage import LIVE
from tests.support.published import lead, publish, zipped

if TYPE_CHECKING:
    from pathlib import Path

    from infra.aws.account import Account
    from tests.support.histories import History

_numbers = itertools.count()


class Shop(NamedTuple):
    """A stage whose version 1 is live at a URL."""

    account: Account
    stage: str
    environment: dict[str, str]

    @property
    def function(self) -> str:
        return f"shop-{self.stage}-api"


@pytest.fixture
def shop(account: Account, history: History, tmp_path: Path) -> Shop:
    stage = f"c{next(_numbers)}"
    pyproject = history.project.root / "pyproject.toml"
    pyproject.write_text(
        f'{pyproject.read_text()}\n[tool.bough.aws]\nservice = "shop"\n[tool.bough.stages.{stage}]\n'
    )
    made = Shop(account, stage, account.environment())
    publish(account, made.function, zipped(tmp_path, "one", fails=("/fails",)))
    lead(account, made.function, "1")
    Functions(account).ensure_url(made.function, LIVE, "NONE")
    return made


class TestCall:
    """`bough call`, and the logs of it."""

    def test_shows_the_body_and_how_it_went(self, shop: Shop, in_history) -> None:
        """A token comes from where everybody cannot read it; 500 is a failure; all of it is logged."""
        code, out, err = in_history(
            "call", "/posts?limit=5", "--token", "env:KEY", KEY="t", **shop.environment
        )
        assert (code, json.loads(out)["headers"]["authorization"]) == (0, "Bearer t")
        assert "← 200 in" in err
        code, out, err = in_history(
            "call", "/fails", "--json", '{"n": 1}', "--qualifier", "1", **shop.environment
        )
        assert (code, json.loads(out)["body"]) == (1, '{"n": 1}')
        assert "ms by version 1 (application/json)" in err
        code, out, _ = in_history("logs", "--filter", "asked", "-o", "json", **shop.environment)
        lines = [json.loads(line) for line in out.splitlines()]
        assert (code, [json.loads(line["message"])["path"] for line in lines]) == (0, ["/posts", "/fails"])
        assert {line["version"] for line in lines} == {"1"}

    def test_shows_logs_for_reading(self, shop: Shop, in_history) -> None:
        """Without what is there for CloudWatch's metrics, and a traceback in lines."""
        code, _, err = in_history("call", "/raises", **shop.environment)
        assert (code, "← 502 in" in err) == (1, True)
        out = in_history("logs", **shop.environment)[1]
        assert " [1] INFO asked path=/raises\n" in out
        assert '\n    raise ValueError("no such thing")\n' in out

    @pytest.mark.parametrize(
        ("arguments", "refusal"),
        [
            (["posts"], "it begins with a slash"),
            (["/", "-H", "Authorization: Bearer secret"], "--token env:NAME"),
            (["/", "--token", "secret"], "--token env:NAME"),
            (["/", "--token", "env:NOT_SET"], "there is no token in NOT_SET"),
            (["/", "-d", "1", "--json", "1"], "leave one out"),
            (["/", "-H", "Accept"], "-H 'Accept: text/html'"),
            (["/", "-H", "X-Name: \u00e4"], "-H 'Accept: text/html'"),
            (["/", "-X", "G T"], "-X PUT"),
        ],
    )
    def test_sends_nothing_that_cannot_be_meant(self, in_history, arguments: list[str], refusal: str) -> None:
        """Nor a token that everybody has seen, which the message does not repeat."""
        code, out, err = in_history("call", *arguments)
        assert (code, out, refusal in err, "secret" in err) == (2, "", True, False)


class TestDestroy:
    """`bough destroy`."""

    def test_goes_on_unasked_for_a_stage_that_is_named_alone(self, in_history) -> None:
        """Before AWS is asked for anything."""
        code, out, err = in_history("destroy", "--yes")
        assert (code, out, "name it: bough destroy STAGE --yes" in err) == (2, "", True)

    @pytest.mark.prove
    def test_asks_for_the_name_or_has_it_given(self, shop: Shop, in_history) -> None:
        """Without a terminal nobody is asked, and nothing removed; a dry run shows what would be."""
        code, _, err = in_history("destroy", **shop.environment)
        assert (code, "There is no terminal to ask on" in err) == (2, True)
        code, out, err = in_history("destroy", "--dry-run", "-o", "json", **shop.environment)
        steps = [row["step"] for row in json.loads(out)]
        assert (code, steps[0], steps[-1]) == (3, "lock", "unlock")
        assert "Its database is not touched" in err
        assert Functions(shop.account).find(shop.function) is not None
        code, out, _ = in_history("destroy", shop.stage, "--yes", "-o", "json", **shop.environment)
        assert (code, shop.function in {row["name"] for row in json.loads(out)}) == (0, True)
        assert Functions(shop.account).find(shop.function) is None
        assert "has nothing in AWS" in in_history("destroy", **shop.environment)[2]
