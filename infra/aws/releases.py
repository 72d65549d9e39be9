"""The published versions of a stage: which is live, where each came from, and which can be returned to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.aws.function_errors import FunctionNotFoundError
from infra.aws.stage import LIVE
from infra.migrate.fitting import Fit, Judgement

if TYPE_CHECKING:
    from infra.aws.function import Alias, Version
    from infra.aws.functions import Functions
    from infra.aws.stage import Stage
    from infra.migrate.fitting import Schema


@dataclass(frozen=True, slots=True)
class Releases:
    """What a stage's API has published.

    Args:
        function: Its name.
        live: The alias that requests come through; `None` before the first deploy has ended.
        versions: The newest first.
    """

    function: str
    live: Alias | None
    versions: tuple[Version, ...]

    def share(self, version: Version) -> float:
        """Return which share of the requests reaches a version, from 0 to 1."""
        return self.live.shares.get(version.number, 0.0) if self.live else 0.0


def read(functions: Functions, stage: Stage) -> Releases:
    """Read a stage's releases.

    Raises:
        FunctionNotFoundError: The stage was never deployed.
        AwsError: As AWS does.
    """
    if functions.find(stage.api) is None:
        raise FunctionNotFoundError(
            f"stage {stage.name} has no function {stage.api}", hint="it was never deployed: bough deploy"
        )
    return Releases(stage.api, functions.alias(stage.api, LIVE), functions.versions(stage.api))


def judge(version: Version, schema: Schema | None) -> Judgement:
    """Return whether a version works with a schema, `None` for one that cannot be looked at."""
    if version.note is None:
        return Judgement(Fit.UNKNOWN, "its description does not say what it was built from")
    if schema is None:
        return Judgement(Fit.UNKNOWN, "the database cannot be asked")
    return schema.judge(version.note.head, version.note.needed)
