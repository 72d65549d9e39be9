"""What the tests of tasks share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.projects import ProjectOfThree, add_project_of_three

if TYPE_CHECKING:
    from tests.support.people import People


@pytest.fixture
def project(people: People) -> ProjectOfThree:
    """A project with an owner, an editor and a viewer."""
    return add_project_of_three(people)
