"""The planner uses every index of tasks, on enough rows for it to have a choice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import psycopg
import pytest

from api.database.session import read
from api.tasks import repository
from api.tasks.models import TaskStatus
from api.tasks.schemas import TaskQuery
from tests.support.plans import plan
from tests.support.projects import add_project_of_three

if TYPE_CHECKING:
    from tests.support.people import People

pytestmark = pytest.mark.asyncio

#: In 30 projects the same 40 members have tasks; of ten, six are done and one is cancelled.
_TASKS: Final = """
INSERT INTO users (id, email, username, hashed_password)
SELECT gen_random_uuid(), n || '@example.com', 'user' || n, '' FROM generate_series(1, 40) n;
INSERT INTO projects (id, team_id, name)
SELECT gen_random_uuid(), t.id, 'p' || n FROM teams t, generate_series(1, 30) n;
INSERT INTO project_members (project_id, user_id, role)
SELECT p.id, u.id, 'editor' FROM projects p, users u ON CONFLICT DO NOTHING;
INSERT INTO tasks (id, project_id, title, description, status, assignee_id, creator_id, due_on, completed_at)
SELECT gen_random_uuid(), m.project_id, 'Task', '',
       CASE WHEN n < 6 THEN 'done' WHEN n = 6 THEN 'cancelled' ELSE 'todo' END,
       m.user_id, CASE WHEN n = 0 THEN e.id ELSE m.user_id END,
       CASE WHEN n > 4 THEN date '2026-01-01' + n END, CASE WHEN n < 6 THEN now() END
FROM project_members m, users e, generate_series(0, 9) n WHERE e.username = 'alpha-editor';
INSERT INTO tags SELECT gen_random_uuid(), 'tag' || n FROM generate_series(1, 50) n;
INSERT INTO task_tags
SELECT task.id, tag.id FROM (SELECT id, row_number() OVER () n FROM tasks) task
JOIN tags tag ON tag.name = 'tag' || 1 + mod(task.n, 50);
"""


class TestPlans:
    """One index for each way to ask."""

    async def test_every_list_reads_its_index(self, people: People) -> None:
        """In one database: filling it takes longer than all the plans."""
        project = add_project_of_three(people)
        with psycopg.connect(people.database.direct.libpq(), autocommit=True) as connection:
            # Rows are counted in the index alone only where all can see them, which VACUUM notes of what
            # is known to be committed.
            connection.execute("SET synchronous_commit = on")
            connection.execute(_TASKS)
            connection.execute("VACUUM (ANALYZE) tasks, task_tags, tags")

        async def of_project(**parameters: Any) -> str:
            query = TaskQuery.model_validate(parameters)
            return await plan(
                lambda session: repository.of_project(session, project.id, project.viewer.id, query)
            )

        async def mine(status: TaskStatus | None = None, cursor: str | None = None) -> str:
            return await plan(
                lambda session: repository.of_assignee(session, project.viewer.id, status, cursor, 20)
            )

        # Cut off before anything is sorted; then the page is, for which the join promises no order.
        page = r"Limit .*\n *->  Index Scan Backward using {} "
        assert re.search(page.format("ix_tasks_project_id_id"), await of_project())
        found = await of_project(status="cancelled")
        assert re.search(page.format("ix_tasks_project_id_status_id"), found)
        found = await of_project(creator=project.editor.id)
        assert "Index Scan Backward using ix_tasks_creator_id_project_id" in found
        assert "ix_task_tags_tag_id_task_id" in await of_project(tag="tag1")
        assert "pk_task_tags" in await of_project()
        count = await plan(lambda session: repository.count_by_status(session, project.id))
        assert "Index Only Scan using ix_tasks_project_id_status_id" in count

        async with read() as session:
            _, cursor = await repository.of_assignee(session, project.viewer.id, None, None, 20)
        for found in (await mine(), await mine(cursor=cursor)):
            assert "Index Scan using ix_tasks_open" in found
            assert "Sort Key: (COALESCE" not in found
            assert "Sort Key: tasks" not in found
        assert "ROW(COALESCE(due_on, 'infinity'::date), id) >" in await mine(cursor=cursor)
        found = await mine(TaskStatus.DONE)
        assert "Index Scan using ix_tasks_assignee_id_status" in found
        assert "Sort Key: (COALESCE" not in found

        keys = [key for (key,) in people.query("SELECT id FROM tasks LIMIT 5")]
        moved = await plan(
            lambda session: repository.move(session, project.id, keys, TaskStatus.TODO, [TaskStatus.DONE])
        )
        assert "pk_tasks" in moved
        assert "Seq Scan on tasks" not in moved
