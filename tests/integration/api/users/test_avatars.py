"""Avatars: uploaded to the storage by the browser, confirmed here, and gone when they should be."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx2
import pytest

from api.database.timeouts import deadline
from api.users import avatar_storage
from api.users.avatar_storage import StorageUnavailableError
from api.users.avatars import MAX_SIZE
from tests.support.fake_storage import BUCKET, KEY, FakeStorage, Stored
from tests.support.journeys import problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.people import People, Person

URL = "/users/me/avatar"
PNG = {"content_type": "image/png"}


@pytest.fixture
def storage(app: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeStorage]:
    """A storage that the application is configured for."""
    with FakeStorage() as fake:
        monkeypatch.setenv("SUPABASE_URL", fake.url)
        monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", KEY)
        yield fake


@pytest.fixture
def ada(people: People) -> Person:
    """Somebody with a face."""
    return people.add("ada")


async def upload(client: httpx2.AsyncClient, person: Person, content: bytes = b"png") -> str:
    """Upload a picture as a browser does, and return its path."""
    begun = (await client.post(URL, json=PNG, headers=person.headers)).json()
    async with httpx2.AsyncClient() as browser:
        done = await browser.put(begun["upload_url"], content=content, headers={"Content-Type": "image/png"})
    assert done.status_code == 200
    return str(begun["path"])


async def confirm(client: httpx2.AsyncClient, person: Person, path: str) -> httpx2.Response:
    return await client.put(URL, json={"path": path}, headers=person.headers)


@pytest.mark.asyncio
class TestBeginAvatarUpload:
    """POST /users/me/avatar."""

    @pytest.mark.parametrize(("kind", "extension"), [("png", "png"), ("jpeg", "jpg"), ("webp", "webp")])
    async def test_signs_a_path_of_the_users_own(self, client, ada, storage, kind, extension):
        """Below the user's id, never twice the same, for as long as the storage says."""
        begun = [
            (await client.post(URL, json={"content_type": f"image/{kind}"}, headers=ada.headers)).json()
            for _ in range(2)
        ]
        assert len({upload["path"] for upload in begun}) == 2
        for answer in begun:
            assert answer["path"].startswith(f"{ada.id}/")
            assert answer["path"].endswith(f".{extension}")
            assert answer["upload_url"].startswith(
                f"{storage.url}/storage/v1/object/upload/sign/{BUCKET}/{answer['path']}?token="
            )
            assert answer["expires_in"] == 7200

    async def test_vendors_client_can_upload_with_it(self, client, ada, storage):
        """Path and token are what its `upload_to_signed_url` takes, with the anonymous key."""
        import httpx
        from supabase import AsyncClient, AsyncClientOptions

        begun = (await client.post(URL, json=PNG, headers=ada.headers)).json()
        async with httpx.AsyncClient() as http:
            browser = AsyncClient(storage.url, "anonymous", AsyncClientOptions(httpx_client=http))
            await browser.storage.from_(BUCKET).upload_to_signed_url(
                begun["path"], begun["token"], b"png", {"content-type": "image/png"}
            )
        assert storage.objects == {begun["path"]: Stored(b"png", "image/png")}

    async def test_right_is_for_one_upload(self, client, ada, storage):
        """What was confirmed cannot be exchanged: the path is taken."""
        begun = (await client.post(URL, json=PNG, headers=ada.headers)).json()
        async with httpx2.AsyncClient() as browser:
            first = await browser.put(
                begun["upload_url"], content=b"1", headers={"Content-Type": "image/png"}
            )
            second = await browser.put(
                begun["upload_url"], content=b"2", headers={"Content-Type": "image/png"}
            )
        assert (first.status_code, second.status_code) == (200, 400)
        assert storage.objects[begun["path"]].content == b"1"

    @pytest.mark.parametrize("kind", ["image/svg+xml", "text/html", "", None])
    async def test_other_types_are_refused(self, client, ada, storage, kind):
        """A drawing may hold a script."""
        response = await client.post(URL, json={"content_type": kind}, headers=ada.headers)
        assert problem(response) == (422, "VALIDATION_FAILED")
        assert storage.asked == []

    async def test_needs_a_user(self, client, storage):
        """Nobody uploads without having signed in."""
        assert problem(await client.post(URL, json=PNG)) == (401, "UNAUTHORIZED")


