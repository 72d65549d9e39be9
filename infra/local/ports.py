"""Ports on loopback."""

from __future__ import annotations

import errno
import socket
from typing import Final

import psutil

from infra.local.errors import PortInUseError

LOOPBACK: Final = "127.0.0.1"


def is_free(port: int) -> bool:
    """Say whether a server could listen on the port now."""
    with socket.socket() as probe:
        # As servers do it: connections of the last one that linger in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def free_port(preferred: int | None = None) -> int:
    """Return `preferred` when it is free, else one that the kernel picks."""
    if preferred is not None and is_free(preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def require_free(port: int, hint: str) -> None:
    """Raise `PortInUseError` unless the port is free."""
    if not is_free(port):
        raise in_use(port, hint)


def in_use(port: int, hint: str) -> PortInUseError:
    """Return the error for a port that is taken; it names who holds it as far as the system tells."""
    return PortInUseError(f"port {port} is in use{_holder(port)}", hint=hint)


def _holder(port: int) -> str:
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS shows them to root only
        return ""
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
            try:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.NoSuchProcess:
                return ""
    return ""
