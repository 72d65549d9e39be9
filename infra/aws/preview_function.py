"""The function of a preview: the stage's API with other code, another role and secrets of its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from infra.aws.function import Configuration
from infra.aws.function_errors import FunctionChangedError
from infra.aws.stage import PARAMETER_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.aws.functions import Functions
    from infra.aws.package import Package
    from infra.aws.stage import Stage
    from infra.aws.uploads import CodeSource

#: What each preview has of its own; other secrets are shared by all previews.
OWN_SECRETS: Final = ("DATABASE_URL", "AUTH_SECRET")
#: Names the branch, so that environments of a deleted one are not used for the next.
BRANCH_VARIABLE: Final = "BOUGH_PREVIEW_BRANCH"
#: How often a function is looked at that somebody else changes, and the seconds in between.
_TRIES: Final = 10
_PAUSE: Final = 1.0


def owner(number: int) -> str:
    """Return whose the secrets of a preview are."""
    return f"preview/{branch_name(number)}"


def branch_name(number: int) -> str:
    """Return the name of a preview's database branch."""
    return f"pr-{number}"


def configuration(
    stage: Stage,
    number: int,
    api: Configuration,
    *,
    role: str,
    package: Package,
    branch_id: str,
    log_group: str,
) -> Configuration:
    """Return what a preview runs with: the stage's memory, timeout, layers and variables.

    What names a parameter of the API, which previews may not read, names that of the preview instead, or
    one that all previews share.

    Args:
        stage: Its own.
        number: Of the pull request.
        api: What the stage's API runs with.
        role: The ARN of the previews' role.
        package: Its code.
        branch_id: Of its database branch.
        log_group: Its own.
    """
    of_api = stage.parameter("api", "")
    environment = {
        name: stage.parameter("preview", value.removeprefix(of_api)) if value.startswith(of_api) else value
        for name, value in api.environment.items()
        if name not in OWN_SECRETS
    }
    own = {f"{name}{PARAMETER_SUFFIX}": stage.parameter(owner(number), name) for name in OWN_SECRETS}
    return Configuration(
        handler=package.handler,
        role=role,
        runtime=package.target.runtime,
        architecture=package.target.architecture,
        memory=api.memory,
        timeout=api.timeout,
        environment=environment | own | {BRANCH_VARIABLE: branch_id},
        layers=api.layers,
        log_group=log_group,
    )


def ensure(
    functions: Functions,
    name: str,
    code: tuple[Package, CodeSource],
    wanted: Configuration,
    tags: Mapping[str, str],
) -> str | None:
    """Make a function, or give it the code and settings that it lacks; return what was done, if anything.

    Args:
        functions: Of the account.
        name: Its own.
        code: What was built, and where Lambda takes it from.
        wanted: Its settings.
        tags: For a new one.

    Raises:
        FunctionChangedError: Somebody else changes it all the time.
        FunctionFailedError: It does not become ready.
    """
    for _ in range(_TRIES - 1):
        try:
            return _ensure(functions, name, code, wanted, tags)
        except FunctionChangedError:
            # Somebody else makes the same preview, which may be all that is wanted.
            time.sleep(_PAUSE)
    return _ensure(functions, name, code, wanted, tags)


def _ensure(
    functions: Functions,
    name: str,
    code: tuple[Package, CodeSource],
    wanted: Configuration,
    tags: Mapping[str, str],
) -> str | None:
    package, source = code
    found = functions.find(name)
    if found is not None and found.configuration.architecture != wanted.architecture:
        # It goes with the code, and the layers with the settings: neither fits the other's old ones.
        functions.delete(name)
        found = None
    if found is None:
        functions.create(name, source, wanted, tags=tags)
        return "made"
    done = []
    if found.code_sha256 != package.code_sha256:
        found = functions.update_code(name, source, revision_id=found.revision_id)
        done.append("new code")
    if found.configuration != wanted:
        functions.update_configuration(name, wanted, revision_id=found.revision_id)
        done.append("new settings")
    return " and ".join(done) or None
