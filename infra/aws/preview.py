"""A preview of a pull request, as a plan: a database branch, and a function of its own with a URL.

Each step looks first and changes only what is not so already: run again, the plan completes what was left
half made, brings newer code and revisions, and otherwise reads alone. Steps that do not need each other's
results run at the same time.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from secrets import token_hex
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeVar
from urllib.parse import urlsplit

from infra.aws import log_groups, preview_function
from infra.aws.functions import Functions
from infra.aws.package import build_package
from infra.aws.preview_branch import PreviewBranch
from infra.aws.preview_function import OWN_SECRETS, branch_name, owner
from infra.aws.secrets import Secrets
from infra.aws.smoke import Smoke, SmokeFailedError
from infra.aws.stack import Stack
from infra.aws.uploads import stored, upload
from infra.branches import lookup
from infra.branches.identity import BranchIdentity
from infra.branches.provider import DatabaseRole
from infra.errors import InfraError
from infra.plan import Step

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from api.database.connection_url import DirectUrl
    from infra.aws.account import Account
    from infra.aws.function import Function, FunctionUrl
    from infra.aws.package import Package
    from infra.aws.smoke import SmokeCheck
    from infra.aws.stack import StackOutputs
    from infra.aws.stage import Stage
    from infra.aws.target import Target
    from infra.aws.uploads import CodeSource
    from infra.branches.provider import Branch, BranchProvider
    from infra.config import Project
    from infra.context import ProviderName

    Seed = Callable[[DirectUrl, BranchIdentity], str | None]

_T = TypeVar("_T")

LIFETIME: Final = timedelta(days=7)
#: Days that a preview's log lines are kept; they go with it.
_LOG_DAYS: Final = 7


class PreviewNumberError(InfraError):
    """No pull request has this number."""

    code: ClassVar[str] = "PREVIEW_NUMBER_INVALID"
    exit_code: ClassVar[int] = 2


@dataclass(frozen=True)
class PreviewSite:
    """Where previews are made.

    Args:
        project: Whose code.
        account: Of the functions.
        stage: Whose settings, role and bucket they have.
        provider: Of the branches.
        host: Who that is.
        parent: The stage's branch; theirs are made from it.
        target: What code is built for.
        dist: The folder that it is built in.
    """

    project: Project
    account: Account
    stage: Stage
    provider: BranchProvider
    host: ProviderName
    parent: Branch
    target: Target
    dist: Path


@dataclass(frozen=True, slots=True)
class PreviewWishes:
    """What a preview shall be.

    Args:
        number: Of the pull request.
        with_data: Its database has the parent's rows, too.
        public: Everybody may call it even so.
        lifetime: After which its branch is deleted by itself; `None` for never.
        seed: Fills a schema without rows, and says in few words with what; `None` where nothing shall.
    """

    number: int
    with_data: bool = False
    public: bool = False
    lifetime: timedelta | None = LIFETIME
    seed: Seed | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what is no number of a pull request.

        Raises:
            PreviewNumberError: It is too small, or would make names too long.
        """
        if not 0 < self.number < 10**7:
            raise PreviewNumberError(f"{self.number} is no pull request's number", hint="such as 12")


