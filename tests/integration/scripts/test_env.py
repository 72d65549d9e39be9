"""Which branch commands mean, and what programs are given of it: `bough env`, `link`, `config`, providers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from dotenv import dotenv_values

from infra import link
from tests.support.scripted_api import Reply, ScriptedApi

BOUGH = Path(sys.executable).with_name("bough")
REF, PREVIEW = "abcdefghijklmnopqrst", "bcdefghijklmnopqrstu"
TOKEN = "sbp_a-token-of-a-test"


def described(ref: str, name: str, *, is_default: bool) -> dict[str, object]:
    """Return a branch as Supabase's Management API describes it."""
    return {
        "id": "0f0b5d0e-0000-4000-8000-000000000000",
        "name": name,
        "project_ref": ref,
        "parent_project_ref": REF,
        "is_default": is_default,
        "persistent": is_default,
        "with_data": True,
        "status": "FUNCTIONS_DEPLOYED",
        "preview_project_status": "ACTIVE_HEALTHY",
        "created_at": "2026-11-21T18:00:00Z",
        "updated_at": "2026-11-21T18:00:00Z",
    }


@pytest.fixture
def supabase():
    """A Management API with the default branch and a preview."""
    branches = [described(REF, "main", is_default=True), described(PREVIEW, "pr-7", is_default=False)]
    server = ScriptedApi(lambda _: Reply(body=branches))
    yield server
    server.stop()


class TestPull:
    """`bough env pull`."""

    def test_writes_both_urls_and_nothing_else(self, on_branches, branch_project) -> None:
        """Other lines stay; what is written connects; stderr holds no password."""
        file = branch_project.root / "of-dev.env"
        file.write_text('# ours\r\nexport DATABASE_URL="old" # requests\r\nOTHER=1')
        code, out, err = on_branches("env", "pull", "dev", "--file", str(file))
        assert (code, out) == (0, "")
        urls = dotenv_values(file)
        assert urls.pop("OTHER") == "1"
        roles = {}
        for name, url in urls.items():
            with psycopg.connect(url) as connection:
                roles[name] = connection.execute("SELECT current_user").fetchone()
                assert connection.info.password not in err
        assert roles == {"DATABASE_URL": ("bough_app",), "DATABASE_URL_UNPOOLED": ("bough_owner",)}
        assert file.read_bytes().startswith(b'# ours\r\nexport DATABASE_URL="postgresql://bough_app:')

    def test_says_that_others_can_read_the_file(self, on_branches, tmp_path) -> None:
        """Its mode is its owner's business; a new one is private."""
        path = tmp_path / "shared.env"
        path.write_text("A=1\n")
        path.chmod(0o644)
        code, _, err = on_branches("env", "pull", "dev", "--file", str(path))
        assert code == 0
        assert f"chmod 600 {path}" in err
        path.unlink()
        assert "chmod" not in on_branches("env", "pull", "dev", "--file", str(path))[2]

    def test_makes_no_folder(self, on_branches, tmp_path) -> None:
        """A misspelt one is told, without a traceback."""
        code, out, err = on_branches("env", "pull", "dev", "--file", str(tmp_path / "nodir" / ".env"))
        assert (code, out) == (1, "")
        assert f"error[ENV_FILE]: there is no folder {tmp_path / 'nodir'}\n" in err

    def test_refuses_a_file_that_git_tracks(self, on_branches, branch_project, tmp_path) -> None:
        """Until it is told to; nothing was written before."""
        file = tmp_path / ".env"
        file.touch()
        for command in (["init", "-q"], ["add", ".env"]):
            subprocess.run(["git", *command], cwd=tmp_path, check=True)
        code, _, err = on_branches("env", "pull", "dev", "--file", str(file))
        assert (code, file.read_text()) == (1, "")
        assert err.startswith("error[ENV_FILE_TRACKED]")
        code, _, err = on_branches("env", "pull", "dev", "--file", str(file), "--allow-tracked")
        assert code == 0
        assert "hint: git does not ignore this file" in err


