"""CloudWatch's metrics as AWS tells them apart, where moto 5.2.5 does not: by all dimensions."""

from __future__ import annotations

import copy
import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import moto.cloudwatch.urls
from moto.cloudwatch.models import CloudWatchBackend, cloudwatch_backends

if TYPE_CHECKING:
    from moto.cloudwatch.models import Statistics

#: Ends of periods come without fractions of a second: what was counted just now would be missed.
_ROUNDED: Final = dt.timedelta(seconds=1)


class CloudWatch(CloudWatchBackend):
    """moto's, asked for metrics whose names say all of it."""

    @property
    def _url_module(self) -> Any:
        return moto.cloudwatch.urls

    def get_metric_statistics(  # noqa: PLR0917  moto calls it so
        self,
        namespace: str,
        metric_name: str,
        start_time: dt.datetime,
        end_time: dt.datetime,
        period: int,
        stats: list[str],
        dimensions: list[dict[str, str]],
        unit: str | None = None,
    ) -> list[Statistics]:
        """Return what GetMetricStatistics does."""
        name = _full_name(namespace, metric_name, {each["Name"]: each["Value"] for each in dimensions or ()})
        return CloudWatchBackend.get_metric_statistics(
            self._with_full_names(),
            *(namespace, name, start_time, end_time + _ROUNDED, period, stats, dimensions, unit),
        )

    def get_metric_data(
        self,
        queries: list[dict[str, Any]],
        start_time: dt.datetime,
        end_time: dt.datetime,
        scan_by: str = "TimestampAscending",
    ) -> list[dict[str, Any]]:
        """Return what GetMetricData does."""
        asked = copy.deepcopy(queries)
        for query in asked:
            if stat := query.get("MetricStat"):
                metric = stat["Metric"]
                query.setdefault("Label", f"{metric['MetricName']} {stat['Stat']}")
                dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions") or ()}
                metric["MetricName"] = _full_name(metric["Namespace"], metric["MetricName"], dimensions)
        return CloudWatchBackend.get_metric_data(
            self._with_full_names(), asked, start_time, end_time + _ROUNDED, scan_by
        )

    def _with_full_names(self) -> CloudWatchBackend:
        other = copy.copy(self)
        other.metric_data = []
        for datum in self.metric_data:
            named = copy.copy(datum)
            dimensions = {str(each.name): str(each.value) for each in datum.dimensions}
            named.name = _full_name(datum.namespace, datum.name, dimensions)
            other.metric_data.append(named)
        return other


def _full_name(namespace: str, name: str, dimensions: dict[str, str]) -> str:
    return "\0".join([namespace, name, *(f"{key}={value}" for key, value in sorted(dimensions.items()))])


def mend() -> None:
    """Put this into moto's place; before the first request."""
    cloudwatch_backends.backend = CloudWatch
