"""Supabase Storage on loopback, as far as avatars need it: signed uploads, information, lists, removal."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.loopback_server import Handler, LoopbackServer

if TYPE_CHECKING:
    from types import TracebackType

KEY: Final = "service-role-key-of-a-test"
BUCKET: Final = "avatars"
_API: Final = "/storage/v1/object/"


@dataclass(frozen=True)
class Stored:
    """An object."""

    content: bytes
    content_type: str


class RefusalError(Exception):
    """What the storage says no with; the HTTP status is 400 whatever the body's `statusCode` is."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.body = {"statusCode": str(status), "error": error, "message": error.replace("_", " ")}


class FakeStorage:
    """A storage with one bucket.

    Attributes:
        objects: What is stored, by path.
        asked: Method and path of each request, without queries.
        broken: Answer every request with an error of the server's.
        nonsense: What it answers to every request instead, as JSON.
        delay: Seconds before each answer.
    """

    def __init__(self) -> None:
        """Listen on a free port once entered."""
        self.objects: dict[str, Stored] = {}
        self.tokens: dict[str, str] = {}
        self.asked: list[str] = []
        self.broken = False
        self.nonsense = ""
        self.delay = 0.0

    def __enter__(self) -> Self:
        """Serve from threads."""
        storage = self

        class Answering(Handler):
            def answer(self) -> None:
                storage.asked.append(f"{self.command} {urlsplit(self.path).path}")
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                time.sleep(storage.delay)
                try:
                    status, answer = (500, {}) if storage.broken else (200, storage.respond(self, body))
                except RefusalError as refusal:
                    status, answer = 400, refusal.body
                content = (storage.nonsense or json.dumps(answer)).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815  named by the base class

        self.server = LoopbackServer(Answering)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop listening."""
        self.server.stop()

    @property
    def url(self) -> str:
        """What `SUPABASE_URL` is."""
        return self.server.url

    def respond(self, request: Handler, body: bytes) -> Any:
        """Carry out a request, or refuse it."""
        target = urlsplit(request.path)
        path = unquote(target.path.removeprefix(_API))
        if request.command == "PUT":
            token = parse_qs(target.query).get("token", [""])[0]
            return self._upload(path.removeprefix(f"upload/sign/{BUCKET}/"), token, request, body)
        if request.headers["Authorization"] != f"Bearer {KEY}":
            raise RefusalError(403, "Unauthorized")
        sent = json.loads(body or b"{}")
        match request.command, path.split("/"):
            case "POST", ["upload", "sign", bucket, *parts] if bucket == BUCKET:
                return self._sign("/".join(parts))
            case "GET", ["info", bucket, *parts] if bucket == BUCKET:
                return self._info("/".join(parts))
            case "POST", ["list", bucket] if bucket == BUCKET:
                folder = f"{sent['prefix']}/"
                found = [name.removeprefix(folder) for name in self.objects if name.startswith(folder)]
                return [{"name": name} for name in found[: sent["limit"]]]
            case "DELETE", [bucket] if bucket == BUCKET:
                return [{"name": name} for name in sent["prefixes"] if self.objects.pop(name, None)]
        raise RefusalError(404, "Bucket not found")

    def _sign(self, path: str) -> dict[str, str]:
        token = secrets.token_urlsafe()
        self.tokens[token] = path
        return {"url": f"/object/upload/sign/{BUCKET}/{path}?token={token}", "token": token}

    def _upload(self, path: str, token: str, request: Handler, body: bytes) -> dict[str, str]:
        if self.tokens.get(token) != path:
            raise RefusalError(400, "InvalidSignature")
        if path in self.objects:
            raise RefusalError(409, "Duplicate")
        content_type = request.headers["Content-Type"]
        if content_type.startswith("multipart/"):
            head = f"Content-Type: {content_type}\r\n\r\n".encode()
            parts = BytesParser(EmailMessage, policy=HTTP).parsebytes(head + body).iter_parts()
            file = next(part for part in parts if part.get_filename())
            body, content_type = file.get_payload(decode=True), file.get_content_type()
        self.objects[path] = Stored(body, content_type)
        return {"Key": f"{BUCKET}/{path}"}

    def _info(self, path: str) -> dict[str, Any]:
        found = self.objects.get(path)
        if found is None:
            raise RefusalError(404, "not_found")
        return {
            "name": path,
            "bucket_id": BUCKET,
            "size": len(found.content),
            "content_type": found.content_type,
        }
