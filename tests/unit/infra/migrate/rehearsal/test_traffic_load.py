"""A load, as an option states it."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.migrate.rehearsal.traffic import Traffic
from infra.migrate.rehearsal.traffic_statements import TrafficError


class TestTraffic:
    @pytest.mark.parametrize(
        ("text", "rate", "reads"),
        [("50/s", 50, 0.8), ("0.5/s", 0.5, 0.8), ("50/s:95%reads", 50, 0.95), (" 50/s: 100% reads", 50, 1)],
    )
    def test_reads_a_load(self, text, rate, reads):
        """What it prints is what it reads."""
        load = Traffic.parse(text)
        assert (load.rate, load.reads) == (rate, reads)
        assert Traffic.parse(str(load)) == load

    @pytest.mark.parametrize("text", ["", "50", "0/s", "50/m", "50/s:101%reads", "50/s:80%writes", "-1/s"])
    def test_refuses_what_is_no_load(self, text):
        """The hint shows the form."""
        with pytest.raises(TrafficError, match="is no load") as raised:
            Traffic.parse(text)
        assert "50/s:90%reads" in raised.value.hint

    def test_names_the_file_of_its_statements(self):
        """Shares of reads count for derived statements alone."""
        assert str(Traffic.parse("5/s", file=Path("a/traffic.sql"))) == "5/s of traffic.sql"
