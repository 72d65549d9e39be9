"""A rehearsal as JSON and back: a contract."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.branches.identity import BranchIdentity
from infra.migrate.errors import ReportUnreadableError
from infra.migrate.findings import Finding, Verdict
from infra.migrate.history import Revision
from infra.migrate.rehearsal import results
from infra.migrate.report import from_json, to_json
from tests.support import rehearsal_samples as samples
from tests.support.rehearsals import ROOT

text = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
number = st.floats(0, 1e6)
count = st.integers(0, 2**53)
paths = st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,2}\.py", fullmatch=True).map(lambda path: ROOT / path)


def tuples(of):
    return st.lists(of, max_size=2).map(tuple)


locks = st.builds(
    results.Lock,
    text,
    st.none() | count,
    text,
    count,
    acquired=number,
    released=number,
    sampled=st.booleans(),
)
statements = st.builds(
    results.Statement,
    index=count,
    sql=text,
    line=st.none() | count,
    started=number,
    seconds=number,
    rows=st.none() | count,
    rewrites=tuples(text),
    scans=tuples(st.builds(results.Scan, text, count)),
    wal_bytes=count,
    transaction=st.none() | count,
    tag=text,
    changed=count,
)
findings = st.builds(
    Finding,
    rule=text,
    verdict=st.sampled_from([Verdict.CARE, Verdict.UNSAFE]),
    message=text,
    revision=text,
    path=paths,
    line=count,
    hint=st.none() | text,
    suppressed=st.none() | text,
)
revisions = st.builds(
    results.RevisionResult,
    st.builds(
        results.RevisionMeasure,
        st.builds(Revision, text, text, st.sampled_from(["expand", "contract"]), paths),
        number,
        number,
        tuples(statements),
        tuples(locks),
        st.integers(-(2**53), 2**53),
        tuples(text),
    ),
    tuples(findings),
)
all_rehearsals = st.builds(
    results.Rehearsal,
    target=st.builds(BranchIdentity, text, text, text, st.none() | text),
    fork=st.sampled_from(results.ForkKind),
    base=st.none() | text,
    head=text,
    fingerprint=text,
    started_at=st.datetimes(timezones=st.just(UTC)),
    seconds=number,
    revisions=tuples(revisions),
    checks=tuples(st.builds(results.Check, text, st.sampled_from(results.Outcome), text)),
    traffic=st.none()
    | st.builds(results.TrafficResult, text, count, st.dictionaries(text, count, max_size=2), number, number),
)

# One key each: what a script may read of a report. Only ever add.
CONTRACT = {
    "": "version verdict target fork base head fingerprint started_at seconds revisions checks traffic",
    "target": "provider project_id branch_id name",
    "revisions": (
        "id message phase path verdict started seconds statements locks size_change invalid_indexes findings"
    ),
    "statements": "index sql line started seconds rows rewrites scans wal_bytes transaction tag changed",
    "scans": "relation rows",
    "locks": "relation rows mode statement acquired released sampled",
    "findings": "rule verdict message revision path line hint suppressed",
    "checks": "name outcome detail",
    "traffic": "load requests errors longest_wait usual_wait",
}


class TestJson:
    @settings(deadline=None)
    @given(all_rehearsals)
    def test_reading_gives_what_was_written(self, rehearsal):
        """Through text, as a database or a file keeps it, everything comes back."""
        record = json.loads(json.dumps(to_json(rehearsal, ROOT)))
        assert from_json(record, ROOT) == rehearsal

    def test_keys_are_a_contract(self):
        """None is dropped."""
        record = to_json(samples.unsafe(), ROOT)
        revision = record["revisions"][1]
        [scan, *_] = revision["statements"][0]["scans"]
        found = {
            "": record,
            "target": record["target"],
            "revisions": revision,
            "statements": revision["statements"][0],
            "scans": scan,
            "locks": revision["locks"][0],
            "findings": revision["findings"][0],
            "checks": record["checks"][0],
            "traffic": record["traffic"],
        }
        for name, keys in CONTRACT.items():
            assert set(keys.split()) <= found[name].keys(), name
        assert record["version"] == 1
        assert record["verdict"] == "unsafe"

    def test_paths_are_relative_to_the_project(self):
        """No folder of the machine is told, and another checkout gets its own paths."""
        record = to_json(samples.unsafe(), ROOT)
        assert str(ROOT) not in json.dumps(record)
        read = from_json(record, Path("/elsewhere"))
        assert read.revisions[1].findings[0].path.is_relative_to("/elsewhere/migrations/versions")

    def test_file_outside_the_project_loses_its_folder(self):
        """Only the name is left."""
        [result] = samples.safe().revisions
        revision = replace(result.measure.revision, path=Path("/elsewhere/x.py"))
        moved = replace(result, measure=replace(result.measure, revision=revision))
        record = to_json(replace(samples.safe(), revisions=(moved,)), ROOT)
        assert record["revisions"][0]["path"] == "x.py"

    def test_unknown_keys_are_passed_over(self):
        """A later bough may add some under the same version."""
        record = to_json(samples.unsafe(), ROOT)
        record["later"] = record["revisions"][0]["locks"][0]["later"] = 1
        assert from_json(record, ROOT) == samples.unsafe()

    @pytest.mark.parametrize(
        "broken", [{}, {"version": 2}, {"version": 1}, {"version": 1, "revisions": [{}], "checks": [3]}]
    )
    def test_other_versions_and_other_things_are_refused(self, broken):
        """The message says which version it is, or what is missing."""
        with pytest.raises(ReportUnreadableError, match=r"version|cannot be read"):
            from_json(broken, ROOT)
