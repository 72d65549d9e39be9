"""What an artifact is built for: a Python of Lambda and a processor, or those of this machine."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from infra.config import Project

#: Some of our dependencies have no wheels for an older glibc. Most wheels for 2.28 call nothing so new; what
#: they do call is compared with the image's (`checks.check_target`).
LAMBDA: Final = "manylinux_2_28"

#: Releases of glibc 2 in Lambda's images: Amazon Linux 2 up to Python 3.11, Amazon Linux 2023 from 3.12 on.
_GLIBC_OF_AMAZON_LINUX_2: Final = 26
_GLIBC_OF_AMAZON_LINUX_2023: Final = 34

#: Processors, as Lambda names them and as wheels and uv do.
_MACHINES: Final = {"arm64": "aarch64", "x86_64": "x86_64"}


@dataclass(frozen=True, slots=True)
class Target:
    """What an artifact is built for; by default what `[tool.bough.aws]` has as its default.

    Args:
        runtime: Lambda's name of a Python.
        architecture: Lambda's name of a processor: `arm64` or `x86_64`.
        system: What compiled code calls, as uv names it behind the processor.
    """

    runtime: str = "python3.13"
    architecture: str = "arm64"
    system: str = LAMBDA

    @classmethod
    def of(cls, project: Project) -> Target:
        """Return what the project is deployed to."""
        return cls(project.aws.runtime, project.aws.architecture)

    @classmethod
    def this_machine(cls) -> Target:
        """Return this Python on this machine, where functions of the local AWS run."""
        arm = platform.machine().lower() in {"arm64", "aarch64"}
        system = "apple-darwin" if sys.platform == "darwin" else LAMBDA
        return cls(f"python{sys.version_info[0]}.{sys.version_info[1]}", "arm64" if arm else "x86_64", system)

    @property
    def python(self) -> str:
        """The minor version, such as `3.13`."""
        return self.runtime.removeprefix("python")

    @property
    def platform(self) -> str:
        """What uv installs wheels for, such as `aarch64-manylinux_2_28`."""
        return f"{_MACHINES[self.architecture]}-{self.system}"

    @property
    def glibc(self) -> int | None:
        """Which release of glibc 2 there is on Lambda; `None` for this machine, whose own one counts."""
        if self == Target.this_machine():
            return None
        return _GLIBC_OF_AMAZON_LINUX_2 if self.runtime == "python3.11" else _GLIBC_OF_AMAZON_LINUX_2023

    @property
    def is_lambda(self) -> bool:
        """Whether Lambda could run it: what is built for a developer's Mac it could not."""
        return self.system == LAMBDA

    @property
    def runs_here(self) -> bool:
        """Whether this machine has the processor and the system; a Python for it is another question."""
        here = Target.this_machine()
        return (self.architecture, self.system) == (here.architecture, here.system)

    def __str__(self) -> str:
        """Name it in few words."""
        return f"{self.runtime} on {self.architecture}"
