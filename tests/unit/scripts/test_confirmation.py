"""Questions before something is lost, on a real terminal and without one."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from scripts.confirmation import ConfirmationError, NotConfirmedError, confirm, confirm_by_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Put a terminal in place of stdin; return what types on it."""
    monkeypatch.delenv("CI", raising=False)
    keyboard, terminal = os.openpty()
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield lambda text: os.write(keyboard, f"{text}\n".encode())
        monkeypatch.undo()
    os.close(keyboard)


class TestConfirmByName:
    """`confirm_by_name`."""

    def test_the_name_goes_on(self, type_in, capsys) -> None:
        """The question is on stderr."""
        type_in("dev")
        confirm_by_name("dev and its data are deleted.", "dev", yes=False)
        assert capsys.readouterr().err == "dev and its data are deleted. Type its name to go on: "

    @pytest.mark.parametrize("answer", ["y", "yes", "de", "DEV"])
    def test_anything_else_does_not(self, type_in, answer: str) -> None:
        """Also a yes, which is typed by mistake."""
        type_in(answer)
        with pytest.raises(NotConfirmedError):
            confirm_by_name("dev and its data are deleted.", "dev", yes=False)

    @pytest.mark.parametrize("ci", ["1", "true"])
    def test_nobody_is_asked_in_ci(self, type_in, monkeypatch, ci: str) -> None:
        """A runner may have a terminal, and nobody at it; the hint names the flag."""
        monkeypatch.setenv("CI", ci)
        with pytest.raises(ConfirmationError) as caught:
            confirm_by_name("dev and its data are deleted.", "dev", yes=False)
        assert caught.value.exit_code == 2
        assert "--yes" in (caught.value.hint or "")

    def test_ci_can_be_off(self, type_in, monkeypatch) -> None:
        """`CI=false` is how some say that it is none."""
        monkeypatch.setenv("CI", "false")
        type_in("dev")
        confirm_by_name("dev and its data are deleted.", "dev", yes=False)

    def test_yes_asks_nothing(self) -> None:
        """Without a terminal."""
        confirm_by_name("dev and its data are deleted.", "dev", yes=True)


class TestConfirm:
    """`confirm`."""

    def test_no_ends_it(self, type_in) -> None:
        """So does an empty answer."""
        type_in("")
        with pytest.raises(NotConfirmedError):
            confirm("Data is dropped.", yes=False)
        type_in("y")
        confirm("Data is dropped.", yes=False)
