"""Copies of installed distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.aws.distributions import DistributionMissingError, closure, copy, normalized

if TYPE_CHECKING:
    from pathlib import Path


class TestClosure:
    """`closure`."""

    def test_follows_requirements_but_no_extras(self) -> None:
        """The runtime client and what it needs, nothing more."""
        assert closure(["awslambdaric"]) == ("awslambdaric", "simplejson", "snapshot-restore-py")

    def test_leaves_out_what_is_there_already(self) -> None:
        """A requirement that the target has is neither listed nor followed."""
        assert closure(["awslambdaric"], without={"simplejson"}) == ("awslambdaric", "snapshot-restore-py")

    def test_names_what_is_not_installed(self) -> None:
        """A missing distribution is named."""
        with pytest.raises(DistributionMissingError, match="no-such-thing is not installed"):
            closure(["no_such.thing"])


class TestCopy:
    """`copy`."""

    def test_brings_code_and_metadata_and_no_records(self, tmp_path: Path) -> None:
        """What is imported and what `importlib.metadata` reads; no scripts, bytecode or records."""
        copy("mangum", tmp_path)
        assert (tmp_path / "mangum/__init__.py").is_file()
        (metadata,) = tmp_path.glob("mangum-*.dist-info")
        names = {file.name for file in metadata.iterdir()}
        assert "METADATA" in names
        assert not names & {"RECORD", "INSTALLER", "REQUESTED"}
        assert not list(tmp_path.rglob("*.pyc"))


class TestNormalized:
    """`normalized`."""

    @pytest.mark.parametrize("name", ["Foo.Bar", "foo_bar", "foo-bar", "FOO--bar"])
    def test_makes_equal_names_equal(self, name: str) -> None:
        """Indexes take these for one name."""
        assert normalized(name) == "foo-bar"
