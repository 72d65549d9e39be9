"""moto's server with what `moto_*` of this package mends, on a port of loopback, in threads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from infra.local import ports
from infra.local.aws import moto_cloudformation, moto_preconditions

if TYPE_CHECKING:
    from types import TracebackType


class MotoServer:
    """Serves while it is entered."""

    def __init__(self) -> None:
        """Mend moto; listen only once entered."""
        moto_cloudformation.mend()
        moto_preconditions.mend()
        self._server = make_server(
            ports.LOOPBACK,
            0,
            DomainDispatcherApplication(create_backend_app),
            threaded=True,
            request_handler=MotoRequestHandler,
        )
        self._thread = threading.Thread(target=self._server.serve_forever, name="moto", daemon=True)

    @property
    def endpoint(self) -> str:
        """The base URL of all services."""
        return f"http://{ports.LOOPBACK}:{self._server.server_port}"

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
