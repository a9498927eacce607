"""Events are the same however their bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.serve.sse import Event, EventTooLong, SseParser, encode_event

STREAM = (
    '\ufeff: a comment\r\ndata: {"a": "é"}\r\n\r\n'
    "event: response.done\nid: 7\ndata: one\ndata:  two\n\n"
    ":\n\nretry: 5\n\n"
    "data\rdata: [DONE]\r\rdata: the end"
).encode()
EVENTS = [
    Event('{"a": "é"}'.encode()),
    Event(b"one\n two", b"response.done", b"7"),
    Event(b"\n[DONE]", b"", b"7"),
    Event(b"the end", b"", b"7"),
]


def parsed(pieces: list[bytes]) -> list[Event]:
    parser = SseParser(1 << 20)
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.finish()


def test_lines_end_and_comments_go_as_the_standard_says() -> None:
    assert parsed([STREAM]) == EVENTS


@given(st.sets(st.integers(0, len(STREAM))))
def test_events_do_not_depend_on_how_the_stream_is_cut(cuts: set[int]) -> None:
    ends = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[a:b] for a, b in pairwise(ends)]
    assert parsed(pieces) == EVENTS


@given(st.lists(st.binary(max_size=40), max_size=9))
def test_no_bytes_are_too_odd(pieces: list[bytes]) -> None:
    assert parsed(pieces) == parsed([b"".join(pieces)])


@pytest.mark.parametrize("line", [b"data: " + b"x" * 99, b"x" * 99, b"data: 12345\n" * 9])
def test_an_event_has_a_longest_length(line: bytes) -> None:
    parser = SseParser(50)
    with pytest.raises(EventTooLong):
        for at in range(len(line)):
            parser.feed(line[at : at + 1])


def test_what_is_written_is_read() -> None:
    assert parsed([encode_event(b"{}", b"x")]) == [Event(b"{}", b"x")]
