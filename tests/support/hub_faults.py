"""What goes wrong with requests to the Hub of a test, and the lines that it cuts."""

import re
import socket
import struct
from dataclasses import dataclass, field

NOW = struct.pack("ii", 1, 0)  # of SO_LINGER: closing resets the connection, and what is under way is lost


@dataclass
class Fault:
    """What goes wrong with requests that match, so many times.

    Attributes:
        what: `METHOD path`, a pattern that is searched for.
        status: answered instead of doing anything.
        headers: of that answer.
        lost: the request is done, but its answer never arrives.
        dead: the line goes dead before anything is done.
        taken: so many bytes of the request's body are read, then the line goes dead: a dropped upload.
        sent: so many bytes of the answer's body are sent, then the line goes dead: a truncated download.
        hang_s: seconds without an answer, or, with `sent`, without its rest.
        dies: from then on nobody listens; this request is still answered.
        times: how often.
    """

    what: str
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    lost: bool = False
    dead: bool = False
    taken: int | None = None
    sent: int | None = None
    hang_s: float = 0.0
    dies: bool = False
    times: int = 1


NONE = Fault("", times=0)


def next_fault(faults: list[Fault], line: str) -> Fault:
    """The first that is not used up and matches `METHOD path`; it is used once more by that."""
    found = next((one for one in faults if one.times > 0 and re.search(one.what, line)), NONE)
    found.times -= found is not NONE
    return found


def cut_line(connection: socket.socket) -> None:
    """Let a connection break, as when a cable is pulled."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)
    connection.shutdown(socket.SHUT_RDWR)
