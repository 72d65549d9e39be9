"""The requests of a stage, which a deploy leads from one version to another: the alias `live` and its URL."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from infra.aws.canary import THRESHOLDS, Watch
from infra.aws.canary_metrics import CanaryMetrics
from infra.aws.function_errors import FunctionChangedError
from infra.aws.functions import Functions
from infra.aws.smoke import faults
from infra.aws.stage import LIVE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.aws.account import Account
    from infra.aws.canary import Canary
    from infra.aws.function import Alias, FunctionUrl
    from infra.aws.smoke import Smoke
    from infra.aws.stage import Stage


class LiveTraffic:
    """Moves the requests, as long as nobody else does.

    Args:
        account: Where the stage is.
        stage: Whose requests.
        alias: As it was read before anything was changed; `None` where nothing is live.
        url: Likewise.
        announce: Is told what a canary sees.
    """

    def __init__(
        self,
        account: Account,
        stage: Stage,
        alias: Alias | None,
        url: FunctionUrl | None,
        announce: Callable[[str], None],
    ) -> None:
        """Move nothing yet."""
        self._account = account
        self._functions = Functions(account)
        self._name = stage.api
        self._before = self._alias = alias
        self._url = url
        self._announce = announce
        self._stopped = threading.Event()

    def check(self) -> None:
        """Refuse to go on when the requests are not led as they were when that was read.

        Raises:
            FunctionChangedError: Another deploy or a rollback has ended since; nothing was changed.
        """
        if self._functions.alias(self._name, LIVE) != self._before:
            raise FunctionChangedError(
                f"somebody else has moved {LIVE} of {self._name} since this deploy looked",
                hint="nothing was changed; see what is live with `bough releases`, then deploy again",
            )

    def watch(self, canary: Canary, version: str, smoke: Smoke) -> str:
        """Lead a share to a version, and watch it; what is wrong with it ends that. Return what was seen.

        Raises:
            CanaryError, CanaryStoppedError: The version before has all requests again.
            FunctionChangedError: Somebody else has moved them.
        """
        if self._alias is None or self._alias.version == version:
            return "it has all requests already"
        old = self._alias.version
        self._point(old, {version: canary.share})
        self._announce(f"The canary {THRESHOLDS}")
        metrics = CanaryMetrics(self._account, self._name, old, version, datetime.now(UTC))
        watch = Watch(metrics.read, lambda: faults(smoke.ask(version)), self._announce, canary.tick)
        try:
            return watch.through(canary.length, self._stopped)
        except Exception:
            self.end_canary()
            raise

    def stop(self) -> None:
        """End a canary that is being watched, from another thread."""
        self._stopped.set()

    def end_canary(self) -> str | None:
        """Lead what a canary still gets back to the version that has the rest."""
        if self._alias is None or not self._alias.weights:
            return None
        self._point(self._alias.version)
        return f"version {self._alias.version} has all requests again"

    def shift(self, version: str) -> FunctionUrl:
        """Lead all requests to a version, and return where they come in; the URL is made with the first one.

        Raises:
            FunctionChangedError: Somebody else has moved them; nothing was changed.
            AwsError: The version before has all requests again.
        """
        if self._alias is None or self._alias.version != version or self._alias.weights:
            self._point(version)
        # Who closed the URL to all but signed requests meant it.
        closed = self._url is not None and self._url.auth == "AWS_IAM"
        try:
            self._url = self._functions.ensure_url(self._name, LIVE, "AWS_IAM" if closed else "NONE")
        except Exception:
            self.shift_back()
            raise
        return self._url

    def shift_back(self) -> str:
        """Lead all requests to the version that had them before."""
        if self._before is None:
            return "there is no version before this one, which stays live"
        led = self._alias
        # The URL's permissions are part of what an alias's revision id stands for.
        self._alias = self._functions.alias(self._name, LIVE)
        if led is not None and self._alias is not None and led.shares != self._alias.shares:
            raise FunctionChangedError(
                f"somebody else has moved {LIVE} of {self._name}: it stays where it is"
            )
        self._point(self._before.version)
        return f"version {self._before.version} has all requests again"

    def _point(self, version: str, weights: Mapping[str, float] | None = None) -> None:
        revision_id = self._alias.revision_id if self._alias is not None else None
        before = self._alias.before_at(version) if self._alias is not None else ()
        self._alias = self._functions.point(
            self._name, LIVE, version, weights=weights, revision_id=revision_id, before=before
        )
