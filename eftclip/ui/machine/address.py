"""The address that the page is served at: one of this machine, and a port that is free."""

import errno
import os
import socket
from contextlib import suppress

from eftclip.errors import PageError
from eftclip.untrusted_text import one_line

MOST = 65_535
TAKEN = "is taken by another program: stop that one, or name another port (eftclip app --port N)"


def check_address(host: str | None, port: int | None) -> str:
    """See that the page can be served at an address.

    Args:
        host: name or address to listen on; that of `GRADIO_SERVER_NAME`, or 127.0.0.1, when left out.
        port: the port; when left out, Gradio takes the first free one from `GRADIO_SERVER_PORT`, or 7860, on.

    Returns:
        the address to listen on.

    Raises:
        PageError: it cannot.
    """
    first, many = _number("GRADIO_SERVER_PORT", 7860), _number("GRADIO_NUM_PORTS", 100)
    address = host or os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    if port is None:
        _try(address, 0)
        _find_free(address, first, min(first + many - 1, MOST))
    elif 0 < port <= MOST:
        _try(address, port)
    else:
        raise PageError(f"There is no port {port}: name one from 1 to {MOST} (eftclip app --port N).")
    return address


def _number(name: str, default: int) -> int:
    """Gradio reads these when it is imported; Kubernetes sets one to `tcp://…` where a service is called so."""
    text = os.environ.get(name, str(default))
    if not text.isdecimal() or not 0 < int(text) <= MOST:
        raise PageError(f"{name} is {one_line(text)!r}: set it to a number from 1 to {MOST}, or unset it.")
    return int(text)


def _find_free(address: str, first: int, last: int) -> None:
    for port in range(first, last + 1):
        with suppress(PageError):
            return _try(address, port)
    raise PageError(
        f"No port from {first} to {last} of {one_line(address)} is free: stop a program that has one, or name another "
        "port (GRADIO_SERVER_PORT, or eftclip app --port N)."
    )


def _try(address: str, port: int) -> None:
    """Listen there for a moment; 0 is any port."""
    shown = one_line(address)
    try:
        found = socket.getaddrinfo(address.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, _, _, place = found[0]
        with socket.socket(family, kind) as listener:
            if os.name == "posix":  # elsewhere it would let two programs share a port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
    except OSError as error:
        raise PageError(_why(error, shown, port)) from error
    except ValueError as error:  # a name that cannot be one
        raise PageError(f"{shown!r} is no address: name one of this machine, such as 127.0.0.1.") from error


def _why(error: OSError, shown: str, port: int) -> str:
    code = None if isinstance(error, socket.gaierror) else error.errno
    if code == errno.EADDRINUSE:
        return f"Port {port} of {shown} {TAKEN}."
    if code == errno.EACCES:
        return f"Port {port} of {shown} may not be used by you ({error.strerror}): name another one above 1023."
    return (
        f"This machine cannot listen on {shown!r} ({error.strerror or error}): name one of its own addresses with "
        "--host or GRADIO_SERVER_NAME, such as 127.0.0.1, or 0.0.0.0 for all of them."
    )
