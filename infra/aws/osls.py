"""osls, or Serverless Framework by another name, as a program: packages `serverless.yml`, and deploys it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from infra.config_tables import ConfigError
from infra.errors import InfraError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.aws.account import Account
    from infra.aws.stage import Stage

#: The one that the kit is tested with.
VERSION: Final = "4.3.1"
_INSTALL: Final = f"npm install --save-dev osls@{VERSION}"
#: It refuses a link to one.
_CONFIG: Final = "serverless.yml"
_PROXIES: Final = frozenset({"proxy", "http_proxy", "https_proxy", "all_proxy"})
#: What serverless.yml names.
_ARTIFACTS: Final = ("api.zip", "api.json", "migrate.zip", "migrate.json")
#: What it names its files; `naming.js` of the package.
_TEMPLATE: Final = "cloudformation-template-update-stack.json"
#: The oldest Node.js of each line that it runs on; `engines` of its package.json.
_NODES: Final = {20: 19, 22: 13}
_NODES_TEXT: Final = "Node.js 20.19, 22.13, or 24 and later"
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
#: Begins the lines that say nothing to who did not call osls.
_CHATTER: Final = ("Environment:", "Docs:", "Support:", "Bugs:")


class OslsMissingError(InfraError):
    """There is no osls, or no Node.js that runs it; the hint has the command that installs it."""

    code: ClassVar[str] = "OSLS_MISSING"


class ServerlessYmlError(ConfigError):
    """`serverless.yml` is missing or wrong; the message holds osls's own words."""

    code: ClassVar[str] = "SERVERLESS_YML_INVALID"


class NotPackagedError(ConfigError):
    """There is no artifact to deploy."""

    code: ClassVar[str] = "NOT_PACKAGED"


class OslsFailedError(InfraError):
    """osls ended with an error while it deployed; the message holds its own words."""

    code: ClassVar[str] = "OSLS_FAILED"


@dataclass(frozen=True)
class Service:
    """A packaged `serverless.yml`, ready to be deployed; its folder lives as long as this does.

    Args:
        template: What CloudFormation will be given.
        stage: Whose it is.
        environment: What osls runs with, **with the secret key**.
    """

    template: Mapping[str, Any]
    stage: Stage
    environment: Mapping[str, str] = field(repr=False)
    _folder: Path = field(repr=False)
    _program: str = field(repr=False)

    def deploy(self, announce: Callable[[str], None]) -> None:
        """Deploy what was packaged, and nothing newer.

        Args:
            announce: Is told osls's lines.

        Raises:
            OslsFailedError: It ended with an error.
        """
        lines = []
        command = [self._program, "deploy", "--stage", self.stage.name, "--package", "packaged", "--verbose"]
        # Its own comparison is with what it uploaded last, whether or not CloudFormation took that.
        command.append("--force")
        with subprocess.Popen(  # noqa: S603  its path was looked up
            command,
            cwd=self._folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            for line in process.stdout or ():
                if text := _COLOUR.sub("", line).strip():
                    lines.append(text)
                    announce(text)
        if process.returncode:
            raise OslsFailedError(f"osls could not deploy {self.stage.stack}: {_reason(lines)}")


def package(root: Path, account: Account, stage: Stage, dist: Path) -> Service:
    """Compile `serverless.yml` into a CloudFormation template; neither AWS nor the project is touched.

    Args:
        root: The project's folder.
        account: Where it will be deployed.
        stage: Which of the project's.
        dist: The folder with the artifacts and their descriptions.

    Raises:
        OslsMissingError: There is no osls, or no Node.js that runs it.
        NotPackagedError: There are no artifacts.
        ServerlessYmlError: osls does not accept what it says.
    """
    if not (root / _CONFIG).is_file():
        raise ServerlessYmlError(f"there is no {_CONFIG} in {root}", hint="copy the kit's")
    if missing := [name for name in _ARTIFACTS if not (dist / name).is_file()]:
        raise NotPackagedError(f"there is no {missing[0]} in {dist}", hint="bough package")
    program = _find(root)
    # A proxy from the environment is of no use for this machine's own services.
    proxies = _PROXIES if account.endpoint else frozenset[str]()
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_") and name.lower() not in proxies
    }
    environment |= {
        "BOUGH_SERVICE": stage.service,
        "BOUGH_DIST": str(dist.resolve()),
        "BOUGH_KMS_ALIAS": stage.settings.kms_alias,
    }
    # Milliseconds between its looks at CloudFormation, which are 5 s otherwise.
    environment |= {"SLS_AWS_MONITORING_FREQUENCY": "1000", "NODE_NO_WARNINGS": "1", **account.environment()}
    folder = Path(tempfile.mkdtemp(prefix="bough-osls-"))
    try:
        template = _compile(program, root, folder, environment, stage)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    service = Service(template, stage, environment, folder, program)
    weakref.finalize(service, shutil.rmtree, folder, ignore_errors=True)
    return service


