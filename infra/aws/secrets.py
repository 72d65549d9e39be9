"""Secrets of a stage: SecureString parameters, each below the function that may read it.

A function's role reads what is below its owner's path and nothing else (`api`, `migrate`, `preview/pr-12`).
Values go to AWS and to the functions: nothing here prints or logs one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from botocore.exceptions import ClientError

from infra.aws.errors import code_of, translated
from infra.aws.stage import PARAMETER_SUFFIX
from infra.errors import InfraError

if TYPE_CHECKING:
    from datetime import datetime

    from infra.aws.account import Account
    from infra.aws.stage import Stage

#: What a parameter holds at most in the tier that costs nothing.
MAX_BYTES: Final = 4096
_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


class SecretError(InfraError):
    """A secret cannot be what was given; nothing was changed."""

    code: ClassVar[str] = "SECRET_INVALID"
    exit_code: ClassVar[int] = 2


class SecretExistsError(InfraError):
    """The secret exists already, and was not to be replaced."""

    code: ClassVar[str] = "SECRET_EXISTS"


def check_name(name: str) -> None:
    """Refuse what can be no variable of a function.

    Raises:
        SecretError: It is none, or the one that names the parameter.
    """
    if not _NAME.fullmatch(name):
        raise SecretError(f"{name!r} is no variable's name", hint="capitals, digits and _: STRIPE_KEY")
    if name.endswith(PARAMETER_SUFFIX):
        raise SecretError(
            f"{name} names a parameter, and holds no secret", hint=name.removesuffix(PARAMETER_SUFFIX)
        )


@dataclass(frozen=True, slots=True)
class Secret:
    """What may be known of a secret.

    Args:
        owner: Who reads it: `api`, `migrate` or `preview/pr-12`.
        name: The variable that it is for the function.
        parameter: Its name in AWS.
        version: Counts from 1; each new value is one more.
        modified: When the value was written.
    """

    owner: str
    name: str
    parameter: str
    version: int
    modified: datetime


class Secrets:
    """The secrets of one stage."""

    def __init__(self, account: Account, stage: Stage) -> None:
        """Ask nothing yet."""
        self._account = account
        self._stage = stage

    def put(self, owner: str, name: str, value: str, *, replace: bool = True) -> int:
        """Write a value, and return its version.

        Args:
            owner: Who reads it: `api`, `migrate` or `preview/pr-12`.
            name: The variable that it is for the function.
            value: Not empty, and 4 KB at most.
            replace: Whether a value that is there may be.

        Raises:
            SecretError: The name or value cannot be used.
            SecretExistsError: There is a value, and it must not be replaced.
            AwsError: AWS refused.
        """
        check_name(name)
        if not value:
            raise SecretError(f"the value of {name} is empty")
        if (size := len(value.encode())) > MAX_BYTES:
            raise SecretError(f"the value of {name} has {size} bytes, and a parameter holds {MAX_BYTES}")
        parameter = self._stage.parameter(owner, name)
        with translated(f"write the parameter {parameter}"):
            try:
                return self._create(parameter, value)
            except ClientError as error:
                if code_of(error) != "ParameterAlreadyExists":
                    raise
            if replace:
                # Without tags: AWS refuses them with Overwrite, and they are there.
                return self._account.parameters.put_parameter(
                    Name=parameter,
                    Value=value,
                    Type="SecureString",
                    KeyId=self._stage.settings.kms_alias,
                    Overwrite=True,
                )["Version"]
        raise SecretExistsError(f"{name} is set already ({parameter})")

    def _create(self, parameter: str, value: str) -> int:
        tags = {"bough:service": self._stage.service, "bough:stage": self._stage.name}
        answer = self._account.parameters.put_parameter(
            Name=parameter,
            Value=value,
            Type="SecureString",
            KeyId=self._stage.settings.kms_alias,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
        return answer["Version"]

    def get(self, owner: str, name: str) -> str | None:
        """Return a value, `None` where there is none.

        Raises:
            AwsError: AWS refused.
        """
        parameter = self._stage.parameter(owner, name)
        with translated(f"read the parameter {parameter}"):
            try:
                answer = self._account.parameters.get_parameter(Name=parameter, WithDecryption=True)
            except ClientError as error:
                if code_of(error) != "ParameterNotFound":
                    raise
                return None
        return answer["Parameter"]["Value"]

    def list(self, owner: str | None = None) -> list[Secret]:
        """Return what there is, of one owner or of all, by owner and name; no value is decrypted.

        Raises:
            AwsError: AWS refused.
        """
        path = self._path(owner)
        found: list[Secret] = []
        with translated(f"list the parameters below {path}"):
            pages = self._account.parameters.get_paginator("get_parameters_by_path")
            for page in pages.paginate(Path=path, Recursive=True, WithDecryption=False):
                for each in page["Parameters"]:
                    below = each["Name"].removeprefix(f"{self._stage.parameters}/")
                    reader, _, name = below.rpartition("/")
                    found.append(
                        Secret(reader, name, each["Name"], each["Version"], each["LastModifiedDate"])
                    )
        return sorted(found, key=lambda secret: (secret.owner, secret.name))

    def delete(self, owner: str, name: str) -> bool:
        """Delete a secret, and return whether there was one.

        Raises:
            AwsError: AWS refused.
        """
        parameter = self._stage.parameter(owner, name)
        with translated(f"delete the parameter {parameter}"):
            return bool(self._account.parameters.delete_parameters(Names=[parameter])["DeletedParameters"])

    def clear(self, owner: str | None = None) -> int:
        """Delete all secrets of an owner, or of the stage, and return how many there were.

        Raises:
            AwsError: AWS refused.
        """
        names = [secret.parameter for secret in self.list(owner)]
        with translated(f"delete the parameters below {self._path(owner)}"):
            # Ten is what AWS takes at once.
            for first in range(0, len(names), 10):
                self._account.parameters.delete_parameters(Names=names[first : first + 10])
        return len(names)

    def _path(self, owner: str | None) -> str:
        return self._stage.parameters if owner is None else f"{self._stage.parameters}/{owner}"