@pytest.mark.asyncio
class TestSetAvatar:
    """PUT /users/me/avatar."""

    async def test_uploaded_picture_is_the_avatar(self, client, ada, storage):
        """Everybody sees its path in the profile."""
        path = await upload(client, ada)
        response = await confirm(client, ada, path)
        assert (response.status_code, response.json()) == (200, {"bio": None, "avatar_path": path})
        user = await client.get(f"/users/{ada.id}", headers=ada.headers)
        assert user.json()["profile"]["avatar_path"] == path

    async def test_earlier_one_is_removed(self, client, ada, storage):
        """Also when the same is confirmed twice, which removes nothing."""
        old, new = await upload(client, ada), await upload(client, ada)
        for path in (old, new, new):
            assert (await confirm(client, ada, path)).json()["avatar_path"] == path
        assert list(storage.objects) == [new]

    async def test_storage_that_fails_to_remove_is_no_error(self, client, ada, storage, monkeypatch):
        """The new avatar counts; the old one costs some space."""
        old, new = await upload(client, ada), await upload(client, ada)
        await confirm(client, ada, old)
        find = avatar_storage.find

        async def find_then_break(path):
            found = await find(path)
            storage.broken = True
            return found

        monkeypatch.setattr(avatar_storage, "find", find_then_break)
        assert (await confirm(client, ada, new)).json()["avatar_path"] == new
        assert set(storage.objects) == {old, new}

    async def test_nothing_uploaded_is_not_found(self, client, ada, storage):
        """The right alone is no picture."""
        begun = (await client.post(URL, json=PNG, headers=ada.headers)).json()
        assert problem(await confirm(client, ada, begun["path"])) == (404, "UPLOAD_NOT_FOUND")

    async def test_upload_of_another_is_not_found(self, client, ada, people, storage):
        """Nobody takes another's picture, nor learns whether it is there."""
        path = await upload(client, ada)
        storage.asked.clear()
        assert problem(await confirm(client, people.add("eve"), path)) == (404, "UPLOAD_NOT_FOUND")
        assert storage.asked == []

    @pytest.mark.parametrize(
        "path",
        ["a.png", "../../x.png", f"{uuid4()}/../{uuid4()}.png", f"{uuid4()}/x.png\x00"],
        ids=["no folder", "outside", "through a folder", "with NUL"],
    )
    async def test_what_is_no_path_of_ours_is_refused(self, client, ada, storage, path):
        """Before anybody is asked about it."""
        assert problem(await confirm(client, ada, path)) == (422, "VALIDATION_FAILED")

    @pytest.mark.parametrize(
        "stored",
        [
            Stored(b"x" * (MAX_SIZE + 1), "image/png"),
            Stored(b"<html>", "text/html"),
            Stored(b"", "image/webp"),
        ],
    )
    async def test_unacceptable_picture_is_refused_and_removed(self, client, ada, storage, stored):
        """Too large, or not what was announced."""
        path = f"{ada.id}/{uuid4()}.png"
        storage.objects[path] = stored
        assert problem(await confirm(client, ada, path)) == (422, "AVATAR_REFUSED")
        assert storage.objects == {}
        assert (await client.get("/users/me", headers=ada.headers)).json()["profile"]["avatar_path"] is None

    async def test_largest_picture_is_accepted(self, client, ada, storage):
        """The limit itself is within it."""
        path = await upload(client, ada, b"x" * MAX_SIZE)
        assert (await confirm(client, ada, path)).status_code == 200


@pytest.mark.asyncio
class TestRemoveAvatar:
    """DELETE /users/me/avatar, and the user's own deletion."""

    async def test_path_and_object_are_gone(self, client, ada, storage):
        """Twice does no harm."""
        await confirm(client, ada, await upload(client, ada))
        for _ in range(2):
            assert (await client.delete(URL, headers=ada.headers)).status_code == 204
        assert storage.objects == {}
        assert (await client.get("/users/me", headers=ada.headers)).json()["profile"]["avatar_path"] is None

    async def test_deleted_user_leaves_no_picture(self, client, ada, people, storage):
        """Not even one that was never confirmed; others keep theirs."""
        await upload(client, ada)
        other = await upload(client, people.add("other"))
        await confirm(client, ada, await upload(client, ada))
        assert (await client.delete(f"/users/{ada.id}", headers=ada.headers)).status_code == 204
        assert list(storage.objects) == [other]

    async def test_deleted_user_leaves_none_of_many(self, client, ada, storage):
        """The storage lists a hundred at a time."""
        storage.objects = {f"{ada.id}/{number}.png": Stored(b"", "image/png") for number in range(250)}
        assert (await client.delete(f"/users/{ada.id}", headers=ada.headers)).status_code == 204
        assert storage.objects == {}


