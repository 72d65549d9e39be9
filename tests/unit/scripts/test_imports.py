"""What every `bough` command pays before it begins."""

from __future__ import annotations

import subprocess
import sys


class TestCli:
    def test_heavy_libraries_are_imported_by_the_commands_that_need_them(self):
        """Each of these takes from a tenth to half a second."""
        heavy = {"alembic", "fastapi", "httpx2", "psycopg", "sqlalchemy", "stamina", "uvicorn", "yaml"}
        code = "import sys, scripts.cli; print(*sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert heavy.isdisjoint(done.stdout.split())
