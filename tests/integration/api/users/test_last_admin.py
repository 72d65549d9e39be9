"""The last active admin stays one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from api.auth.current_user import CurrentUser
from api.users import service
from api.users.models import Role
from tests.support.journeys import problem
from tests.support.races import while_uncommitted

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio

#: What takes an admin away.
WAYS: Final[list[tuple[str, str, Any]]] = [
    ("PUT", "/users/{id}/role", {"role": "moderator"}),
    ("POST", "/users/{id}/deactivate", None),
    ("DELETE", "/users/{id}", None),
]


class TestLastAdmin:
    """PUT /users/{user_id}/role, POST /users/{user_id}/deactivate, DELETE /users/{user_id}."""

    @pytest.mark.parametrize(("method", "path", "body"), WAYS)
    async def test_admin_goes_only_if_another_is_left(
        self, client: httpx2.AsyncClient, people: People, method: str, path: str, body: Any
    ) -> None:
        """One who can sign in; everyone else may go, and the last one may stay what they are."""
        chief, ada = people.add("chief", "admin"), people.add("ada")
        people.add("gone", "admin", active=False)
        url, headers = path.format(id=chief.id), chief.headers
        refused = await client.request(method, url, json=body, headers=headers)
        assert problem(refused) == (409, "LAST_ADMIN")
        same = await client.put(f"/users/{chief.id}/role", json={"role": "admin"}, headers=headers)
        assert same.json()["role"] == "admin"
        people.add("other", "admin")
        for person in (ada, chief):
            response = await client.request(method, path.format(id=person.id), json=body, headers=headers)
            assert response.is_success, response.text

    @pytest.mark.parametrize(("method", "path", "body"), WAYS)
    async def test_of_two_who_take_each_other_away_one_stays(
        self, client: httpx2.AsyncClient, people: People, method: str, path: str, body: Any
    ) -> None:
        """The second waits for the first, and then is the last."""
        ada, ben = people.add("ada", "admin"), people.add("ben", "admin")
        viewer = CurrentUser(ada.id, ada.email, ada.username, Role.ADMIN)
        refused = await while_uncommitted(
            lambda session: service.set_role(session, viewer, ben.id, Role.USER),
            client.request(method, path.format(id=ada.id), json=body, headers=ben.headers),
            people,
        )
        assert problem(refused) == (409, "LAST_ADMIN")
        assert people.query("SELECT username FROM users WHERE role = 'admin' AND is_active") == [("ada",)]
