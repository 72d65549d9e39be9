"""What shared objects say about themselves, read from a real one of this environment."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import greenlet._greenlet
import pytest

from infra.aws import elf

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="shared objects of Linux")


@pytest.fixture(scope="module")
def shared_object() -> Path:
    """Return an extension module, as its wheel has it."""
    return Path(greenlet._greenlet.__file__)


class TestArchitecture:
    """`architecture`."""

    def test_reads_a_real_file(self, shared_object: Path) -> None:
        """It is named as Lambda does."""
        names = {"x86_64": "x86_64", "aarch64": "arm64"}
        assert elf.is_elf(shared_object.read_bytes())
        assert elf.architecture(shared_object.read_bytes()[:64]) == names[platform.machine()]

    def test_numbers_what_lambda_does_not_have(self, shared_object: Path) -> None:
        """A processor without a name is told by its number, and 32 bits as what they are."""
        content = bytearray(shared_object.read_bytes()[:64])
        content[18:20] = (22).to_bytes(2, "little")
        assert elf.architecture(bytes(content)) == "processor 22"
        content[4] = 1
        assert elf.architecture(bytes(content)) == "no 64-bit processor"


class TestWithoutSections:
    """`without_sections`."""

    def test_leaves_what_runs(self, shared_object: Path, tmp_path: Path) -> None:
        """The smaller module is imported and does its work."""
        content = shared_object.read_bytes()
        smaller = elf.without_sections(content)
        assert len(smaller) < len(content)
        assert elf.without_sections(smaller) == smaller
        (tmp_path / shared_object.name).write_bytes(smaller)
        code = "import _greenlet; print(_greenlet.greenlet(lambda: 'switched').switch(), _greenlet.__file__)"
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == ["switched", str(tmp_path / shared_object.name)]

    @pytest.mark.parametrize("length", [20, 64, 200])
    def test_leaves_what_it_cannot_read(self, shared_object: Path, length: int) -> None:
        """A file that was cut short stays as it is."""
        content = shared_object.read_bytes()[:length]
        assert elf.without_sections(content) == content
