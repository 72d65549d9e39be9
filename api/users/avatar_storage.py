"""Where avatars are: a bucket of Supabase Storage. The one place that knows its client.

The client is an extra, `supabase`, and is imported by the request that first needs it: that takes more than
half as long as to import the application.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from api.database.timeouts import remaining
from api.settings import get_settings
from api.web.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from storage3._async.file_api import AsyncBucketProxy

#: Seconds for all that one function here asks of the storage.
TIMEOUT: Final = 5.0
#: Seconds that a signed upload URL is good for; the storage leaves no choice
#: (supabase.com/docs/reference/javascript/storage-from-createsigneduploadurl).
UPLOAD_LIFETIME: Final = 7200

logger = logging.getLogger(__name__)


class AvatarsNotConfiguredError(ProblemError):
    """This deployment has no storage for avatars; says what to set."""

    status: ClassVar[int] = 501
    code = "AVATARS_NOT_CONFIGURED"


class StorageUnavailableError(ProblemError):
    """The storage cannot be reached, is too slow or has failed: try again."""

    status: ClassVar[int] = 503
    code = "STORAGE_UNAVAILABLE"

    def __init__(self) -> None:
        """Say when to come back."""
        super().__init__("The storage cannot be reached.", headers={"Retry-After": "2"})


class StorageRefusedError(ProblemError):
    """The storage refused what was asked of it: a wrong key, no such bucket. The log has its reason."""

    status: ClassVar[int] = 502
    code = "STORAGE_REFUSED"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What the storage knows of an object: its size in bytes, and the type that its uploader stated."""

    size: int
    content_type: str


@dataclass(frozen=True, slots=True)
class SignedUpload:
    """Where to PUT an object, once, without any other right."""

    url: str
    token: str


async def sign_upload(path: str) -> SignedUpload:
    """Let whoever gets the result store an object at a path where there is none, for `UPLOAD_LIFETIME`.

    Raises:
        AvatarsNotConfiguredError, StorageUnavailableError, StorageRefusedError: As they say.
    """
    async with _bucket() as bucket:
        signed = await bucket.create_signed_upload_url(path)
    return SignedUpload(signed["signed_url"], signed["token"])


async def find(path: str) -> StoredObject | None:
    """Return what is stored at a path; `None` when nothing is.

    Raises:
        AvatarsNotConfiguredError, StorageUnavailableError, StorageRefusedError: As they say.
    """
    async with _bucket() as bucket:
        from storage3.exceptions import StorageApiError  # noqa: PLC0415

        try:
            found = await bucket.info(path)
        except StorageApiError as error:
            # A missing bucket is a 404 too, of another name.
            if str(error.status) == "404" and error.code == "not_found":
                return None
            raise
        return StoredObject(int(found["size"]), str(found["content_type"]))


async def remove(path: str) -> None:
    """Remove an object if that can be done; what fails is logged, and costs some space."""
    with suppress(ProblemError):
        async with _bucket() as bucket:
            await bucket.remove([path])


async def remove_all(folder: str) -> None:
    """Remove the objects of a folder if there is a storage and it can be done; what fails is logged."""
    with suppress(ProblemError):
        async with _bucket() as bucket:
            # A list has at most a hundred; where nothing is removed, the next would be the same.
            while paths := [f"{folder}/{found['name']}" for found in await bucket.list(folder)]:
                if not await bucket.remove(paths):
                    break


@asynccontextmanager
async def _bucket() -> AsyncIterator[AsyncBucketProxy]:
    """Open the bucket with the right to do anything; every exception of the client leaves as one of ours."""
    settings = get_settings()
    if settings.supabase_url is None or not settings.supabase_service_role_key.get_secret_value():
        raise AvatarsNotConfiguredError("Avatars need SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY.")
    try:
        from httpx import AsyncClient as HttpClient  # noqa: PLC0415  of the extra
        from httpx import HTTPError  # noqa: PLC0415
        from storage3.exceptions import StorageApiError  # noqa: PLC0415
        from supabase import AsyncClient, AsyncClientOptions  # noqa: PLC0415
    except ImportError as error:
        message = "Avatars need the extra `supabase`: name it in `extras` of [tool.bough] and deploy again."
        raise AvatarsNotConfiguredError(message) from error

    left = remaining()
    try:
        async with asyncio.timeout(TIMEOUT if left is None else min(TIMEOUT, left)), HttpClient() as http:
            options = AsyncClientOptions(httpx_client=http, auto_refresh_token=False, persist_session=False)
            key = settings.supabase_service_role_key.get_secret_value()
            client = AsyncClient(settings.supabase_url, key, options)
            yield client.storage.from_(settings.avatar_bucket)
    except StorageApiError as error:
        logger.error("the storage answered %s %s: %s", error.status, error.code, error.message)  # noqa: TRY400  the reason suffices
        if str(error.status) == "429" or str(error.status).startswith("5"):
            raise StorageUnavailableError from error
        raise StorageRefusedError("The storage refused the request; the log has its reason.") from error
    except (HTTPError, TimeoutError) as error:
        logger.error("the storage cannot be reached: %s", type(error).__name__)  # noqa: TRY400
        raise StorageUnavailableError from error
    # Whatever else: the client takes what it is answered for what it expects, and has exceptions of its own.
    except Exception as error:
        logger.error("the storage's answer is not understood: %s", type(error).__name__)  # noqa: TRY400
        raise StorageRefusedError("The storage gave an answer that is not understood.") from error
