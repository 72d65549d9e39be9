"""Metrics as CloudWatch reads them from a line of JSON in the log: the Embedded Metric Format.

Only the standard library is imported: the handler takes this module along into projects that are not ours.
Format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mangum.types import LambdaContext

NAMESPACE: Final = "bough"
#: What the alarm on server errors reads: 0 or 1 for each request.
SERVER_ERRORS: Final = "ServerErrors"
#: Statuses from here on are server errors.
SERVER_ERROR: Final = 500
#: Where an application that counts its own requests leaves, in the scope, the status that it counted.
COUNTED_STATUS: Final = "bough.counted_status"
#: Where the handler leaves, in the scope, whether a warm-up or a job came before: then no request waited for
#: the environment to start.
AWAKE: Final = "bough.awake"

#: By version only what a release is judged by: CloudWatch charges for each metric of each version.
_BY_VERSION: Final = frozenset({"Requests", SERVER_ERRORS, "Duration"})
_UNITS: Final = dict.fromkeys(("Duration", "DatabaseTime", "JobDuration"), "Milliseconds")


def embedded(context: LambdaContext, values: Mapping[str, float]) -> dict[str, Any]:
    """Return what makes a log line carry metrics: members for its outermost object.

    Args:
        context: Of the invocation; each metric is one of its function, some also of its version.
        values: By the metrics' names; times in milliseconds.
    """
    by_version = [name for name in values if name in _BY_VERSION]
    directives = [_directive(["FunctionName"], values)]
    if by_version:
        directives.append(_directive(["FunctionName", "ExecutedVersion"], by_version))
    return {
        "_aws": {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": directives},
        "FunctionName": context.function_name,
        "ExecutedVersion": context.function_version,
        **values,
    }


def _directive(dimensions: list[str], names: Iterable[str]) -> dict[str, Any]:
    metrics = [{"Name": name, "Unit": _UNITS.get(name, "Count")} for name in names]
    return {"Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": metrics}
