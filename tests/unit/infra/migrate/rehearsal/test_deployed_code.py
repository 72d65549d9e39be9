"""The artifact of the code that is live, as its deployer recorded it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import pytest

from infra.config import Project
from infra.migrate.records import Release
from infra.migrate.rehearsal.code import CodeNotFoundError, deployed

BUILD = 'HEAD: str | None = "b"\nREVISIONS: tuple[str, ...] = ("a", "b")\n'


@pytest.fixture
def artifact(tmp_path):
    """An artifact folder that says what it was built with."""
    (tmp_path / "artifact" / "api").mkdir(parents=True)
    (tmp_path / "artifact" / "api" / "build.py").write_text(BUILD)
    return tmp_path / "artifact"


def release(artifact, *revisions: str) -> Release:
    return Release("b", frozenset(revisions), None if artifact is None else str(artifact), datetime.now(UTC))


class TestDeployed:
    def test_hands_out_a_folder_and_what_a_zip_holds(self, artifact, tmp_path):
        """The zip is unpacked for the length of the block."""
        project = Project(tmp_path, "shop", handler="shop.handler")
        with deployed(project, release(artifact, "a", "b")) as code:
            assert (code.artifact, code.handler, code.name) == (artifact, "shop.handler", "deployed code")
        zipped = shutil.make_archive(str(tmp_path / "zipped"), "zip", artifact)
        with deployed(project, release(zipped, "a", "b"), {"TOKEN": "hidden"}) as code:
            assert (code.artifact / "api" / "build.py").read_text() == BUILD
            assert code.environment["TOKEN"] == "hidden"
            assert "hidden" not in repr(code)
        assert not code.artifact.exists()

    @pytest.mark.parametrize(
        ("recorded", "says"),
        [
            (lambda _: None, "it is not recorded which code is live"),
            (lambda _: release(None, "a", "b"), "its artifact is not recorded"),
            (lambda _: release("/nowhere", "a"), "its artifact /nowhere is gone"),
            (lambda folder: release(folder, "a"), "holds other code now"),
            (lambda folder: release(folder / "api" / "build.py", "a"), "cannot be read: BadZipFile"),
        ],
    )
    def test_guesses_nothing(self, artifact, tmp_path, recorded, says):
        """Another artifact than the live one would prove nothing; the hint says what to do."""
        with (
            pytest.raises(CodeNotFoundError, match=says) as raised,
            deployed(Project(tmp_path, "shop"), recorded(artifact)),
        ):
            pytest.fail("it was handed out")
        assert raised.value.hint
