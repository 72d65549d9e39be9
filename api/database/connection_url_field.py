"""How pydantic reads a connection URL without ever printing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic_core import PydanticCustomError, core_schema

from api.database.connection_url_syntax import ConnectionUrlError, Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic_core import CoreSchema

T = TypeVar("T")


def field_schema(kind: type[T], parse: Callable[[str], T]) -> CoreSchema:
    """Return the schema of a field that takes a `kind` or text for `parse`, and dumps masked JSON.

    The text is sealed before anything can fail: pydantic prints the input of what failed. A model
    needs `hide_input_in_errors=True` all the same, because for a failure of the model itself, such
    as a missing field, pydantic prints the input of every field.
    """

    def seal(value: object) -> object:
        return Secret(value) if isinstance(value, str) else value

    def read(value: object) -> T:
        if isinstance(value, kind):
            return value
        if not isinstance(value, Secret):
            message = "a {found} is not a {wanted}"
            names = {"found": type(value).__name__, "wanted": kind.__name__}
            raise PydanticCustomError("connection_url", message, names)
        try:
            return parse(value.reveal())
        except ConnectionUrlError as error:
            reason = f"{error}; {error.hint}" if error.hint else str(error)
        raise PydanticCustomError("connection_url", "{reason}", {"reason": reason})

    return core_schema.no_info_before_validator_function(
        seal,
        core_schema.no_info_plain_validator_function(read),
        serialization=core_schema.to_string_ser_schema(when_used="json"),
    )
