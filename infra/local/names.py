"""What is called alike in every local project."""

from __future__ import annotations

from typing import Final

from infra.context import APPLICATION_ROLE

#: The branch that a new project has; it is the default one.
MAIN: Final = "main"
DATABASE: Final = "app"
#: The role that owns the database and migrates it.
OWNER: Final = "bough_owner"
#: The role that requests use.
APPLICATION: Final = APPLICATION_ROLE
