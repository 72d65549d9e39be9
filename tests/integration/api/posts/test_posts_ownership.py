"""Who may do what with whose post: the whole matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.support.journeys import write_post

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio

DO: Final = {
    "read": ("GET", "/posts/{id}", None),
    "read by slug": ("GET", "/posts/by-slug/{slug}", None),
    "update": ("PATCH", "/posts/{id}", {"body": "changed"}),
    "publish": ("POST", "/posts/{id}/publish", None),
    "delete": ("DELETE", "/posts/{id}", None),
}
UNSEEN, FORBIDDEN, ANONYMOUS = (404, "POST_NOT_FOUND"), (403, "NOT_THE_OWNER"), (401, "UNAUTHORIZED")
DONE, GONE = (200, None), (204, None)

#: What each action answers, for: the owner, another user, a moderator, an admin, nobody.
DRAFT: Final = {
    "read": (DONE, UNSEEN, DONE, DONE, UNSEEN),
    "read by slug": (DONE, UNSEEN, DONE, DONE, UNSEEN),
    "update": (DONE, UNSEEN, FORBIDDEN, FORBIDDEN, ANONYMOUS),
    "publish": (DONE, UNSEEN, FORBIDDEN, FORBIDDEN, ANONYMOUS),
    "delete": (GONE, UNSEEN, GONE, GONE, ANONYMOUS),
}
PUBLISHED: Final = {
    "read": (DONE, DONE, DONE, DONE, DONE),
    "read by slug": (DONE, DONE, DONE, DONE, DONE),
    "update": (DONE, FORBIDDEN, FORBIDDEN, FORBIDDEN, ANONYMOUS),
    "publish": (DONE, FORBIDDEN, FORBIDDEN, FORBIDDEN, ANONYMOUS),
    "delete": (GONE, FORBIDDEN, GONE, GONE, ANONYMOUS),
}


class TestOwnership:
    """Every action by everyone."""

    @pytest.mark.parametrize("state", ["draft", "published"])
    async def test_action_answers_as_the_matrix_says(
        self, client: httpx2.AsyncClient, people: People, state: str
    ) -> None:
        """And a refused action changes nothing."""
        owner = people.add("owner")
        others = [people.add("other"), people.add("mod", "moderator"), people.add("chief", "admin")]
        for action, expected in (DRAFT if state == "draft" else PUBLISHED).items():
            # The owner last: theirs is the action that changes the post.
            cases = zip([*others, None, owner], [*expected[1:], expected[0]], strict=True)
            method, path, body = DO[action]
            for actor, answer in cases:
                post = await write_post(client, owner, publish=state == "published", body="As it was.")
                before = (await client.get(f"/posts/{post['id']}", headers=owner.headers)).json()
                headers = actor.headers if actor else {}
                response = await client.request(method, path.format_map(post), json=body, headers=headers)
                found = (response.status_code, response.json()["code"] if response.is_error else None)
                assert found == answer, (action, actor)
                if response.is_error:
                    after = await client.get(f"/posts/{post['id']}", headers=owner.headers)
                    assert after.json() == before
