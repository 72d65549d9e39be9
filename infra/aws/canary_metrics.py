"""What two versions were asked since a canary began, from the metrics of `api/metrics.py`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from infra.aws.canary import Traffic
from infra.aws.errors import translated

if TYPE_CHECKING:
    from infra.aws.account import Account

NAMESPACE: Final = "bough"

#: Metrics and statistics by the beginning of a query's id. Of times the median: cold starts are few.
_QUERIES: Final = {
    "requests": ("Requests", "Sum"),
    "errors": ("ServerErrors", "Sum"),
    "times": ("Duration", "p50"),
    "timed": ("Duration", "SampleCount"),
}

#: Seconds that a value stands for: the shortest that CloudWatch keeps of what logs hold.
_PERIOD: Final = 60


class CanaryMetrics:
    """The traffic of two versions of a function.

    Args:
        account: Where it runs.
        function: Its name.
        old: The number of the version that has been live.
        new: The number of the other one.
        since: When the canary began, with time zone.
    """

    def __init__(self, account: Account, function: str, old: str, new: str, since: datetime) -> None:
        """Nothing is asked yet."""
        self._account = account
        self._function = function
        self._versions = (old, new)
        # Earlier values are counted with the minute that it began in.
        self._since = since.replace(second=0, microsecond=0)

    def read(self) -> tuple[Traffic, Traffic]:
        """Return the traffic of the old and of the new version, in one request.

        CloudWatch knows it a minute or two after it happened.
        """
        until = datetime.now(UTC) + timedelta(seconds=_PERIOD)
        with translated(f"read the metrics of {self._function}"):
            pages = self._account.metrics.get_paginator("get_metric_data").paginate(
                MetricDataQueries=[
                    self._query(f"{name}_{version}", metric, statistic, version)
                    for version in self._versions
                    for name, (metric, statistic) in _QUERIES.items()
                ],
                StartTime=self._since,
                EndTime=until,
            )
            values: dict[str, dict[datetime, float]] = {}
            for page in pages:
                for result in page["MetricDataResults"]:
                    found = zip(result["Timestamps"], result["Values"], strict=True)
                    values.setdefault(result["Id"], {}).update(found)
        old, new = (self._traffic(values, version) for version in self._versions)
        return old, new

    def _query(self, id_: str, metric: str, statistic: str, version: str) -> Any:
        dimensions = {"FunctionName": self._function, "ExecutedVersion": version}
        return {
            "Id": id_,
            "MetricStat": {
                "Metric": {
                    "Namespace": NAMESPACE,
                    "MetricName": metric,
                    "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
                },
                "Period": _PERIOD,
                "Stat": statistic,
            },
        }

    def _traffic(self, values: dict[str, dict[datetime, float]], version: str) -> Traffic:
        requests, errors, times, timed = (values.get(f"{name}_{version}", {}) for name in _QUERIES)
        weight = sum(timed.get(at, 0) for at in times)
        return Traffic(
            round(sum(requests.values())),
            round(sum(errors.values())),
            sum(value * timed.get(at, 0) for at, value in times.items()) / weight if weight else None,
        )
