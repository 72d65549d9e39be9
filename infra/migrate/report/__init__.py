"""A rehearsal as text: JSON, Markdown, one HTML page, and annotations in GitHub. Pure; no database.

Paths are given relative to the project's root, which every function takes: no report names a folder of
the machine that it was made on.
"""

from infra.migrate.report.as_html import html
from infra.migrate.report.as_json import from_json, to_json
from infra.migrate.report.as_markdown import MARKER, comment, markdown
from infra.migrate.report.github import workflow_commands as annotations

__all__ = ["MARKER", "annotations", "comment", "from_json", "html", "markdown", "to_json"]
