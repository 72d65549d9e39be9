"""What functions write, in CloudWatch: log events, metrics embedded in lines, Lambda's own metrics."""

from __future__ import annotations

import datetime as dt
import json
import time
from typing import TYPE_CHECKING, Any, Final

from moto.cloudwatch.models import cloudwatch_backends
from moto.logs.models import logs_backends

from infra.local.aws.roles import allows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.aws.deployed import Deployed

#: What CloudWatch sums up is never finer than this.
_UNIT_OF_COUNTS: Final = "Count"


def write(deployed: Deployed, stream: str, line: str) -> None:
    """Log a line, and count the metrics that are embedded in it.

    As on AWS: without a log group the role must be allowed to make one, and without the right to write events
    the line is lost.
    """
    backend = logs_backends[deployed.account][deployed.region]
    group = deployed.log_group
    arn = f"arn:aws:logs:{deployed.region}:{deployed.account}:log-group:{group}"
    if group not in backend.groups:
        if not allows(deployed.role, "logs:CreateLogGroup", f"{arn}:*"):
            return
        backend.create_log_group(group, {})
    if not allows(deployed.role, "logs:PutLogEvents", f"{arn}:log-stream:{stream}"):
        return
    if stream not in backend.groups[group].streams:
        backend.create_log_stream(group, stream)
    event = {"timestamp": time.time_ns() // 1_000_000, "message": line}
    backend.put_log_events(group, stream, [event])
    if line.startswith("{") and '"CloudWatchMetrics"' in line:
        for namespace, data in _embedded(line):
            cloudwatch_backends[deployed.account][deployed.region].put_metric_data(namespace, data)


def count(deployed: Deployed, arn: str, *, failed: bool, seconds: float) -> None:
    """Count an invocation in Lambda's own metrics, by function, by what was invoked, and by its version.

    Args:
        deployed: The version that ran.
        arn: What was invoked.
        failed: Whether the function failed.
        seconds: How long it took.
    """
    qualifier = arn.removeprefix(deployed.arn).lstrip(":")
    function = [("FunctionName", deployed.name)]
    resource = [*function, ("Resource", f"{deployed.name}:{qualifier}" if qualifier else deployed.name)]
    measured = {"Invocations": 1.0, "Errors": float(failed), "Duration": seconds * 1000}
    data = [
        _datum(name, value, dict(dimensions), "Milliseconds" if name == "Duration" else "Count", None)
        for dimensions in (function, resource, [*resource, ("ExecutedVersion", deployed.version)])
        for name, value in measured.items()
    ]
    cloudwatch_backends[deployed.account][deployed.region].put_metric_data("AWS/Lambda", data)


def count_request(deployed: Deployed, status: int, seconds: float) -> None:
    """Count a request to a Function URL in Lambda's own metrics."""
    measured = {
        "UrlRequestCount": 1.0,
        "Url4xxCount": float(400 <= status < 500),  # noqa: PLR2004  HTTP's classes
        "Url5xxCount": float(status >= 500),  # noqa: PLR2004  HTTP's classes
        "UrlRequestLatency": seconds * 1000,
    }
    data = [
        _datum(name, value, {"FunctionName": deployed.name}, _UNIT_OF_COUNTS, None)
        for name, value in measured.items()
    ]
    cloudwatch_backends[deployed.account][deployed.region].put_metric_data("AWS/Lambda", data)


def _embedded(line: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the namespace and the data of each directive; what does not fit is a line like any other."""
    try:
        document = json.loads(line)
        at = dt.datetime.fromtimestamp(document["_aws"]["Timestamp"] / 1000, dt.UTC)
        for directive in document["_aws"]["CloudWatchMetrics"]:
            data = [
                _datum(
                    metric["Name"],
                    float(value),
                    {name: str(document[name]) for name in dimensions},
                    metric.get("Unit", "None"),
                    at,
                )
                for dimensions in directive["Dimensions"]
                for metric in directive["Metrics"]
                for value in _values(document[metric["Name"]])
            ]
            yield directive["Namespace"], data
    except (ValueError, KeyError, TypeError):
        return


def _values(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _datum(
    name: str, value: float, dimensions: dict[str, str], unit: str, at: dt.datetime | None
) -> dict[str, Any]:
    return {
        "MetricName": name,
        "Value": value,
        "Unit": unit,
        "Dimensions": [{"Name": each, "Value": named} for each, named in dimensions.items()],
        # moto compares times without a zone.
        "Timestamp": (at or dt.datetime.now(dt.UTC)).replace(tzinfo=None),
    }
