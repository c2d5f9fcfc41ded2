"""The socket that a server listens on, taken before anything is started for it."""

from __future__ import annotations

import socket

from dashapp.errors import StartupError


def bind(host: str, port: int) -> socket.socket:
    """The socket to serve on; port 0 takes a free one.

    Raises:
        StartupError: the address can't be used.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        reason = "is in use by another program" if error.errno in (48, 98) else f"can't be used ({error.strerror or error})"
        raise StartupError(f"port {port} on {host} {reason}; choose another with --port.") from None
    except OverflowError:
        raise StartupError(f"{port} is no port; take one from 0 to 65535.") from None
    return listener
