"""Who holds a lock, asked by others and after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from infra.local import lock_file

HOLDER = """if True:
    import sys, time
    from pathlib import Path
    from infra.local import lock_file
    with lock_file.held(Path(sys.argv[1])):
        print("held", flush=True)
        time.sleep(60)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lock"


class TestHeld:
    def test_second_holder_is_refused_and_the_first_is_known(self, path):
        """Who waits for nothing learns at once that it is not alone."""
        with lock_file.held(path):
            assert lock_file.holder(path) == os.getpid()
            with pytest.raises(BlockingIOError), lock_file.held(path):
                pass
        assert lock_file.holder(path) is None

    def test_killed_holder_holds_nothing(self, path):
        """What it wrote lies there still, and counts for nothing."""
        with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"held\n"
            assert lock_file.holder(path) == process.pid
            process.send_signal(signal.SIGKILL)
        assert path.read_text() == f"{process.pid}\n"
        assert lock_file.holder(path) is None

    def test_holder_is_not_hindered_by_those_who_ask(self, path):
        """To ask takes the lock for a moment; that is no holder."""
        path.touch()
        with ThreadPoolExecutor(4) as pool:
            asked = pool.map(lambda _: lock_file.holder(path), range(200))
            for _ in range(20):
                with lock_file.held(path):
                    pass
            assert set(asked) <= {None, os.getpid()}


class TestWaitedFor:
    def test_blocks_follow_each_other(self, path):
        """Many at once: each sees what the one before it left."""
        count = path.with_name("count")
        count.write_text("0")

        def add(_):
            with lock_file.waited_for(path):
                count.write_text(str(int(count.read_text()) + 1))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(add, range(50)))
        assert count.read_text() == "50"
