"""Argon2's parameters, and what counts as a password."""

from __future__ import annotations

import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from api.auth.passwords import (
    GivenPassword,
    NewPassword,
    _hasher,
    hash_password,
    unknown_user_hash,
    verify_password,
)

PASSWORD = "correct horse battery staple"


class TestHashPassword:
    """Hashing and verifying."""

    def test_uses_the_parameters_of_rfc_9106(self) -> None:
        """Section 4, the option for memory-constrained environments."""
        assert hash_password(PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")

    def test_fits_its_own_password_only(self) -> None:
        """And is not renewed when its parameters are current."""
        hashed = hash_password(PASSWORD)
        assert verify_password(PASSWORD, hashed) == (True, None)
        assert verify_password(PASSWORD + " ", hashed) == (False, None)

    def test_same_characters_composed_differently_are_the_same_password(self) -> None:
        """One keyboard sends é, another e and an accent."""
        assert verify_password(
            "caf\u00e9 caf\u00e9 caf\u00e9", hash_password("cafe\u0301 " * 2 + "cafe\u0301")
        )[0]


class TestUnknownUserHash:
    """The hash that stands in for an unknown user's."""

    def test_costs_as_much_as_a_real_one(self) -> None:
        """The hasher itself finds nothing to renew: parameters, salt and digest have the current sizes."""
        assert not _hasher().current_hasher.check_needs_rehash(unknown_user_hash())

    def test_no_password_fits(self) -> None:
        """Not even when the hash says so: without a user there is nothing to fit."""
        assert verify_password(PASSWORD, None) == (False, None)


class TestPasswordTypes:
    """What a request may send as a password."""

    @pytest.mark.parametrize("value", ["x" * 12, "x" * 128, "\0" * 12, "\U0001d54f" * 128, "  spaces kept  "])
    def test_any_characters_of_the_right_number_are_accepted(self, value: str) -> None:
        """As they are: nothing is stripped or cut."""
        new = TypeAdapter[SecretStr](NewPassword).validate_python(value)
        assert new.get_secret_value() == value
        assert verify_password(value, hash_password(value))[0]

    @pytest.mark.parametrize("value", ["", "x" * 11, "x" * 129, "\udcff" * 12])
    def test_wrong_length_or_half_characters_are_refused(self, value: str) -> None:
        """And not repeated in the error that the client sees."""
        with pytest.raises(ValidationError):
            TypeAdapter[SecretStr](NewPassword).validate_python(value)

    def test_given_password_may_be_short(self) -> None:
        """It was accepted under the rules of its day."""
        assert TypeAdapter[SecretStr](GivenPassword).validate_python("x").get_secret_value() == "x"

    def test_password_is_hidden_in_text(self) -> None:
        """Logs and tracebacks show stars."""
        new = TypeAdapter[SecretStr](NewPassword).validate_python(PASSWORD)
        assert PASSWORD not in f"{new} {new!r}"
