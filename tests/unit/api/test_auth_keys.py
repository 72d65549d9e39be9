"""The keys of access tokens: which one signs, and which are still good."""

from __future__ import annotations

import json

import pytest

from api.auth_keys import AuthKey, accepted_keys, read_auth_keys, signing_key

KEYS = (AuthKey("newest", 1000.0), AuthKey("middle", 500.0), AuthKey("oldest"))


class TestReadAuthKeys:
    """`read_auth_keys`."""

    def test_one_key_is_itself(self) -> None:
        """Whatever is in it."""
        assert read_auth_keys('with spaces, and {"keys"') == (AuthKey('with spaces, and {"keys"'),)

    def test_several_keys_say_from_when_they_sign(self) -> None:
        """The newest first."""
        text = json.dumps({"keys": [{"key": "new", "signs_from": 1000}, {"key": "old"}]})
        assert read_auth_keys(text) == (AuthKey("new", 1000.0), AuthKey("old"))

    @pytest.mark.parametrize(
        "text", ['{"keys"', '{"keys": []}', '{"keys": ["hidden"]}', '{"keys": [{"signs_from": 1}]}']
    )
    def test_refuses_what_is_no_list_of_keys(self, text: str) -> None:
        """Without quoting it."""
        with pytest.raises(ValueError, match="is no list of keys") as caught:
            read_auth_keys(text)
        assert "hidden" not in str(caught.value)


class TestSigningKey:
    """`signing_key`."""

    @pytest.mark.parametrize(
        ("now", "key"), [(0, "oldest"), (500, "middle"), (999, "middle"), (1e9, "newest")]
    )
    def test_is_the_newest_whose_time_has_come(self, now: float, key: str) -> None:
        """From its second on."""
        assert signing_key(KEYS, now) == key


class TestAcceptedKeys:
    """`accepted_keys`."""

    @pytest.mark.parametrize(
        ("now", "keys"),
        [
            (0, ["newest", "middle", "oldest"]),
            (510, ["newest", "middle", "oldest"]),
            (511, ["newest", "middle"]),
            (1010, ["newest", "middle"]),
            (1011, ["newest"]),
        ],
    )
    def test_ends_when_the_last_token_has_expired(self, now: float, keys: list[str]) -> None:
        """A new key is good before it signs: another environment's clock may be ahead."""
        assert accepted_keys(KEYS, now, 10) == keys
