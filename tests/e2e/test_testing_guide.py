"""The project that `docs/guides/testing.md` prints: the toolkit in somebody else's hands."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.prove

REPOSITORY = Path(__file__).parents[2]
GUIDE = (REPOSITORY / "docs/guides/testing.md").read_text()
SNIPPETS = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```', GUIDE, re.DOTALL | re.MULTILINE))

#: What `bough migrate new` writes for the guide's tables.
REVISION = '''
"""Products and their reviews."""

import sqlalchemy as sa
from alembic import op

revision = "products"
down_revision = None
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "products",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
        sa.Column("cents", sa.Integer, nullable=False),
    )
    op.create_table(
        "reviews",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("product_id", sa.Uuid, sa.ForeignKey("products.id"), nullable=False),
        sa.Column("stars", sa.Integer, server_default="5", nullable=False),
    )


def downgrade() -> None:
    op.drop_table("reviews")
    op.drop_table("products")
'''

MISTAKES = """
async def test_no_mistake(client):
    assert (await client.post("/sale")).status_code == 204


async def test_lazy_load(client, products):
    await client.get("/forgetful")


async def test_both_sessions(client, session):
    pass
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guide's project."""
    root = tmp_path_factory.mktemp("shop")
    files = {name: text for name, text in SNIPPETS.items() if name.endswith((".py", ".toml"))}
    products = SNIPPETS["tests/test_products.py"].split("\n\n\nasync def")[0]
    files["tests/mistakes.py"] = f"{products}\n\n{MISTAKES}"
    files["migrations/versions/products.py"] = REVISION
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name in ("env.py", "script.py.mako"):
        shutil.copy(REPOSITORY / "migrations" / name, root / "migrations")
    return root


def run(shop: Path, *arguments: str) -> str:
    """Run the project's tests, and return what pytest says."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=shop, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


class TestGuide:
    def test_its_tests_pass_and_mistakes_are_explained(self, shop: Path) -> None:
        """The guide's own tests, and two mistakes: the words of the guide are those of the toolkit."""
        output = run(shop, "tests/test_prices.py", "tests/test_products.py", "tests/mistakes.py")
        assert re.search(r"^1 failed, 5 passed, 1 error in ", output, re.MULTILINE), output
        assert SNIPPETS["a lazy load"].strip().removeprefix("LazyLoadError: ") in output
        assert "`session` is never committed" in output

    def test_its_tests_pass_under_xdist(self, shop: Path) -> None:
        """Each worker makes its own servers."""
        output = run(shop, "-n", "2")
        assert re.search(r"^4 passed in ", output, re.MULTILINE), output
