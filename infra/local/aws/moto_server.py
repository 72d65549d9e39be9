"""moto's server with what `moto_*` of this package mends, on a port of loopback, in threads."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Self

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from infra.local import ports
from infra.local.aws import moto_cloudwatch, moto_lambda
from infra.local.aws.moto_lambda_responses import CONCURRENCY

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from flask import Flask
    from moto.backends import SERVICE_NAMES

    from infra.local.aws.runner import FromThreads


class MotoServer:
    """Serves while it is entered.

    Args:
        runner: Runs the functions.
    """

    def __init__(self, runner: FromThreads) -> None:
        """Take a port; answer only once entered."""
        # Lambda's own limit is enforced only where an account's is named.
        os.environ["MOTO_LAMBDA_CONCURRENCY_QUOTA"] = str(CONCURRENCY)
        self._server = make_server(
            ports.LOOPBACK,
            0,
            _not_for_pages(DomainDispatcherApplication(self._service)),
            threaded=True,
            request_handler=MotoRequestHandler,
        )
        moto_lambda.mend(runner)
        moto_cloudwatch.mend()
        self._thread = threading.Thread(target=self._server.serve_forever, name="moto", daemon=True)

    @property
    def endpoint(self) -> str:
        """The base URL of all services."""
        return f"http://{ports.LOOPBACK}:{self._server.server_port}"

    def _service(self, name: SERVICE_NAMES) -> Flask:
        """Return what answers a service's requests, when the first one comes."""
        if name == "cloudformation":
            # Not before: it brings all of moto along, which takes seconds.
            from infra.local.aws import moto_cloudformation  # noqa: PLC0415  see above

            moto_cloudformation.mend(self.endpoint)
        return create_backend_app(name)

    def __enter__(self) -> Self:
        """Answer requests."""
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Answer none any more."""
        self._server.shutdown()
        self._server.server_close()


def _not_for_pages(application: WSGIApplication) -> WSGIApplication:
    """Refuse what a page in a browser asks: moto lets every origin in, and who is let in runs code here."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if "HTTP_ORIGIN" in environ or environ.get("HTTP_SEC_FETCH_SITE", "none") != "none":
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"not for pages in a browser"]
        return application(environ, start_response)

    return answer
