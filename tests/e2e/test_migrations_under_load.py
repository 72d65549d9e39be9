"""The app serves 70 % of what it can while a safe migration is applied; the unsafe twin is refused."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.benchmarks.migrations import SAFE, UNSAFE, site


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """This repository's app with a million posts."""
    with site(tmp_path_factory.mktemp("loaded") / "kit") as served:
        yield served


def rehearse(here):
    """Rehearse what is pending; return the exit code and the report."""
    done = here.bough("migrate", "rehearse", "-o", "json")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def faults(report):
    """Return what speaks against the revision: its findings, and the checks that did not pass."""
    findings = [finding["rule"] for finding in report["revisions"][0]["findings"]]
    return findings + [check for check in report["checks"] if check["outcome"] != "passed"]


@pytest.mark.prove
class TestMigrationsUnderLoad:
    def test_the_unsafe_twin_is_refused(self, here):
        """It would write every row anew while nobody can read: neither command lets it pass."""
        with here.revision(UNSAFE):
            code, report = rehearse(here)
            applied = here.bough("migrate", "apply", "--require-rehearsal")
        assert (code, report["revisions"][0]["verdict"]) == (3, "unsafe")
        assert applied.returncode == 3
        assert "REHEARSAL_UNSAFE" in applied.stderr
        assert "token" not in here.columns()

    def test_nobody_notices_the_safe_one(self, here):
        """A column and an index on a million rows: no request fails; `make bench` tells the waits."""
        with here.revision(SAFE):
            code, report = rehearse(here)
            under_load = asyncio.run(here.apply("--require-rehearsal"))
        assert (faults(report), code) == ([], 0)
        assert {check["name"] for check in report["checks"]} >= {"deployed code: tables", "new code: tables"}
        assert under_load.code == 0, under_load.said
        assert "token" in here.columns()
        assert under_load.meanwhile.failures == {}
