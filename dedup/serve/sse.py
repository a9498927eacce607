"""Server-sent events, read from bytes that are cut anywhere, and written.

Lines end in LF, CRLF or CR; an event ends at an empty line; its ``data`` lines are joined by LF;
lines that begin with a colon are comments. As https://html.spec.whatwg.org/#server-sent-events.
"""

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["Event", "EventTooLong", "SseParser", "encode_event"]

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")


class EventTooLong(ValueError):
    """An event is longer than is allowed."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its ``data``, and its type and id if it has any."""

    data: bytes
    type: bytes = b""
    id: bytes = b""


class SseParser:
    """Turns the bytes of a stream into events; comments are dropped."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._rest = b""
        self._searched = 0  # bytes of the rest in which no line ends
        self._is_start = True
        self._data: list[bytes] = []
        self._bytes = 0  # of the event so far
        self._type = b""
        self._id = b""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that end in this piece.

        Raises
        ------
        EventTooLong
            If one is longer than allowed, whether it has ended or not.
        """
        data = self._rest + chunk
        if self._is_start and data:
            if len(data) < 3 and b"\xef\xbb\xbf".startswith(data):
                self._rest = data
                return []
            data = data.removeprefix(b"\xef\xbb\xbf")
            self._is_start = False
        events: list[Event] = []
        at = 0
        searched = self._searched
        while found := _LINE_END.search(data, max(at, searched)):
            if found[0] == b"\r" and found.end() == len(data):
                break  # an LF may follow, and belongs to it
            line = data[at : found.start()]
            at = found.end()
            self._line(line, events)
        self._rest = data[at:]
        self._searched = max(0, len(self._rest) - 1)
        if self._bytes + len(self._rest) > self._max_bytes:
            raise EventTooLong(f"an event is longer than {self._max_bytes} bytes")
        return events

    def finish(self) -> list[Event]:
        """What an end of the stream completes: a last line and event that lack their ends."""
        events: list[Event] = []
        if self._rest:
            self._line(self._rest.removesuffix(b"\r"), events)
            self._rest = b""
        self._line(b"", events)
        return events

    @property
    def is_empty(self) -> bool:
        """Whether no event has begun."""
        return not self._rest and not self._data

    def _line(self, line: bytes, events: list[Event]) -> None:
        if not line:
            if self._data:
                events.append(Event(b"\n".join(self._data), self._type, self._id))
            self._data, self._bytes, self._type = [], 0, b""
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._bytes += len(value) + 1
            if self._bytes > self._max_bytes:
                raise EventTooLong(f"an event is longer than {self._max_bytes} bytes")
        elif name == b"event":
            self._type = value
        elif name == b"id":
            self._id = value


def encode_event(data: bytes, type: bytes = b"") -> bytes:
    """The bytes of an event whose data has no line ends, as JSON has none."""
    return (b"event: " + type + b"\n" if type else b"") + b"data: " + data + b"\n\n"