class TestRun:
    """`bough env run`."""

    @pytest.fixture
    def environment(self, branch_project) -> dict[str, str]:
        return {**os.environ, "BOUGH_BRANCH": "dev", "BOUGH_PROVIDER": "local"}

    def run(self, root: Path, environment: dict[str, str], *command: str):
        arguments = [BOUGH, "env", "run", "--", *command]
        return subprocess.run(
            arguments, cwd=root, env=environment, capture_output=True, text=True, check=False
        )

    def test_passes_urls_and_returns_the_commands_exit_code(self, branch_project, environment) -> None:
        """Its options are its own."""
        script = 'echo "$DATABASE_URL $DATABASE_URL_UNPOOLED"; exit 7'
        done = self.run(branch_project.root, environment, "sh", "-c", script)
        pooled, direct = done.stdout.split()
        assert done.returncode == 7
        assert (pooled.split(":")[1], direct.split(":")[1]) == ("//bough_app", "//bough_owner")
        assert "bough_app" not in done.stderr

    def test_missing_command_is_127(self, branch_project, environment) -> None:
        """As a shell has it."""
        done = self.run(branch_project.root, environment, "no-such-command")
        assert (done.returncode, done.stdout) == (127, "")
        assert done.stderr.splitlines()[-1] == "there is no command no-such-command"

    def test_signals_are_the_commands_own(self, branch_project, environment) -> None:
        """The command has taken the place of `bough`: one process, one pid."""
        command = [BOUGH, "env", "run", "--", "sh", "-c", "echo $$; exec sleep 60"]
        with subprocess.Popen(
            command, cwd=branch_project.root, env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert int(process.stdout.readline()) == process.pid
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == -signal.SIGTERM


class TestLink:
    """`bough link`, `unlink` and `config show`."""

    def test_pins_a_branch_for_all_commands(self, on_branches, branch_project) -> None:
        """By id, so that a new name changes nothing; `config show --origin` says so."""
        code, out, err = on_branches("link", "--branch", "dev")
        pinned = link.read(branch_project.root)
        assert (code, out) == (0, "")
        assert err.startswith("Linked to branch dev (br-")
        assert json.loads(on_branches("branch", "get", "-o", "json")[1])["id"] == pinned.branch_id
        shown = json.loads(on_branches("config", "show", "--origin", "-o", "json")[1])
        assert shown["branch"] == {"value": pinned.branch_id, "origin": ".bough/link.json"}
        assert shown["application_role"] == {"value": "bough_app", "origin": "default"}
        assert on_branches("unlink")[2] == "Unlinked\n"
        assert on_branches("branch", "get")[0] == 2

    def test_pins_nothing_that_is_not_there(self, on_branches, branch_project) -> None:
        """The provider is asked first."""
        assert on_branches("link", "--branch", "nope")[0] == 1
        code, _, err = on_branches("link", "--provider", "local", "--project", "another-1")
        assert code == 1
        assert "error[PROJECT_NOT_FOUND]: the local project is" in err
        assert link.read(branch_project.root) is None

    def test_token_comes_from_stdin(self, branch_project) -> None:
        """Not by argument, where every process could read it; it is not kept."""
        environment = {**os.environ, **branch_project.as_neon, "NEON_API_KEY": ""}
        done = subprocess.run(
            [BOUGH, "link", "--token-stdin"],
            cwd=branch_project.root,
            env=environment,
            input=branch_project.as_neon["NEON_API_KEY"] + "\n",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert link.read(branch_project.root).provider == "neon"
        text = (branch_project.root / link.NAME).read_text() + done.stdout + done.stderr
        assert branch_project.as_neon["NEON_API_KEY"] not in text
        link.remove(branch_project.root)

    def test_tokens_are_never_shown(self, on_branches, branch_project) -> None:
        """Only whether there is one."""
        code, out, _ = on_branches("config", "show", "--origin", "-o", "json", **branch_project.as_neon)
        assert code == 0
        assert json.loads(out)["token"] == {"value": "set", "origin": "NEON_API_KEY"}
        assert branch_project.as_neon["NEON_API_KEY"] not in out


class TestMigrate:
    """`bough migrate --branch`."""

    def test_url_of_another_branch_is_refused(self, on_branches, branch_project) -> None:
        """DATABASE_URL_UNPOOLED leads to `dev`, and `main` was pinned: nothing runs."""
        url = on_branches("branch", "url", "dev", "--direct")[1].strip()
        pinned = {"BOUGH_BRANCH": "main", "DATABASE_URL_UNPOOLED": url}
        code, out, err = on_branches("migrate", "apply", **pinned)
        assert (code, out) == (1, "")
        assert "error[TARGET_MISMATCH]" in err

    def test_id_is_proven_by_the_database_alone(self, on_branches, branch_project) -> None:
        """No token is needed for it: a deploy may hold nothing but the URL and the id."""
        dev = json.loads(on_branches("branch", "get", "dev", "-o", "json")[1])
        url = on_branches("branch", "url", "dev", "--direct")[1].strip()
        asked = {
            "BOUGH_PROVIDER": "neon",
            "NEON_API_HOST": "http://127.0.0.1:9/api/v2",
            "NEON_PROJECT_ID": dev["project_id"],
            "DATABASE_URL_UNPOOLED": url,
        }
        proven = on_branches("migrate", "apply", **asked, BOUGH_BRANCH=dev["id"])[2]
        assert "error[MIGRATION_HISTORY_INVALID]" in proven
        other = on_branches("migrate", "apply", **asked, BOUGH_BRANCH="br-other-branch-12345678")[2]
        assert "error[TARGET_MISMATCH]" in other
        by_name = on_branches("migrate", "apply", **asked, BOUGH_BRANCH="dev")
        assert (by_name[0], "error[PROVIDER_AUTH]" in by_name[2]) == (4, True)


class TestCompletion:
    """Branch names in the shell."""

    def test_names_begin_with_what_was_typed(self, on_branches, branch_project) -> None:
        """`bough branch get d<TAB>`, from what the last list showed."""
        on_branches("branch", "list")
        environment = {
            **os.environ,
            "_BOUGH_COMPLETE": "complete_zsh",
            "_TYPER_COMPLETE_ARGS": "bough branch get d",
        }
        done = subprocess.run(
            [BOUGH], cwd=branch_project.root, env=environment, capture_output=True, text=True, check=False
        )
        assert '"dev"' in done.stdout
        assert '"main"' not in done.stdout


class TestSupabase:
    """`--provider supabase`."""

    def test_is_asked_with_project_and_token_of_the_environment(self, on_branches, supabase) -> None:
        """Both are sent, and shown nowhere."""
        environment = {
            "SUPABASE_PROJECT_REF": REF,
            "SUPABASE_ACCESS_TOKEN": TOKEN,
            "SUPABASE_API_URL": supabase.url,
        }
        code, out, err = on_branches("branch", "list", "--provider", "supabase", "-o", "json", **environment)
        assert code == 0, err
        assert [(row["id"], row["provider"]) for row in json.loads(out)] == [
            (REF, "supabase"),
            (PREVIEW, "supabase"),
        ]
        assert supabase.received[0].path == f"/v1/projects/{REF}/branches"
        assert supabase.received[0].headers["Authorization"] == f"Bearer {TOKEN}"
        assert TOKEN not in out + err
