"""What a canary reads of two versions, on the AWS of this machine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from infra.aws.canary import Traffic
from infra.aws.canary_metrics import CanaryMetrics

if TYPE_CHECKING:
    from infra.aws.account import Account


class TestCanaryMetrics:
    """`CanaryMetrics`."""

    def test_reads_both_versions(self, account: Account) -> None:
        """Requests and errors are sums, the time is the median: one cold start does not show."""
        since = datetime.now(UTC)
        for version, times in {"1": [10.0, 12.0, 14.0], "2": [11.0, 13.0, 900.0]}.items():
            for milliseconds in times:
                write(account, version, {"Requests": 1, "ServerErrors": 0, "Duration": milliseconds})
        write(account, "2", {"ServerErrors": 1})
        found = CanaryMetrics(account, "canary-metrics-api", "1", "2", since).read()
        assert found == (Traffic(3, 0, 12.0), Traffic(3, 1, 13.0))

    def test_knows_nothing_of_a_version_that_nobody_asked(self, account: Account) -> None:
        """Then there is no time either."""
        found = CanaryMetrics(account, "canary-nobody-api", "1", "2", datetime.now(UTC)).read()
        assert found == (Traffic(0, 0), Traffic(0, 0))


def write(account: Account, version: str, values: dict[str, float]) -> None:
    """Write metrics as the handler's log lines become them."""
    dimensions = {"FunctionName": "canary-metrics-api", "ExecutedVersion": version}
    account.metrics.put_metric_data(
        Namespace="bough",
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
                "Value": value,
            }
            for name, value in values.items()
        ],
    )
