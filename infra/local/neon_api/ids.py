"""Ids of the kind that Neon gives: words that can be told apart, and enough chance to be unique."""

from __future__ import annotations

import secrets
import string
from typing import Final

_ADJECTIVES: Final = (
    "ancient autumn billowing bitter blue bold broad calm cold cool crimson damp dark dawn divine dry "
    "empty falling fancy flat fragrant frosty gentle green hidden holy icy jolly late lingering little "
    "lively long lucky misty morning muddy mute nameless noisy odd old orange patient plain polished "
    "proud purple quiet rapid raspy red restless rough round royal shiny shrill shy silent small snowy "
    "soft solitary spring square steep still summer super sweet tight tiny twilight wandering weathered "
    "white wild winter wispy withered yellow young"
)
_NOUNS: Final = (
    "art band bar base bird block boat bonus bread breeze brook bush butterfly cake cell cherry cloud "
    "credit darkness dawn dew disk dream dust feather field fire firefly flower fog forest frog frost "
    "glade glitter grass hall hat haze heart hill king lab lake leaf limit math meadow mode moon morning "
    "mountain mouse mud night paper pine poetry pond queen rain recipe resonance rice river salad scene "
    "sea shadow shape silence sky smoke snow snowflake sound star sun surf term thunder tooth tree truth "
    "union unit violet voice water wave wildflower wind wood"
)
_ALPHABET: Final = string.ascii_lowercase + string.digits


def branch_id() -> str:
    """Return a new branch's id."""
    return f"br-{_words()}-{_random(8)}"


def endpoint_id() -> str:
    """Return a new endpoint's id."""
    return f"ep-{_words()}-{_random(8)}"


def project_id() -> str:
    """Return a new project's id."""
    return f"{_words()}-{''.join(secrets.choice(string.digits) for _ in range(8))}"


def _words() -> str:
    return f"{secrets.choice(_ADJECTIVES.split())}-{secrets.choice(_NOUNS.split())}"


def _random(length: int) -> str:
    return "a" + "".join(secrets.choice(_ALPHABET) for _ in range(length - 1))
