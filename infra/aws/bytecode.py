"""Compile a folder to the `.pyc` files that Lambda's read-only disk can neither write nor check.

Unchecked hashes: a timestamp would be stale as soon as a zip fixes it, and a stale `.pyc` costs as
much as none (measured: 1.6 s instead of 0.5 s of imports). No `-O`: it looks for other names.

Runs as a script in a process of its own: what `marshal` writes depends on which strings are
interned in the process already, and equal inputs must give equal bytes.
"""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
from pathlib import Path

#: Where Lambda unpacks an artifact: tracebacks name files below it, on any build machine.
TASK_ROOT = "/var/task"


def compile_folder(folder: Path, python: Path | None = None) -> None:
    """Compile every source below `folder`; a file that is not the Python's syntax is skipped.

    Such files exist in published packages (templates, tests of newer syntax); importing one fails
    on Lambda just as it does elsewhere.

    Args:
        folder: What will be the task root.
        python: The Python that will run it; this one without it.

    Raises:
        OSError: A file cannot be read or written.
    """
    # Not -I, which would ignore the hash seed: the order of sets may reach what is compiled.
    command = [str(python or sys.executable), "-P", "-s", "-S", __file__, str(folder)]
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        command, env={"PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        number, _, message = done.stderr.strip().partition(" ")
        if number.isdigit():
            raise OSError(int(number), message)
        raise OSError(done.stderr.strip())


def _main(folder: str) -> None:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if name.endswith(".py"):
                _compile(Path(parent, name), folder)


def _compile(file: Path, folder: str) -> None:
    try:
        py_compile.compile(
            str(file),
            dfile=f"{TASK_ROOT}/{file.relative_to(folder)}",
            doraise=True,
            optimize=0,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    except (py_compile.PyCompileError, UnicodeDecodeError, ValueError):
        return


if __name__ == "__main__":
    try:
        _main(sys.argv[1])
    except OSError as error:
        sys.exit(f"{error.errno} {error.strerror}: {error.filename}")
