"""`bough migrate apply --contract` on a branch: its restore point, and the words about the way back."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from infra.branches.neon.provider import NeonProvider
from tests.support.histories import empty_history

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.histories import History


@pytest.fixture
def shop(branch_project) -> Iterator[History]:
    """That project with a history: a table, and the contract that drops it."""
    pyproject = branch_project.root / "pyproject.toml"
    before = pyproject.read_text()
    with empty_history(branch_project.root) as history:
        pyproject.write_text(pyproject.read_text() + before.replace("[tool.bough]\n", ""))
        history.write("one", None, "op.execute('CREATE TABLE a (id int)')", "op.execute('DROP TABLE a')")
        history.write(
            "two", "one", "op.execute('DROP TABLE a')", "op.execute('CREATE TABLE a (id int)')", "contract"
        )
        yield history
    pyproject.write_text(before)
    shutil.rmtree(branch_project.root / "migrations")
    (branch_project.root / f"{history.models}.py").unlink()


@pytest.mark.prove
class TestApplyContract:
    """`apply --contract`."""

    def test_keeps_the_branch_as_it_was(self, on_branches, branch_project, shop) -> None:
        """The restore point has what the contract took; it expires by itself."""
        on = branch_project.as_neon
        assert on_branches("migrate", "apply", "one", "--branch", "dev", **on)[0] == 0
        code, _, err = on_branches("migrate", "apply", "--branch", "dev", **on)
        assert (code, "Held back two: contract revision two waits" in err) == (0, True)
        assert on_branches("migrate", "live", "--record", "--yes", "--branch", "dev", **on)[0] == 0
        code, _, err = on_branches("migrate", "apply", "--contract", "--branch", "dev", **on)
        assert code == 0, err
        found = re.search(r"The branch (before-two-\S+) has everything as it was at (\S+), until ", err)
        assert found, err
        assert f"bough branch restore dev --at {found[2]}" in err
        assert "bough migrate rollback one" in err
        api = branch_project.api
        with NeonProvider(
            branch_project.project_id, api.api_key, base_url=api.base_url, announce=lambda _: None
        ) as neon:
            point = neon.get(found[1])
            assert point.expires_at is not None
            assert "CREATE TABLE public.a (" in neon.schema(point.id)
            assert "CREATE TABLE public.a (" not in neon.schema("dev")
            neon.delete(point.id)
