"""A version of a function as it was deployed: all that running it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: What the names of the layers begin with that bring the Parameters and Secrets extension.
_EXTENSION: Final = "AWS-Parameters-and-Secrets-Lambda-Extension"


@dataclass(frozen=True)
class Deployed:
    """Two that are equal can share execution environments.

    Args:
        name: Of the function.
        version: Its number, or `$LATEST`.
        arn: Of the function, without a qualifier.
        region: Where it is.
        account: Whose it is.
        code_sha256: Of its zip, in base64.
        handler: Lambda's notation.
        variables: The function's own.
        timeout: In seconds.
        memory_mb: What it is told that it has.
        role: The ARN of what it may do.
        layers: ARNs.
        log_group: Where its output goes.
        built_for: Runtime and architecture.
        code: Returns the zip.
    """

    name: str
    version: str
    arn: str
    region: str
    account: str
    code_sha256: str
    handler: str
    variables: Mapping[str, str] = field(repr=False)
    timeout: int
    memory_mb: int
    role: str
    layers: tuple[str, ...]
    log_group: str
    built_for: tuple[str, str]
    code: Callable[[], bytes] = field(repr=False, compare=False)

    @property
    def has_extension(self) -> bool:
        """Whether a layer brings the Parameters and Secrets extension."""
        return any(_EXTENSION in layer for layer in self.layers)
