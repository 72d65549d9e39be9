"""A load, as an option states it."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.config_tables import MigrateSettings
from infra.migrate.rehearsal.results import Outcome, TrafficResult
from infra.migrate.rehearsal.traffic import Traffic, judge
from infra.migrate.rehearsal.traffic_statements import TrafficError


class TestTraffic:
    @pytest.mark.parametrize(
        ("text", "rate", "reads"),
        [("50/s", 50, 0.8), ("50/s:95%reads", 50, 0.95), (" 50/s: 100% reads", 50, 1)],
    )
    def test_reads_a_load(self, text, rate, reads):
        """What it prints is what it reads."""
        load = Traffic.parse(text)
        assert (load.rate, load.reads) == (rate, reads)
        assert Traffic.parse(str(load)) == load

    @pytest.mark.parametrize(
        "text", ["", "50", "0/s", "0.1/s", "50/m", "50/s:101%reads", "50/s:80%writes", "-1/s"]
    )
    def test_refuses_what_is_no_load(self, text):
        """The hint shows the form."""
        with pytest.raises(TrafficError, match="is no load") as raised:
            Traffic.parse(text)
        assert "50/s:90%reads" in raised.value.hint

    def test_names_the_file_of_its_statements(self):
        """Its statements are reads and writes already: a share of reads is refused."""
        file = Path("a/traffic.sql")
        assert str(Traffic.parse("5/s", file=file)) == "5/s of traffic.sql"
        with pytest.raises(TrafficError, match=r"traffic\.sql has statements of its own") as raised:
            Traffic.parse("5/s:90%reads", file=file)
        assert "write 5/s" in raised.value.hint


class TestJudge:
    @pytest.mark.parametrize(
        ("seen", "outcome", "says"),
        [
            (TrafficResult("50/s", 7, {}, 0.9, 0.1), Outcome.PASSED, "7 requests without an error"),
            (TrafficResult("50/s", 7, {}, 1.2, 0.1), Outcome.FAILED, "waited for 1.2 s, 0.1 s before"),
            (TrafficResult("50/s", 7, {}, 1.2, 0.1, 0.2), Outcome.PASSED, "7 requests"),
            (TrafficResult("50/s", 7, {"lock": 3}, 0.1, 0.1), Outcome.FAILED, "3 times lock"),
        ],
    )
    def test_clients_must_go_on_as_usual(self, seen, outcome, says):
        """What this machine did late, or was slow before, is not the upgrade's."""
        check = judge(seen, MigrateSettings())
        assert check.outcome is outcome
        assert says in check.detail
