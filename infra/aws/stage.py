"""What a stage's things are called in AWS: the one place where names are made."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from infra.config_tables import SERVICE_NAME, ConfigError, StageSettings

if TYPE_CHECKING:
    from infra.config import Project

#: The alias that requests reach.
LIVE: Final = "live"

#: What an environment variable's name ends with whose value is the name of a parameter.
PARAMETER_SUFFIX: Final = "_PARAMETER"


class StageNotFoundError(ConfigError):
    """The project has no such stage."""

    code: ClassVar[str] = "STAGE_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Stage:
    """One deployment of a project: its functions, parameters and stack.

    Args:
        service: What all names begin with.
        name: Such as `production`.
        settings: What the project says of it.
    """

    service: str
    name: str
    settings: StageSettings

    @property
    def stack(self) -> str:
        """The CloudFormation stack, as osls and Serverless Framework name it."""
        return f"{self.service}-{self.name}"

    @property
    def api(self) -> str:
        """The function that answers requests."""
        return f"{self.stack}-api"

    @property
    def migrate(self) -> str:
        """The function that migrates the database from inside AWS."""
        return f"{self.stack}-migrate"

    def preview(self, number: int) -> str:
        """The function of a pull request's preview."""
        return f"{self.stack}-pr-{number}"

    @property
    def parameters(self) -> str:
        """What the names of all its parameters begin with, without a slash at the end."""
        return f"/bough/{self.service}/{self.name}"

    def parameter(self, owner: str, variable: str) -> str:
        """The parameter that holds a variable of a function: `api`, `migrate` or `preview/pr-12`."""
        return f"{self.parameters}/{owner}/{variable}"


def find_stage(project: Project, name: str | None = None) -> Stage:
    """Return a stage of the project, by its name or else the only one.

    Raises:
        StageNotFoundError: There is none of this name, or several and none was named.
        ConfigError: The service's name cannot be used.
    """
    stages = project.stages
    if name is None and len(stages) != 1:
        raise StageNotFoundError("the project has several stages", hint=f"name one of {', '.join(stages)}")
    chosen = name if name is not None else next(iter(stages))
    if chosen not in stages:
        near = difflib.get_close_matches(chosen, stages, n=1)
        raise StageNotFoundError(
            f"the project has no stage {chosen!r}",
            hint=f"did you mean {near[0]}?" if near else f"its stages are {', '.join(stages)}",
        )
    service = project.service
    if not SERVICE_NAME.fullmatch(service):
        raise ConfigError(
            f"the project's name {service!r} cannot begin the names of functions",
            hint="give `service` of [tool.bough.aws] lower-case letters, digits and dashes, 32 at most",
        )
    return Stage(service, chosen, stages[chosen])