class PreviewUp:
    """One preview that is made, or brought up to date.

    Args:
        site: Where.
        wishes: What it shall be.
        announce: Is told what may surprise.

    Attributes:
        number: Of the pull request.
        name: Of the function.
        url: Where it answers; `None` until its step is done.
        branch: Its database; `None` until its step is done.
        checks: What it answered.
        changes: Keys of the steps that have changed something.
    """

    def __init__(self, site: PreviewSite, wishes: PreviewWishes, announce: Callable[[str], None]) -> None:
        """Look at the stage, and at what there is of the preview.

        Raises:
            StackNotFoundError: The stage was never deployed; nothing was changed.
            InfraError: It cannot be looked at.
        """
        self._site = site
        self._wishes = wishes
        self._functions = Functions(site.account)
        self._secrets = Secrets(site.account, site.stage)
        self._owner = owner(wishes.number)
        self._branch = PreviewBranch(
            site.project,
            site.provider,
            site.host,
            site.parent,
            branch_name(wishes.number),
            wishes.with_data,
            wishes.lifetime,
            announce,
        )
        self.number = wishes.number
        self.name = site.stage.preview(wishes.number)
        with ThreadPoolExecutor() as threads:
            outputs = threads.submit(Stack(site.project, site.account, site.stage).outputs)
            api = threads.submit(self._functions.get, site.stage.api)
            own = threads.submit(self._functions.find, self.name)
            self._found = lookup.named(site.provider.list(), self._branch.name)
            self._outputs: StackOutputs = outputs.result()
            self._api: Function = api.result()
            self._before: Function | None = own.result()
        self._package: Package | None = None
        self._code: tuple[Package, CodeSource] | None = None
        self._group = ""
        self.url: FunctionUrl | None = None
        self.branch: Branch | None = None
        self.checks: tuple[SmokeCheck, ...] = ()
        self.changes: list[str] = []

    @property
    def auth(self) -> Literal["NONE", "AWS_IAM"]:
        """Who may call it: `NONE` for everybody, `AWS_IAM` for whom IAM allows it."""
        return "AWS_IAM" if self._wishes.with_data and not self._wishes.public else "NONE"

    def steps(self) -> tuple[Step, ...]:
        """Return what is looked at and, where needed, done."""
        kind = "with the data" if self._wishes.with_data else "with the schema"
        # A new function answers nobody yet; new code for one that is there comes once the database fits it.
        before_code = ("upload", "logs", *(("secrets",) if self._before else ()))
        fill = "Write" if self._wishes.with_data or self._wishes.seed is None else "Seed it, and write"
        everybody, smoke = self.auth == "NONE", self._site.project.smoke
        return (
            Step(
                "branch",
                f"Branch {self._branch.name} {kind} of {self._site.parent.name}",
                self._ensure_branch,
            ),
            Step("package", "Package the code", self._build),
            Step("upload", "Upload it", self._upload, ("package",)),
            Step("migrate", "Apply the revisions that it lacks", self._migrate, ("branch",)),
            Step("secrets", f"{fill} {' and '.join(OWN_SECRETS)}", self._fill, ("migrate",)),
            Step("logs", f"Log group, lines kept for {_LOG_DAYS} days", self._ensure_logs, ("branch",)),
            Step("function", f"Function {self.name}", self._ensure_function, before_code),
            Step(
                "url",
                f"URL for {'everybody' if everybody else 'signed requests'}",
                self._ensure_url,
                ("function",),
            ),
            Step("smoke", f"Ask it {', '.join(smoke.paths)}", self._smoke, ("secrets", "url")),
        )

    def _ensure_branch(self) -> str:
        self.branch, done = self._branch.ensure(self._found)
        return self._noted("branch", done)

    def _build(self) -> str:
        site = self._site
        self._package = build_package(site.project, site.dist, target=site.target)
        return f"{self._package.size / 1e6:.1f} MB"

    def _upload(self) -> str | None:
        package, bucket = _there(self._package), self._outputs.bucket
        if self._before is not None and self._before.code_sha256 == package.code_sha256:
            self._code = package, stored(bucket, package)
            return "the function has it"
        self._code = package, upload(self._site.account, bucket, package)
        return None

    def _migrate(self) -> str:
        return self._noted("migrate", self._branch.migrate(_there(self.branch)))

    def _fill(self) -> str:
        branch, provider = _there(self.branch), self._site.provider
        pooled = provider.pooled_url(branch.id, DatabaseRole.APP).libpq()
        done = []
        # Written last: where it is there, all before it was done.
        if self._secrets.get(self._owner, "DATABASE_URL") != pooled:
            if self._wishes.seed is not None and not self._wishes.with_data:
                identity = BranchIdentity.of(self._site.host, branch)
                seeded = self._wishes.seed(provider.direct_url(branch.id, DatabaseRole.OWNER), identity)
                done += [seeded] if seeded else []
            if self._secrets.get(self._owner, "AUTH_SECRET") is None:
                self._secrets.put(self._owner, "AUTH_SECRET", token_hex(32))
            if self._before is not None and self.auth != "NONE":
                # Left by one without rows: everybody could read them until the URL's own step.
                self._functions.ensure_url(self.name, None, self.auth)
            self._secrets.put(self._owner, "DATABASE_URL", pooled)
            done.append(self._site.stage.parameter(self._owner, "*"))
        return self._noted("secrets", "; ".join(done) or None)

    def _ensure_logs(self) -> str:
        self._group = log_groups.ensure(self._site.account, self.name, days=_LOG_DAYS, tags=self._tags)
        return self._group

    def _ensure_function(self) -> str:
        site, code = self._site, _there(self._code)
        wanted = preview_function.configuration(
            site.stage,
            self._wishes.number,
            self._api.configuration,
            role=self._outputs.preview_role,
            package=code[0],
            branch_id=_there(self.branch).id,
            log_group=self._group,
        )
        done = preview_function.ensure(self._functions, self.name, code, wanted, self._tags)
        return self._noted("function", done)

    def _ensure_url(self) -> str:
        self.url = self._functions.ensure_url(self.name, None, self.auth)
        return self.url.url

    def _smoke(self) -> str:
        host = urlsplit(_there(self.url).url).netloc
        smoke = Smoke(self._functions, self.name, self._site.project.smoke, host=host)
        try:
            self.checks = smoke.require("$LATEST")
        except SmokeFailedError as error:
            raise SmokeFailedError(str(error), hint=f"see what it logged in {self._group}") from error
        return ", ".join(map(str, self.checks))

    @property
    def _tags(self) -> dict[str, str]:
        return {
            "bough:service": self._site.stage.service,
            "bough:stage": self._site.stage.name,
            "bough:preview": self._branch.name,
        }

    def _noted(self, key: str, done: str | None) -> str:
        """Note whether a step has changed something, and return what it says."""
        if done is not None:
            self.changes.append(key)
        return done or "unchanged"


def _there(value: _T | None) -> _T:
    """Return what an earlier step has left."""
    if value is None:
        message = "a step ran before one that it comes after"
        raise AssertionError(message)
    return value
