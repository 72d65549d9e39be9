"""What may be done to endpoints, and what it changes in the state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.local.neon_api import errors, ids
from infra.local.neon_api.computes import free_ports
from infra.local.neon_api.requests import EndpointType
from infra.local.neon_api.state import Endpoint, EndpointSettings

if TYPE_CHECKING:
    from infra.local.neon_api.limits import Limits
    from infra.local.neon_api.requests import ComputeSettings, EndpointFields, EndpointOptions
    from infra.local.neon_api.state import Branch, State


def add(state: State, branch: Branch, wanted: EndpointOptions | EndpointFields, limits: Limits) -> Endpoint:
    """Give the branch its endpoint."""
    if wanted.type is not EndpointType.READ_WRITE:
        raise errors.refused("read-only endpoints do not exist on this machine")
    if state.endpoint_of(branch.id):
        raise errors.conflict("read_write endpoint already exists")
    direct_port, pooled_port = free_ports(state)
    defaults = state.project(branch.project_id).default_endpoint_settings
    endpoint = Endpoint(
        id=ids.endpoint_id(),
        project_id=branch.project_id,
        branch_id=branch.id,
        name=getattr(wanted, "name", None),
        direct_port=direct_port,
        pooled_port=pooled_port,
        **changed(defaults, wanted, limits).model_dump(),
    )
    state.endpoints[endpoint.id] = endpoint
    return endpoint


def changed(settings: EndpointSettings, wanted: ComputeSettings, limits: Limits) -> EndpointSettings:
    """Return the settings with what is wanted, or refuse what cannot be."""
    fields = wanted.model_dump(include=set(EndpointSettings.model_fields), exclude_none=True)
    new = EndpointSettings.model_validate(
        settings.model_dump(include=set(EndpointSettings.model_fields)) | fields
    )
    if "autoscaling_limit_max_cu" not in fields:
        new.autoscaling_limit_max_cu = max(new.autoscaling_limit_max_cu, new.autoscaling_limit_min_cu)
    if new.autoscaling_limit_min_cu > new.autoscaling_limit_max_cu:
        raise errors.bad_request("autoscaling_limit_min_cu must not exceed autoscaling_limit_max_cu")
    if 0 < new.suspend_timeout_seconds < limits.suspend_timeout_seconds:
        raise errors.bad_request(
            f"suspend_timeout_seconds must be -1, 0 or at least {limits.suspend_timeout_seconds}"
        )
    return new
