"""`bough destroy`: a stage's end in AWS."""

from __future__ import annotations

import platform
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Final

from infra.config import load_project
from infra.errors import InfraError
from scripts import output
from scripts.aws_options import DryRun, Local, StageName, open_stage
from scripts.confirmation import Yes, confirm_by_name
from scripts.output import Output, OutputFormat
from scripts.progress import show_plan, shown
from scripts.signals import EndingSignals

#: When others may take a destroy for dead: CloudFormation alone may need half of it.
_LONGEST: Final = timedelta(minutes=40)


class StageNotNamedError(InfraError):
    """Nobody is asked, so the stage must be named."""

    code: ClassVar[str] = "STAGE_NOT_NAMED"
    exit_code: ClassVar[int] = 2


def destroy(
    stage: StageName = None,
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
    local: Local = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Remove everything that a stage has in AWS, previews too. Its database and its branches stay."""
    if yes and stage is None:
        raise StageNotNamedError(
            "--yes does not ask, and no stage was named", hint="name it: bough destroy STAGE --yes"
        )
    from infra.aws import destroy as end  # noqa: PLC0415  boto3 takes time that --help need not pay
    from infra.aws.deploy_lock import DeployLock  # noqa: PLC0415  as above
    from infra.aws.stack import Stack  # noqa: PLC0415  as above
    from infra.plan import execute  # noqa: PLC0415  as above

    project = load_project(Path.cwd())
    account, where = open_stage(project, stage, local=local)
    stack = Stack(project, account, where)
    found = end.find(account, where, stack)
    rows = [{"kind": kind, "name": name} for kind, name in found.rows()]
    if not rows:
        output.say(f"Stage {where.name} has nothing in AWS")
        return
    output.say(f"Stage {where.name} has in AWS:")
    for row in rows:
        output.say(f"  {row['kind']:9}  {row['name']}")
    output.say("Its database is not touched, nor are the branches of its previews: bough branch list")
    lock = DeployLock(account, where, platform.node(), _LONGEST, output.say)
    steps = end.steps(account, where, stack, found, lock)
    if dry_run:
        show_plan(steps, output_format)
    confirm_by_name(f"All of this is removed for good from stage {where.name}.", where.name, yes=yes)
    with EndingSignals(), shown() as notify:
        execute(steps, notify)
    output.show_rows(rows, output_format, columns={"kind": "REMOVED", "name": "NAME"})
