"""What requests may hold: bodies and query parameters. Unknown fields are ignored, as at Neon."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, ValidationError

from infra.local.neon_api import errors

if TYPE_CHECKING:
    from starlette.requests import Request

Id = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,60}$")]
#: An empty one counts as none, as Neon has it for `parent_id`.
OptionalId = Annotated[Id | None, BeforeValidator(lambda value: value or None)]
Name = Annotated[str, Field(min_length=1, max_length=256)]
#: PostgreSQL's limit for names.
SqlName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[^\x00]+$")]
ComputeUnits = Annotated[float, Field(ge=0.25)]
#: RFC 3339 with a zone; pydantic alone would also take a number.
Moment = Annotated[AwareDatetime, Field(strict=True)]
Lsn = Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$")]


class ComputeSettings(BaseModel):
    """The size of a compute; what is absent is the project's default."""

    autoscaling_limit_min_cu: ComputeUnits | None = None
    autoscaling_limit_max_cu: ComputeUnits | None = None
    suspend_timeout_seconds: Annotated[int, Field(ge=-1, le=604800)] | None = None


class EndpointType(StrEnum):
    """Only the first kind exists here."""

    READ_WRITE = "read_write"
    READ_ONLY = "read_only"


class EndpointOptions(ComputeSettings):
    """An endpoint that is made with its branch."""

    type: EndpointType


class BranchOptions(BaseModel):
    """A branch to be made."""

    parent_id: OptionalId = None
    name: Name | None = None
    parent_lsn: Lsn | None = None
    parent_timestamp: Moment | None = None
    protected: bool = False
    archived: Literal[False] = False
    init_source: Literal["schema-only", "parent-data"] = "parent-data"
    expires_at: Moment | None = None


class BranchCreate(BaseModel):
    """POST /branches; everything may be absent."""

    branch: BranchOptions = Field(default_factory=BranchOptions)
    endpoints: list[EndpointOptions] = Field(default_factory=list)
    annotation_value: dict[str, Any] | None = None


class BranchChanges(BaseModel):
    """What is absent stays; `expires_at: null` means never."""

    name: Name | None = None
    protected: bool | None = None
    expires_at: Moment | None = None


class BranchUpdate(BaseModel):
    """PATCH /branches/{id}."""

    branch: BranchChanges


class BranchRestore(BaseModel):
    """POST /branches/{id}/restore."""

    source_branch_id: Id
    source_lsn: Lsn | None = None
    source_timestamp: Moment | None = None
    preserve_under_name: Annotated[str, Field(max_length=256)] | None = None


class BranchQuery(BaseModel):
    """GET /branches."""

    search: str = ""
    sort_by: Literal["name", "created_at", "updated_at"] = "updated_at"
    sort_order: Literal["asc", "desc"] = "desc"
    limit: Annotated[int, Field(ge=1, le=10000)] = 10000
    cursor: str | None = None
    include_deleted: bool = False


class DeleteQuery(BaseModel):
    """DELETE /branches/{id}."""

    hard_delete: bool = False


class PageQuery(BaseModel):
    """GET /operations."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 1000
    cursor: str | None = None


class ProjectQuery(BaseModel):
    """GET /projects."""

    limit: Annotated[int, Field(ge=1, le=400)] = 10
    cursor: str | None = None
    search: str = ""


class SchemaQuery(BaseModel):
    """GET /branches/{id}/schema."""

    db_name: str
    lsn: Lsn | None = None
    timestamp: Annotated[AwareDatetime | None, Field()] = None
    format: Literal["sql", "json"] = "sql"


class CompareQuery(BaseModel):
    """GET /branches/{id}/compare_schema; without a base the parent is it."""

    db_name: str
    base_branch_id: OptionalId = None
    lsn: Lsn | None = None
    timestamp: Annotated[AwareDatetime | None, Field()] = None
    base_lsn: Lsn | None = None
    base_timestamp: Annotated[AwareDatetime | None, Field()] = None


class ConnectionUriQuery(BaseModel):
    """GET /connection_uri. Without a branch the default one is meant: production."""

    branch_id: OptionalId = None
    endpoint_id: OptionalId = None
    database_name: str
    role_name: str
    pooled: bool = False


class EndpointFields(ComputeSettings):
    """An endpoint to be made on a branch."""

    branch_id: Id
    type: EndpointType
    name: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class EndpointCreate(BaseModel):
    """POST /endpoints."""

    endpoint: EndpointFields


class EndpointChanges(ComputeSettings):
    """What is absent stays."""

    name: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class EndpointUpdate(BaseModel):
    """PATCH /endpoints/{id}."""

    endpoint: EndpointChanges


class RoleFields(BaseModel):
    """A role to be made."""

    name: SqlName
    no_login: bool = False


class RoleCreate(BaseModel):
    """POST /roles."""

    role: RoleFields


class DatabaseFields(BaseModel):
    """A database to be made."""

    name: SqlName
    owner_name: SqlName


class DatabaseCreate(BaseModel):
    """POST /databases."""

    database: DatabaseFields


class DefaultBranch(BaseModel):
    """A new project's branch."""

    name: Name = "main"
    role_name: SqlName | None = None
    database_name: SqlName = "neondb"


class ProjectFields(BaseModel):
    """A project to be made."""

    name: Name | None = None
    branch: DefaultBranch = Field(default_factory=DefaultBranch)
    pg_version: Literal[18] = 18
    default_endpoint_settings: ComputeSettings = Field(default_factory=ComputeSettings)


class ProjectCreate(BaseModel):
    """POST /projects."""

    project: ProjectFields


class ProjectChanges(BaseModel):
    """What is absent stays."""

    name: Name | None = None
    default_endpoint_settings: ComputeSettings = Field(default_factory=ComputeSettings)


class ProjectUpdate(BaseModel):
    """PATCH /projects/{id}."""

    project: ProjectChanges


Model = TypeVar("Model", bound=BaseModel)


async def body(request: Request, model: type[Model]) -> Model:
    """Return the request's body, or refuse with 400."""
    try:
        return model.model_validate_json(await request.body() or b"{}")
    except ValidationError as error:
        raise _explained(error) from error


def query(request: Request, model: type[Model]) -> Model:
    """Return the request's query parameters, or refuse with 400."""
    try:
        return model.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise _explained(error) from error


def _explained(error: ValidationError) -> errors.ApiError:
    # Without the input: it may be a password.
    problems = [
        f"{'.'.join(str(part) for part in each['loc']) or 'body'}: {each['msg']}"
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return errors.bad_request(f"invalid request: {'; '.join(problems)}")
