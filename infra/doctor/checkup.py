"""All checks of the doctor, by name and in the order in which they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.doctor import connections, machine, prepared, provider_api, role
from infra.doctor.budget import Load, budget
from infra.doctor.checks import Check

if TYPE_CHECKING:
    from api.database.timeouts import Timeouts
    from infra.doctor.checks import Finding
    from infra.doctor.provider_api import ProviderApi
    from infra.doctor.target import Direct, Pooled


def checks(
    pooled: Pooled, direct: Direct, api: ProviderApi | Finding, load: Load, limits: Timeouts
) -> list[Check]:
    """Return every check.

    Args:
        pooled: The application role's connection string, `DATABASE_URL`.
        direct: The owner's, `DATABASE_URL_UNPOOLED`.
        api: The provider's API, or what is to be said of it without asking.
        load: For the connection budget.
        limits: What the application takes its role's for.
    """
    return [
        Check("python", machine.python),
        Check("pgbouncer", machine.pgbouncer),
        Check("provider_token", lambda: provider_api.token(api)),
        Check("pooled_url", lambda: connections.reachable(pooled)),
        Check("direct_url", lambda: connections.reachable(direct)),
        Check("pooled_tls", lambda: connections.encrypted(pooled)),
        Check("direct_tls", lambda: connections.encrypted(direct)),
        Check("pooler_mode", lambda: connections.pooled(pooled)),
        Check("direct_mode", lambda: connections.direct(direct)),
        Check("timeouts", lambda: role.timeouts(pooled, limits)),
        Check("prepared_statements", lambda: prepared.prepared_statements(pooled)),
        Check("role_rights", lambda: role.rights(pooled)),
        Check("connection_budget", lambda: budget(pooled, direct, load)),
        Check("clock", lambda: provider_api.clock(direct, api)),
    ]
