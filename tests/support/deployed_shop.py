"""A new project of this kit, deployed to the AWS of this machine with `bough` as its owner types it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

from infra.aws.account import Account, connect
from infra.aws.functions import Functions
from infra.aws.stage import LIVE
from infra.config_tables import AwsSettings
from infra.kit.creation import Answers, create
from infra.local.aws import server
from tests.support.bough_up import BOUGH, REPOSITORY, remove
from tests.support.small_kit import commit, git
from tests.support.stacks import LOOPBACK_ONLY

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds for the slowest command on a busy machine.
PATIENCE = 600
FUNCTION = "shop-production-api"

#: Of a shell or a runner that would mean another project, another AWS, or somebody who cannot be asked.
_FOREIGN = ("AWS_", "BOUGH_", "CI", "DATABASE_", "GITHUB_", "NEON_", "PG", "SUPABASE_")

_MODEL = '''"""The table of {table}."""

from __future__ import annotations

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from api.database.base import Base, UuidKey


class {name}(UuidKey, Base):
    """What a later version of this application keeps."""

    __tablename__ = "{table}"

    text: Mapped[str] = mapped_column(Text)
'''


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def json(self) -> Any:
        """What it wrote to stdout."""
        return json.loads(self.stdout)

    @property
    def steps(self) -> list[str]:
        """What `scripts.progress` marks as done, without what came of it."""
        return re.findall(r"^✓ ([^:(\n]+)", self.stderr, re.MULTILINE)


class Shop:
    """Its folder, and what its owner does there.

    Attributes:
        root: The folder.
        refused: Names the connections, one in a line, that osls would have opened to other machines.
    """

    def __init__(self, root: Path) -> None:
        """Make the project, with two stages and a first commit."""
        self.root = root
        self.refused = root.with_name("refused_connections")
        create(root, Answers("shop", "shop"), force=False, announce=print, kit=REPOSITORY)
        with (root / "pyproject.toml").open("a") as file:
            file.write("\n[tool.bough.stages.production]\n\n[tool.bough.stages.staging]\n")
        (root / "node_modules").mkdir()
        (root / "node_modules" / ".bin").symlink_to(REPOSITORY / "node_modules" / ".bin")
        commit(root)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Begin a command."""
        variables = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        variables |= {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.root),
            # osls speaks to the AWS of this machine and to nobody else.
            "NODE_OPTIONS": f"--require {LOOPBACK_ONLY}",
            "REFUSED_CONNECTIONS": str(self.refused),
            **environment,
        }
        return subprocess.Popen(
            [BOUGH, *arguments],
            cwd=self.root,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def bough(self, *arguments: str, code: int = 0, stdin: str = "", **environment: str) -> Ended:
        """Run a command; it must end with this exit code."""
        begun = time.monotonic()
        process = self.start(*arguments, **environment)
        try:
            stdout, stderr = process.communicate(stdin, timeout=PATIENCE)
        except BaseException:
            process.kill()
            raise
        done = Ended(process.returncode, stdout, stderr, time.monotonic() - begun)
        # Shown by pytest when the test fails: the whole story, with its times.
        shown = f"$ bough {' '.join(arguments)}  # {done.seconds:.1f} s, exit code {done.code}"
        sys.stdout.write(f"{shown}\n{stderr}{stdout}")
        assert done.code == code
        return done

    def deploy(self, *options: str, code: int = 0) -> Ended:
        """Deploy to production."""
        return self.bough("deploy", "production", "--local", "-o", "json", *options, code=code)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace what stands once in a file."""
        file = self.root / path
        text = file.read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
        file.write_text(text.replace(old, new))

    def name_version(self, version: str) -> None:
        """Have the API say in its document which code it is."""
        file = self.root / "api" / "app.py"
        file.write_text(re.sub(r'version="[^"]*"', f'version="{version}"', file.read_text()))
        commit(self.root)

    def add_table(self, table: str) -> str:
        """Add a model, and have its revision written; return the revision's id."""
        folder = self.root / "api" / table
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "models.py").write_text(_MODEL.format(table=table, name=table.capitalize()))
        self.edit(
            "api/models.py",
            "import api.posts.models\n",
            f"import api.{table}.models\nimport api.posts.models\n",
        )
        path = self.bough("migrate", "new", f"Add {table}", "--branch", "main").stdout.strip()
        commit(self.root)
        found = re.search(r'^revision = "(.*)"$', Path(path).read_text(), re.MULTILINE)
        assert found is not None
        return found[1]

    @contextmanager
    def pull_request(self) -> Iterator[None]:
        """Work on a git branch while the block runs; nothing of it comes into the main one."""
        git(self.root, "switch", "--quiet", "--create", "change")
        try:
            yield
        finally:
            self.restore()
            git(self.root, "switch", "--quiet", "-")
            git(self.root, "branch", "--quiet", "--delete", "--force", "change")

    def file_of(self, revision: str) -> str:
        """Return the name of a revision's file."""
        (found,) = (
            path.name
            for path in (self.root / "migrations" / "versions").glob("*.py")
            if f'revision = "{revision}"\ndown' in path.read_text()
        )
        return found

    def restore(self) -> None:
        """Take back what was changed since the last commit."""
        git(self.root, "checkout", "--", ".")

    @property
    def account(self) -> Account:
        """The AWS of this machine."""
        access = server.find(self.root)
        assert access is not None
        return connect(AwsSettings(), access)

    @property
    def shares(self) -> dict[str, float]:
        """Shares of production's requests by version."""
        alias = Functions(self.account).alias(FUNCTION, LIVE)
        return alias.shares if alias is not None else {}

    def names(self) -> set[str]:
        """Return the names of all that is in this AWS, as far as it is not part of something else."""
        account = self.account
        iam: Any = account.session.client("iam", endpoint_url=account.endpoint)
        return {
            *(each["FunctionName"] for each in account.functions.list_functions()["Functions"]),
            *(each["StackName"] for each in account.stacks.describe_stacks()["Stacks"]),
            *(each["Name"] for each in account.parameters.describe_parameters()["Parameters"]),
            *(each["logGroupName"] for each in account.logs.describe_log_groups()["logGroups"]),
            *(each["AlarmName"] for each in account.metrics.describe_alarms()["MetricAlarms"]),
            *(each["Name"] for each in account.objects.list_buckets()["Buckets"]),
            *(each["RoleName"] for each in iam.list_roles()["Roles"]),
        }

    @property
    def url(self) -> str:
        """Where production answers."""
        url = Functions(self.account).url(FUNCTION, LIVE)
        assert url is not None
        return url.url

    def answering(self) -> str:
        """Return which code answers at production's URL, which must be ready."""
        ready = httpx2.get(f"{self.url}/readyz", timeout=PATIENCE)
        assert (ready.status_code, ready.json()["status"]) == (200, "ready"), ready.text
        return str(httpx2.get(f"{self.url}/openapi.json", timeout=PATIENCE).json()["info"]["version"])

    def end(self) -> None:
        """Stop all that was started, and delete the project; nothing may have left this machine."""
        server.stop(self.root)
        remove(self.root)
        assert not self.refused.exists(), self.refused.read_text()
