"""Artifacts on their way to Lambda: through the stage's bucket, each kept there once, under its hash."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

from botocore.exceptions import ClientError

from infra.aws.errors import AwsError, code_of, translated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.aws.account import Account
    from infra.aws.package import Package

#: What the names of uploaded artifacts begin with.
PREFIX: Final = "artifacts/"

#: Bytes of a zip that Lambda takes with the request itself.
_DIRECT_LIMIT: Final = 50 * 1024 * 1024


class PackageTooLargeError(AwsError):
    """Lambda takes zips of this size from a bucket alone, and there is none."""

    code: ClassVar[str] = "PACKAGE_TOO_LARGE"


@dataclass(frozen=True, slots=True)
class StoredCode:
    """A zip in S3."""

    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class SentCode:
    """A zip on this machine that travels with the request."""

    zip: Path


CodeSource: TypeAlias = StoredCode | SentCode


def stored(bucket: str, package: Package) -> StoredCode:
    """Return where a package is in a bucket once it has been uploaded."""
    return StoredCode(bucket, f"{PREFIX}{package.sha256}.zip")


def upload(account: Account, bucket: str | None, package: Package) -> CodeSource:
    """Put a package where Lambda takes it from; nothing is sent when it is there.

    Args:
        account: Whose bucket it is.
        bucket: The stage's; without one the zip is sent when the function is made or updated.
        package: What was built.

    Raises:
        PackageTooLargeError: There is no bucket, and the zip needs one.
        AwsError: S3 refuses it.
    """
    if bucket is None:
        if package.size > _DIRECT_LIMIT:
            raise PackageTooLargeError(
                f"{package.zip} has {package.size / 1e6:.1f} MB, and without a bucket Lambda takes"
                f" {_DIRECT_LIMIT / 1e6:.1f} MB",
                hint="`bough package --explain` shows what is heavy",
            )
        return SentCode(package.zip)
    code = stored(bucket, package)
    with translated(f"upload {package.zip} to {bucket}"):
        if not _is_there(account, code):
            with package.zip.open("rb") as body:
                account.objects.put_object(
                    Bucket=bucket, Key=code.key, Body=body, ChecksumSHA256=package.code_sha256
                )
    return code


def _is_there(account: Account, code: StoredCode) -> bool:
    try:
        account.objects.head_object(Bucket=code.bucket, Key=code.key)
    except ClientError as error:
        if code_of(error) == "404":
            return False
        raise
    return True


@contextmanager
def no_bucket_is_empty() -> Iterator[None]:
    """Leave the block when the bucket that it looks into does not exist."""
    try:
        yield
    except ClientError as error:
        if code_of(error) != "NoSuchBucket":
            raise
