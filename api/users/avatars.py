"""Avatars: the browser uploads to the storage by itself; we sign its right to, and look at the result.

The function never sees the bytes: a Lambda's payload is limited and its time costs money.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.database.base import uuid7
from api.database.session import write
from api.users import avatar_storage as storage
from api.users.repository import users
from api.users.schemas import AvatarUploadRead, ProfileRead
from api.users.service import UserNotFoundError
from api.web.problems import NotFoundError, UnprocessableError

if TYPE_CHECKING:
    from uuid import UUID

    from api.auth.current_user import CurrentUser
    from api.database.session import ReadSession
    from api.users.schemas import ImageType

#: Bytes.
MAX_SIZE: Final = 2 * 2**20
_EXTENSIONS: Final = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}


class UploadNotFoundError(NotFoundError):
    """Nothing was uploaded at this path, or it is not the user's."""

    code = "UPLOAD_NOT_FOUND"


class AvatarRefusedError(UnprocessableError):
    """What was uploaded is too large, or not of the type that was announced."""

    code = "AVATAR_REFUSED"


async def begin(viewer: CurrentUser, content_type: ImageType) -> AvatarUploadRead:
    """Let the viewer upload a picture, to a path of theirs that is used for nothing else.

    Raises:
        AvatarsNotConfiguredError, StorageUnavailableError, StorageRefusedError: See `avatar_storage`.
    """
    path = f"{viewer.id}/{uuid7()}.{_EXTENSIONS[content_type]}"
    signed = await storage.sign_upload(path)
    return AvatarUploadRead(
        upload_url=signed.url, token=signed.token, path=path, expires_in=storage.UPLOAD_LIFETIME
    )


async def confirm(session: ReadSession, viewer: CurrentUser, path: str) -> ProfileRead:
    """Make an uploaded picture the viewer's avatar, and remove the one before it.

    The storage is asked before the transaction, and told after it: no transaction waits for it.

    Raises:
        UploadNotFoundError: There is no such upload of the viewer's.
        AvatarRefusedError: It is not acceptable, and was removed.
        UserNotFoundError: The viewer is being deleted at the same time.
        AvatarsNotConfiguredError, StorageUnavailableError, StorageRefusedError: See `avatar_storage`.
    """
    found = await storage.find(path) if path.startswith(f"{viewer.id}/") else None
    if found is None:
        raise UploadNotFoundError(
            "Nothing was uploaded there; upload first, to the path that you were given."
        )
    if found.size > MAX_SIZE or _EXTENSIONS.get(found.content_type) != path.rpartition(".")[2]:
        await storage.remove(path)
        raise AvatarRefusedError(f"An avatar has at most {MAX_SIZE} bytes and the type that was announced.")
    return await _replace(session, viewer.id, path)


async def remove(session: ReadSession, viewer: CurrentUser) -> None:
    """Remove the viewer's avatar; harmless when there is none.

    Raises:
        UserNotFoundError: The viewer is being deleted at the same time.
    """
    await _replace(session, viewer.id, None)


async def remove_all(user_id: UUID) -> None:
    """Remove all that a user ever uploaded, as far as that can be done; for who was deleted."""
    await storage.remove_all(str(user_id))


async def _replace(session: ReadSession, user_id: UUID, path: str | None) -> ProfileRead:
    async with write(session) as writer:
        before = profile = await users.profile(writer, user_id)
        if before is not None and before.avatar_path != path:
            profile = await users.set_profile(writer, user_id, {"avatar_path": path})
    if before is None or profile is None:
        raise UserNotFoundError
    if before.avatar_path is not None and before.avatar_path != path:
        await storage.remove(before.avatar_path)
    return ProfileRead.model_validate(profile)
