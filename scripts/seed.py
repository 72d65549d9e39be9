"""`bough seed`: fill a database with data to try things on."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from infra.config import load_project
from scripts import output
from scripts.output import Output, OutputFormat
from scripts.target import OnBranch, resolve_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.database.connection_url import DirectUrl
    from infra.branches.identity import BranchIdentity


def seed(
    *,
    branch: OnBranch = None,
    posts: Annotated[
        int | None,
        typer.Option(min=1, help="Write this many posts, by 400 authors, instead of the small workspace."),
    ] = None,
    random_seed: Annotated[
        int, typer.Option(help="With --posts: the same number writes the same posts.")
    ] = 0,
    append: Annotated[bool, typer.Option("--append", help="Also where posts exist already.")] = False,
    output_format: Output = OutputFormat.TABLE,
) -> None:
    """Fill a migrated database with a small workspace, or with any number of posts.

    The connection string is the direct one of --branch, else DATABASE_URL_UNPOOLED, the pinned branch's, or
    the running local world's. All of it is written or nothing, except for `--posts`' authors and tags, which
    a second run uses.
    """
    # Imported here, as in every command: --help need not pay for the application's tables.
    from infra.migrate import runner  # noqa: PLC0415  see above
    from scripts.seeding import checks, workspace  # noqa: PLC0415  see above

    project = load_project(Path.cwd())
    meant = resolve_target(project, branch)
    url = meant.url
    existing = checks.posts_before(project, url, append=append)
    output.say(f"Filling {url}")
    target = runner.target(url, meant.expected)
    output.say(f"→ {target}")
    if posts is None:
        record = workspace.write(url, target)
    else:
        record = _posts(url, target, posts, f"{random_seed}:{existing}")
    output.show(record, output_format)


def _posts(url: DirectUrl, target: BranchIdentity, count: int, random_seed: str) -> dict[str, Any]:
    from scripts.seeding import load  # noqa: PLC0415  see `seed`

    with _progress(count) as advance:
        loaded = load.load_posts(url, count, random_seed, advance, target)
    megabytes = loaded.bytes / 1e6
    return {
        "posts": loaded.posts,
        "post_tags": loaded.post_tags,
        "seconds": round(loaded.seconds, 1),
        "megabytes": round(megabytes, 1),
        "megabytes_per_second": round(megabytes / loaded.seconds, 1),
        "table_megabytes": round(loaded.table_bytes / 1e6, 1),
    }


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show how far it is: a bar on a terminal, else a line for every tenth."""
    if output.stderr.is_terminal:
        columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=output.stderr) as bar:
            task = bar.add_task("Posts", total=total)
            yield lambda count: bar.advance(task, count)
        return
    done, lock = 0, Lock()

    def advance(count: int) -> None:
        nonlocal done
        with lock:
            before, done = done, done + count
            if before * 10 // total != done * 10 // total:
                output.say(f"{done} of {total} posts")

    yield advance