@pytest.mark.asyncio
class TestStorageErrors:
    """What the storage does wrong is one of three problems, each within the request's time."""

    async def test_unconfigured_deployment_says_what_to_set(self, client, ada):
        """The rest of the application works without a storage."""
        response = await client.post(URL, json=PNG, headers=ada.headers)
        assert problem(response) == (501, "AVATARS_NOT_CONFIGURED")
        assert "SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY" in response.json()["detail"]
        assert (await client.delete(URL, headers=ada.headers)).status_code == 204

    async def test_missing_extra_is_named(self, client, ada, storage, monkeypatch):
        """An artifact without the client says how to get one with it."""
        monkeypatch.setitem(sys.modules, "supabase", None)
        response = await client.post(URL, json=PNG, headers=ada.headers)
        assert problem(response) == (501, "AVATARS_NOT_CONFIGURED")
        assert "`supabase`" in response.json()["detail"]

    async def test_broken_storage_is_unavailable(self, client, ada, storage):
        """Worth another try."""
        storage.broken = True
        response = await client.post(URL, json=PNG, headers=ada.headers)
        assert problem(response) == (503, "STORAGE_UNAVAILABLE")
        assert response.headers["retry-after"] == "2"

    async def test_storage_that_is_down_is_unavailable(self, client, ada, storage, monkeypatch):
        """Nobody listens."""
        monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:9")
        assert problem(await client.post(URL, json=PNG, headers=ada.headers)) == (503, "STORAGE_UNAVAILABLE")

    @pytest.mark.parametrize("nonsense", ["[]", "null", '{"url": 7}', '{"size": "x"}', "[" * 100_000])
    async def test_answer_that_is_not_understood_is_refused(self, client, ada, storage, nonsense):
        """Neither the client's exceptions nor Python's leave; deleting a user is not kept from it."""
        storage.nonsense = nonsense
        begun = await client.post(URL, json=PNG, headers=ada.headers)
        confirmed = await confirm(client, ada, f"{ada.id}/{uuid4()}.png")
        assert problem(begun) == problem(confirmed) == (502, "STORAGE_REFUSED")
        assert (await client.delete(f"/users/{ada.id}", headers=ada.headers)).status_code == 204

    async def test_slow_storage_is_given_up(self, client, ada, storage, monkeypatch):
        """It does not use up the invocation's time."""
        monkeypatch.setattr(avatar_storage, "TIMEOUT", 0.05)
        storage.delay = 1.0
        assert problem(await client.post(URL, json=PNG, headers=ada.headers)) == (503, "STORAGE_UNAVAILABLE")

    async def test_deadline_of_the_invocation_comes_first(self, storage):
        """Little time left is all the time that the storage gets."""
        storage.delay = 1.0
        token = deadline.set(asyncio.get_running_loop().time() + 0.05)
        try:
            with pytest.raises(StorageUnavailableError):
                await avatar_storage.sign_upload(f"{uuid4()}/{uuid4()}.png")
        finally:
            deadline.reset(token)

    @pytest.mark.parametrize(
        "setting", [("SUPABASE_SERVICE_ROLE_KEY", "wrong"), ("BOUGH_AVATAR_BUCKET", "missing")]
    )
    @pytest.mark.usefixtures("storage")
    async def test_refusal_is_the_deployments_fault(self, client, ada, monkeypatch, caplog, setting):
        """A wrong key or bucket is told to the operator, and to the client only that it is not theirs."""
        monkeypatch.setenv(*setting)
        with caplog.at_level(logging.ERROR):
            response = await confirm(client, ada, f"{ada.id}/{uuid4()}.png")
        assert problem(response) == (502, "STORAGE_REFUSED")
        assert "the storage answered 40" in caplog.text
        assert KEY not in caplog.text + response.text
