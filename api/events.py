"""What this application does besides answering requests: jobs, which schedules and SQS queues ask for.

A schedule sends `{"job": "purge"}`; a queue's messages have such a body. Each job runs in one transaction, on
the engine and the loop of the requests (`api.web.jobs`; `docs/guides/events.md`).
"""

from __future__ import annotations

from functools import partial
from typing import Final

from api.web import jobs

#: Each job's name and its function, which is imported when the job is first asked for.
JOBS: Final = {
    "purge": "api.auth.jobs:purge",
    "publish_post": "api.posts.jobs:publish_post",
}

#: What `api.handler` calls with events that are not HTTP requests (`api.app` names it).
handle = partial(jobs.handle, JOBS)
