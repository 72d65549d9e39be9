"""Secrets that the environment only names, and the extension that has them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from api import parameters
from api.parameters import ParameterError, renew, secret, secrets_of
from tests.support.parameters_extension import NOT_READY, ParametersExtension, parameters_extension
from tests.support.scripted_api import DROP, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "/bough/shop/production/api/STRIPE_KEY"
VALUE = "sk_live_never+shown/ =?"


@pytest.fixture
def extension(monkeypatch: pytest.MonkeyPatch) -> Iterator[ParametersExtension]:
    """An extension that has one parameter, which a variable names."""
    monkeypatch.setenv("STRIPE_KEY_PARAMETER", NAME)
    monkeypatch.setattr(parameters, "PATIENCE", 0.2)
    with parameters_extension() as extension:
        extension.values[NAME] = VALUE
        yield extension


class TestSecret:
    """`secret`."""

    def test_is_read_once_from_the_parameter_that_its_variable_names(
        self, extension: ParametersExtension
    ) -> None:
        """One request, by the first call; the environment never holds the value."""
        assert [secret("STRIPE_KEY"), secret("STRIPE_KEY")] == [VALUE, VALUE]
        assert extension.names == [NAME]
        assert VALUE not in os.environ.values()

    def test_is_its_own_variable_where_none_names_a_parameter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As on one's own machine."""
        monkeypatch.setenv("STRIPE_KEY", "sk_test")
        assert secret("STRIPE_KEY") == "sk_test"

    def test_refuses_two_sources(
        self, extension: ParametersExtension, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Which one is meant cannot be known, and a rotation would pass a plain one by."""
        monkeypatch.setenv("STRIPE_KEY", "sk_test")
        with pytest.raises(ParameterError, match="STRIPE_KEY: is set, and STRIPE_KEY_PARAMETER too"):
            secret("STRIPE_KEY")
        assert extension.names == []

    def test_says_which_variable_is_missing(self) -> None:
        """Both of its names."""
        with pytest.raises(ParameterError, match="NOWHERE: is not set, and neither is NOWHERE_PARAMETER"):
            secret("NOWHERE")

    @pytest.mark.parametrize("reply", [NOT_READY, DROP, Reply(400, "ThrottlingException"), Reply(500, "")])
    def test_waits_for_an_extension_that_is_not_ready(
        self, extension: ParametersExtension, reply: Reply
    ) -> None:
        """It answers a moment later."""
        extension.replies = [reply, reply]
        assert secret("STRIPE_KEY") == VALUE
        assert extension.names == [NAME] * 3

    def test_gives_up_in_time(self, extension: ParametersExtension) -> None:
        """The message names the parameter."""
        extension.replies = [NOT_READY] * 100
        with pytest.raises(ParameterError, match=rf"{NAME} cannot be read: the extension answers 400"):
            secret("STRIPE_KEY")
        assert 2 < len(extension.names) < 10

    @pytest.mark.parametrize(
        ("reply", "said"),
        [
            (Reply(400, "AccessDeniedException: not authorized"), "AccessDeniedException"),
            (Reply(400, "operation error SSM: ParameterNotFound: "), "ParameterNotFound"),
            (Reply(200, f'{{"Parameter": "{VALUE}'), "holds no parameter"),
        ],
    )
    def test_does_not_repeat_what_stays_refused(
        self, extension: ParametersExtension, reply: Reply, said: str
    ) -> None:
        """One request; the value is nowhere in the error or behind it."""
        extension.replies = [reply]
        with pytest.raises(ParameterError, match=said) as caught:
            secret("STRIPE_KEY")
        assert extension.names == [NAME]
        assert VALUE not in f"{caught.value!r}{caught.value.__cause__!r}{caught.value.__context__!r}"

    def test_says_where_parameters_cannot_be_read(
        self, extension: ParametersExtension, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody is asked outside of Lambda."""
        monkeypatch.delenv("AWS_SESSION_TOKEN")
        with pytest.raises(ParameterError, match="inside a Lambda function alone; set STRIPE_KEY here"):
            secret("STRIPE_KEY")
        assert extension.names == []

    def test_costs_only_the_standard_library(self) -> None:
        """Importing it loads nothing that a foreign app would have to pay for."""
        code = (
            "import sys; before = {*sys.modules}; import api.parameters; added = {*sys.modules} - before;"
            "print(sorted({m.partition('.')[0] for m in added} - {*sys.stdlib_module_names}),"
            " 'http.client' in sys.modules)"
        )
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert out.strip() == "['api'] False"


class TestSecretsOf:
    """`secrets_of`."""

    def test_asks_for_all_before_it_waits_for_one(
        self, extension: ParametersExtension, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two slow answers take the time of one."""
        monkeypatch.setenv("OTHER_PARAMETER", "/other")
        monkeypatch.setattr(parameters, "PATIENCE", 0.5)
        slow = {"Parameter": {"Value": "slow"}}
        extension.replies = [Reply(body=slow, delay=0.3), Reply(body=slow, delay=0.3)]
        assert secrets_of(["STRIPE_KEY", "OTHER", "UNKNOWN"]) == {"STRIPE_KEY": "slow", "OTHER": "slow"}
        assert len(extension.names) == 2

    def test_says_what_is_wrong_with_each(
        self, extension: ParametersExtension, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A line for each variable."""
        monkeypatch.setenv("OTHER_PARAMETER", "/other")
        monkeypatch.setenv("THIRD_PARAMETER", "/third")
        with pytest.raises(ParameterError) as caught:
            secrets_of(["STRIPE_KEY", "OTHER", "THIRD"])
        assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == ["OTHER", "THIRD"]


class TestRenew:
    """`renew`."""

    def test_reads_again_what_was_read(self, extension: ParametersExtension) -> None:
        """It tells whether something has changed."""
        secret("STRIPE_KEY")
        assert not renew(0)
        extension.values[NAME] = "new"
        assert renew(0)
        assert secret("STRIPE_KEY") == "new"
        assert extension.names == [NAME] * 3

    def test_leaves_young_secrets_alone(self, extension: ParametersExtension) -> None:
        """Nor does it read what nobody has needed."""
        assert not renew(0)
        secret("STRIPE_KEY")
        assert not renew()
        assert extension.names == [NAME]

    def test_keeps_what_it_has_where_nothing_can_be_read(
        self, extension: ParametersExtension, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The log says why."""
        secret("STRIPE_KEY")
        extension.values.clear()
        assert not renew(0)
        assert secret("STRIPE_KEY") == VALUE
        assert f"SECRET_UNAVAILABLE: STRIPE_KEY: the parameter {NAME} cannot be read" in caplog.text

    def test_takes_what_can_be_read_though_another_cannot(
        self, extension: ParametersExtension, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A parameter that somebody has deleted must not keep a rotated password away."""
        monkeypatch.setenv("DATABASE_URL_PARAMETER", "/url")
        extension.values["/url"] = "old"
        secrets_of(["STRIPE_KEY", "DATABASE_URL"])
        del extension.values[NAME]
        extension.values["/url"] = "new"
        assert renew(0)
        assert [secret("STRIPE_KEY"), secret("DATABASE_URL")] == [VALUE, "new"]

    def test_tries_again_soon_where_nothing_could_be_read(
        self, extension: ParametersExtension, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ten minutes later the others would use what this one has not read."""
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now)
        secret("STRIPE_KEY")
        extension.values.clear()
        renew(0)
        extension.values[NAME] = "new"
        now += 29
        assert not renew()
        now += 2
        assert renew()
