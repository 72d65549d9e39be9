"""CloudWatch's metrics where moto 5.2.5 differs: told apart by all dimensions, and with percentiles."""

from __future__ import annotations

import copy
import datetime as dt
import math
import re
from typing import Any, Final, SupportsFloat

import moto.cloudwatch.urls
from moto.cloudwatch import models
from moto.cloudwatch.models import CloudWatchBackend, Statistics, cloudwatch_backends

#: Ends of periods come without fractions of a second: what was counted just now would be missed.
_ROUNDED: Final = dt.timedelta(seconds=1)


_PERCENTILE: Final = re.compile(r"p([0-9]{1,2}(?:\.[0-9]+)?)")


class WithPercentiles(Statistics):
    """moto's, which answers a percentile with nothing that a client can read."""

    def get_statistics_for_type(self, stat: str) -> SupportsFloat | None:
        """Return a statistic of the values, `p50` for instance."""
        values = sorted(self.metric_single_values_list)
        if (match := _PERCENTILE.fullmatch(stat)) is None or not values:
            return super().get_statistics_for_type(stat)
        return values[max(math.ceil(float(match[1]) / 100 * len(values)), 1) - 1]


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
    models.Statistics = WithPercentiles  # type: ignore[misc]
