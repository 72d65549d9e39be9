"""Zips of equal bytes."""

from __future__ import annotations

import os
import zipfile
from typing import TYPE_CHECKING

from infra.aws.zipping import write_zip

if TYPE_CHECKING:
    from pathlib import Path


class TestWriteZip:
    """`write_zip`."""

    def test_depends_on_names_and_contents_alone(self, tmp_path: Path) -> None:
        """Order, times, modes and the umask of the machine change no byte."""
        paths = []
        for name in ("first", "second"):
            folder = tmp_path / name
            folder.mkdir()
            before = os.umask(0o077 if name == "first" else 0o002)
            try:
                for file in ("b.py", "a.py") if name == "first" else ("a.py", "b.py"):
                    (folder / file).write_text(file * 100)
                    os.utime(folder / file, (len(paths), 1_600_000_000))
                entries = {file.name: file for file in folder.iterdir()}
                write_zip(tmp_path / f"{name}.zip", entries)
            finally:
                os.umask(before)
            paths.append(tmp_path / f"{name}.zip")
        assert paths[0].read_bytes() == paths[1].read_bytes()

    def test_lets_lambda_read_what_only_its_builder_could(self, tmp_path: Path) -> None:
        """Lambda runs the code as another user."""
        (tmp_path / "private.py").write_text("x = 1")
        (tmp_path / "private.py").chmod(0o600)
        write_zip(tmp_path / "it.zip", {"private.py": tmp_path / "private.py"})
        with zipfile.ZipFile(tmp_path / "it.zip") as archive:
            entry = archive.getinfo("private.py")
        assert (entry.create_system, oct(entry.external_attr >> 16)) == (3, "0o100644")
        assert (entry.date_time, entry.compress_type) == ((1980, 1, 1, 0, 0, 0), zipfile.ZIP_DEFLATED)

    def test_goes_on_with_a_zip_that_was_begun(self, tmp_path: Path) -> None:
        """What is in it comes first, as it is; the zip itself stays as it was."""
        for name in "abc":
            (tmp_path / name).write_text(name * 100)
        write_zip(tmp_path / "begun.zip", {"b": tmp_path / "b"})
        before = (tmp_path / "begun.zip").read_bytes()
        write_zip(
            tmp_path / "it.zip", {"a": tmp_path / "a", "c": tmp_path / "c"}, begun=tmp_path / "begun.zip"
        )
        with zipfile.ZipFile(tmp_path / "it.zip") as archive:
            assert archive.namelist() == ["b", "a", "c"]
            assert archive.testzip() is None
        assert (tmp_path / "begun.zip").read_bytes() == before