def _compile(
    program: str, root: Path, folder: Path, environment: Mapping[str, str], stage: Stage
) -> Mapping[str, Any]:
    """Have osls package the project into `packaged` of `folder`, and return the template.

    It works in a folder `.serverless` beside the configuration, which two deploys of a project would take
    from each other: so it is given a project of its own, made of links.
    """
    for entry in root.iterdir():
        if entry.name not in {".serverless", _CONFIG}:
            (folder / entry.name).symlink_to(entry)
    shutil.copyfile(root / _CONFIG, folder / _CONFIG)
    done = subprocess.run(  # noqa: S603  its path was looked up
        [program, "package", "--stage", stage.name, "--package", "packaged"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = _COLOUR.sub("", f"{done.stdout}\n{done.stderr}").splitlines()
        raise _refused(root, [line.strip() for line in lines if line.strip()], environment["AWS_REGION"])
    template: Mapping[str, Any] = json.loads((folder / "packaged" / _TEMPLATE).read_text(encoding="utf-8"))
    return template


def _find(root: Path) -> str:
    program = shutil.which("osls", path=str(root / "node_modules" / ".bin")) or shutil.which("osls")
    node = shutil.which("node")
    if program is None or node is None:
        what = "osls" if program is None else f"Node.js, which osls needs ({_NODES_TEXT})"
        raise OslsMissingError(
            f"there is no {what}", hint=_INSTALL if program is None else "install Node.js, and try again"
        )
    return program


def _refused(root: Path, lines: list[str], region: str) -> InfraError:
    if not _node_is_new_enough():
        return OslsMissingError(f"osls needs {_NODES_TEXT}", hint="install a newer Node.js, and try again")
    reason = _reason(lines)
    hint = None
    if ".layers." in reason:
        hint = (
            "AWS's Parameters and Secrets extension is not known for this processor in"
            f" {region}: set BOUGH_EXTENSION_LAYER to its ARN"
        )
    return ServerlessYmlError(f"osls does not accept {root / _CONFIG}: {reason}", hint=hint)


def _node_is_new_enough() -> bool:
    done = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)  # noqa: S607
    version = re.match(r"v(\d+)\.(\d+)", done.stdout)
    if version is None:
        return False
    line, release = int(version[1]), int(version[2])
    return line > max(_NODES) + 1 or release >= _NODES.get(line, release + 1)


def _reason(lines: list[str]) -> str:
    """Return what stands behind `Error:`, to the lines about osls itself."""
    start = next((i for i, line in enumerate(lines) if line.startswith(("Error:", "✖"))), None)
    said = lines[-5:] if start is None else lines[start:]
    kept = []
    for line in said:
        text, found, _ = line.partition("Environment:")
        kept.append(text.removeprefix("Error:").strip())
        if found or line.startswith(_CHATTER):
            break
    return " ".join(text for text in kept if text) or "it gave no reason"
