"""What a version's description holds."""

from __future__ import annotations

import pytest

from infra.aws.release_note import ReleaseNote


class TestReleaseNote:
    """`ReleaseNote`."""

    @pytest.mark.parametrize(
        "note",
        [
            ReleaseNote("1f63dff"),
            ReleaseNote("1f63dff2e1ad1f63dff2e1ad1f63dff2e1ad1234-dirty", "a" * 32, "b" * 32),
        ],
    )
    def test_is_read_as_it_was_written(self, note: ReleaseNote) -> None:
        """With ids as long as Alembic's table takes them, too."""
        assert ReleaseNote.parse(str(note)) == note

    def test_is_refused_where_lambda_would_refuse_it(self) -> None:
        """A description has 256 characters at most."""
        with pytest.raises(ValueError, match="Lambda takes 256"):
            str(ReleaseNote("1f63dff", "a" * 240))

    @pytest.mark.parametrize(
        "description", ["", "Deployed by hand", "[1]", "7", "{}", '{"code":7}', '{"code":"1f63dff","head":7}']
    )
    def test_is_none_where_somebody_else_wrote_the_description(self, description: str) -> None:
        """Whatever that is."""
        assert ReleaseNote.parse(description) is None
