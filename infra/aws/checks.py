"""What a package must not hold: code that its target cannot run, secrets, more than Lambda takes."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final

from infra.aws import elf
from infra.aws.artifact import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.aws.target import Target

#: Bytes that the files of a function may have, as Lambda counts them: unzipped.
LIMIT: Final = 262_144_000

#: A line with it holds no secret, whatever it looks like.
NOT_A_SECRET: Final = b"bough: not a secret"

#: A library's name, with its version or without.
_SHARED_OBJECT: Final = re.compile(r"\.so(\.\d+)*$")

#: An extension module's name for one version of CPython only, such as `x.cpython-313-aarch64-linux-gnu.so`.
_ABI: Final = re.compile(r"\.cpython-(\d\d+t?)-[^.]+\.so$")

_EXAMPLES: Final = (".example", ".sample", ".template")
_BASE64: Final = rb"[A-Za-z0-9+/=]{40}"


class WrongTargetError(ArtifactError):
    """A shared object could not be loaded by the package's Python on its processor."""

    code = "WRONG_TARGET"


class PackageTooLargeError(ArtifactError):
    """Lambda would refuse the package."""

    code = "PACKAGE_TOO_LARGE"


class SecretInPackageError(ArtifactError):
    """Something that would ship is, or looks like, a secret; the message says where, never what."""

    code = "SECRET_IN_PACKAGE"


def _supabase_service_role() -> bytes:
    """Return a pattern for a JWT of the role that row-level security does not hold back.

    Base64 writes text in one of three ways, by where in a group of three bytes it begins.
    """
    text = b'"service_role"'
    ways = (base64.b64encode(bytes(shift) + text)[4 * (shift > 0) : -4].rstrip(b"=") for shift in range(3))
    return rb"\beyJ[\w-]+\.[\w-]*(?:" + b"|".join(map(re.escape, ways)) + rb")[\w-]*\.[\w-]{20,}"


#: What is a secret for certain enough to refuse it, and what to call it.
_SECRETS: Final = {
    "a private key": rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?:\\n|[\s\"']|[\w-]+: [^\n\\]*(?:\\n|\n))*"
    + _BASE64,
    # What ends so are the keys of AWS's documentation.
    "an access key of AWS": rb"\b(?:AKIA|ASIA)(?!\w*EXAMPLE\b)[A-Z0-9]{16}\b",
    "a secret key of AWS": rb"(?i:aws_secret_access_key)[\"']?\s*[=:]\s*[\"']?(?!\w*EXAMPLE)" + _BASE64,
    "an API key of Neon": rb"\bnapi_[a-z0-9]{40,}\b",
    "an access token of Supabase": rb"\bsbp_[0-9a-f]{40}\b",
    "a secret key of Supabase": rb"\bsb_secret_[\w-]{20,}|" + _supabase_service_role(),
    "a token of GitHub": rb"\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_\w{40,}",
    "a live key of Stripe": rb"\b[sr]k_live_[A-Za-z0-9]{16,}",
    "a token of Slack": rb"\bxox[abeprs]-[A-Za-z0-9-]{20,}",
    # Of a host that others can reach: neither this machine nor one of the domains that are kept for examples.
    "a connection string with a password": (
        rb"\bpostgres(?:ql)?(?:\+\w+)?://[^\s:/@\"'{}<>$%*]+:(?!password@|secret@|pass@|x+@|[$*\[]|%[(s])"
        rb"[^\s/@\"'{}<>]+@(?![^\s/:\"']*\bexample\b)(?!127\.)[\w-]+(?:\.[\w-]+)*\.(?!test\b|invalid\b)\w+"
    ),
}
_SECRET: Final = re.compile(b"|".join(b"(" + pattern + b")" for pattern in _SECRETS.values()))


def check_secrets(files: Mapping[str, Path]) -> None:
    """Refuse secrets among a project's own files: path inside the package to path on disk.

    Raises:
        SecretInPackageError: A file of variables, or a line with a secret.
        OSError: A file cannot be read.
    """
    for name, path in files.items():
        base = name.rpartition("/")[2]
        if (base.startswith(".env") or base.endswith(".env")) and not base.endswith(_EXAMPLES):
            raise SecretInPackageError(
                f"{path} would ship, and holds what nobody else should read",
                hint="take it out of `include` under [tool.bough], or move it out of the package",
            )
        content = path.read_bytes()
        for found in _SECRET.finditer(content):
            line = content.count(b"\n", 0, found.start()) + 1
            if NOT_A_SECRET in content.splitlines()[line - 1]:
                continue
            what = list(_SECRETS)[(found.lastindex or 1) - 1]
            raise SecretInPackageError(
                f"{path}, line {line}: this looks like {what}",
                hint="put it into the parameter store, and replace it where it comes from: whoever reads the "
                f"code has it. If it opens nothing, write `{NOT_A_SECRET.decode()}` into the line",
            )


def check_target(entries: Mapping[str, Path], target: Target) -> None:
    """Refuse shared objects that the target cannot load.

    Args:
        entries: Path inside the package to path on disk.
        target: What the package is for.

    Raises:
        WrongTargetError: One is for another processor, system or Python, or needs a newer glibc.
        OSError: A file cannot be read.
    """
    for name, path in entries.items():
        if not _SHARED_OBJECT.search(name):
            continue
        content = path.read_bytes()
        found = _found(name, content, target)
        if found is not None:
            raise WrongTargetError(
                f"{name} is for {found}, and the package for {target}",
                hint="take it out of the project's own files: what the lock names is the target's",
            )
        if target.glibc is not None and (needed := elf.needed_glibc(content)) > target.glibc:
            raise WrongTargetError(
                f"{name} needs glibc 2.{needed}, and Lambda has 2.{target.glibc} for {target.runtime}",
                hint="choose a newer `runtime` under [tool.bough.aws], or another release of that dependency",
            )


def _found(name: str, content: bytes, target: Target) -> str | None:
    """Say what a shared object is for when that is not the target."""
    if (abi := _ABI.search(name)) and abi[1] != target.python.replace(".", ""):
        return f"Python {abi[1][0]}.{abi[1][1:]}"
    if not target.is_lambda:
        return None
    if not elf.is_elf(content):
        return "another system than Linux"
    architecture = elf.architecture(content)
    return None if architecture == target.architecture else architecture


def check_size(entries: Mapping[str, Path]) -> None:
    """Refuse what Lambda would refuse, after all of it was uploaded.

    Raises:
        PackageTooLargeError: All files together have more than `LIMIT` bytes; it names the largest packages.
    """
    sizes: dict[str, int] = {}
    for name, path in entries.items():
        top = name.partition("/")[0]
        sizes[top] = sizes.get(top, 0) + path.stat().st_size
    total = sum(sizes.values())
    if total > LIMIT:
        largest = sorted(sizes, key=lambda top: -sizes[top])[:3]
        shares = ", ".join(f"{top} {sizes[top] / 1e6:.0f} MB" for top in largest)
        raise PackageTooLargeError(
            f"the package has {total / 1e6:.1f} MB unzipped, and Lambda takes {LIMIT / 1e6:.1f} MB: {shares}",
            hint="`uv add --dev` what only tools and tests need, and `uv remove` it from what ships",
        )
