"""What the API calls a connection string is one for every client; Neon's API client gets along with us."""

from __future__ import annotations

import subprocess

import asyncpg
import psycopg
import pytest

from infra.local.home import postgres_programs

pytestmark = pytest.mark.prove

SCRIPT = """
import { createApiClient } from '@neondatabase/api-client';
const api = createApiClient({ apiKey: process.env.NEON_API_KEY, baseURL: process.env.NEON_API_HOST });
const project = process.env.NEON_PROJECT_ID;
const finish = async ({ data }) => {
  for (const { id } of data.operations ?? []) {
    for (;;) {
      const { operation } = (await api.getProjectOperation(project, id)).data;
      if (operation.status === 'finished') break;
      if (!['scheduling', 'running'].includes(operation.status)) throw new Error(operation.status);
    }
  }
  return data;
};
const listed = (await api.listProjectBranches({ projectId: project })).data.branches;
const main = listed.find((branch) => branch.default).id;
const made = await finish(await api.createProjectBranch(project, {
  branch: { name: 'scripted', parent_id: main }, endpoints: [{ type: 'read_write' }],
}));
const branchId = made.branch.id;
const database = { projectId: project, branchId, db_name: 'app' };
const got = (await api.getProjectBranch(project, branchId)).data.branch;
const uri = { projectId: project, branch_id: branchId, database_name: 'app', role_name: 'bough_owner' };
const result = {
  name: got.name,
  state: got.current_state,
  pooled: (await api.getConnectionUri({ ...uri, pooled: true })).data.uri,
  direct: (await api.getConnectionUri(uri)).data.uri,
  schema: (await api.getProjectBranchSchema(database)).data.sql,
  diff: (await api.getProjectBranchSchemaComparison({ ...database, base_branch_id: main })).data.diff,
};
const restored = await finish(await api.restoreProjectBranch(project, branchId, { source_branch_id: main }));
result.reset = restored.branch.id === branchId;
await finish(await api.deleteProjectBranch({ projectId: project, branchId }));
result.left = (await api.listProjectBranches({ projectId: project })).data.branches.length - listed.length;
console.log(JSON.stringify(result));
"""


@pytest.mark.parametrize("pooled", [False, True], ids=["direct", "pooled"])
class TestConnectionUri:
    def test_is_taken_by_psycopg(self, neon, pooled):
        """As it stands."""
        with psycopg.connect(neon.uri(neon.main, pooled=pooled)) as connection:
            assert connection.execute("SELECT name FROM fruit").fetchone() == ("apple",)

    @pytest.mark.asyncio
    async def test_is_taken_by_asyncpg(self, neon, pooled):
        """As it stands, without prepared statements, which no transaction pooler need keep."""
        connection = await asyncpg.connect(neon.uri(neon.main, pooled=pooled), statement_cache_size=0)
        assert await connection.fetchval("SELECT name FROM fruit") == "apple"
        await connection.close()

    def test_is_taken_by_psql(self, neon, pooled):
        """As it stands."""
        uri = neon.uri(neon.main, pooled=pooled)
        done = subprocess.run(
            [postgres_programs() / "psql", uri, "--no-psqlrc", "-Atc", "SELECT name FROM fruit"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "apple\n"


class TestApiClient:
    def test_creates_reads_restores_and_deletes(self, neon, clients):
        """One script through all that it is used for; nothing is left of it."""
        result = clients.script(SCRIPT)
        assert (result["name"], result["state"]) == ("scripted", "ready")
        assert result["pooled"] != result["direct"]
        assert "CREATE TABLE public.fruit" in result["schema"]
        assert (result["diff"], result["reset"], result["left"]) == ("", True, 0)
