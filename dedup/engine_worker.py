"""A worker process of LocalEngine; started as a script, it imports nothing of the package.

Standard input is one end of a socket that carries both ways messages of a u64 size, little-endian,
and a pickle:

    to it       the import path, what makes the worker, then one task after the other
    from it     (READY, None) once the worker is made, then (DONE, result) for each task; or
                (RAISED, exception), and it ends

It ends at once when the other end is closed, in the middle of a task too: the process that started
it is gone, or has no more use for it.
"""

import os
import pickle
import select
import socket
import struct
import sys
import threading
import traceback
from typing import Any

__all__ = ["DONE", "RAISED", "READY", "main", "receive", "send"]

READY = "ready"
DONE = "done"
RAISED = "raised"

_SIZE = struct.Struct("<Q")
_PART_BYTES = 1 << 20


def send(channel: socket.socket, message: bytes) -> None:
    """Send one message whole."""
    channel.sendall(_SIZE.pack(len(message)))
    channel.sendall(message)


def receive(channel: socket.socket) -> bytearray | None:
    """The next message; None if the other end is closed, in the middle of one too."""
    head = _exactly(channel, _SIZE.size)
    return None if head is None else _exactly(channel, _SIZE.unpack(head)[0])


def main() -> None:
    """Work until the other end is closed."""
    channel = _take_channel()
    threading.Thread(target=_end_when_alone, args=(channel,), daemon=True).start()
    try:
        sys.path[:] = _unpickled(channel)
        work = _unpickled(channel)()
        _tell(channel, READY, None)
        while True:
            _tell(channel, DONE, work(_unpickled(channel)))
    except BaseException as error:
        error.add_note("".join(traceback.format_exception(error)).rstrip())
        _tell(channel, RAISED, error)


def _take_channel() -> socket.socket:
    """The socket that is standard input, out of the way of what reads that."""
    channel = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return channel


def _end_when_alone(channel: socket.socket) -> None:
    poll = select.poll()
    poll.register(channel, 0)  # a hang-up is always told
    poll.poll()
    os._exit(1)


def _unpickled(channel: socket.socket) -> Any:
    message = receive(channel)
    if message is None:
        os._exit(0)
    return pickle.loads(message)  # noqa: S301 from the process that started this one


def _tell(channel: socket.socket, kind: str, value: object) -> None:
    try:
        message = pickle.dumps((kind, value))
        if kind == RAISED:
            pickle.loads(message)  # noqa: S301 not every exception can be made again
    except Exception as error:
        if kind != RAISED:
            raise
        told = RuntimeError(f"{type(value).__name__}: {value} (which cannot be pickled: {error})")
        message = pickle.dumps((RAISED, told))
    try:
        send(channel, message)
    except OSError:
        os._exit(1)


def _exactly(channel: socket.socket, size: int) -> bytearray | None:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = channel.recv_into(view, min(len(view), _PART_BYTES))
        if not count:
            return None
        view = view[count:]
    return data


if __name__ == "__main__":
    main()
