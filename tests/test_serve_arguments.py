"""Arguments of tool calls: what they say is read, and what may go out is their own bytes."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.serve.arguments import Decoded

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
spellings = st.tuples(values, st.booleans()).map(
    lambda drawn: json.dumps(drawn[0], ensure_ascii=drawn[1])
)


def cut(text: str, cuts: set[int]) -> list[bytes]:
    ends = [0, *sorted(at for at in cuts if at < len(text)), len(text)]
    return [text[a:b].encode() for a, b in pairwise(ends)]


@given(spellings | st.text(max_size=60), st.sets(st.integers(0, 60)))
def test_fragments_say_what_the_whole_does_and_lose_no_byte(text: str, cuts: set[int]) -> None:
    whole, parts = Decoded(), Decoded()
    said = whole.feed(text.encode()) + whole.finish()
    pieces = [parts.feed(piece) for piece in cut(text, cuts)] + [parts.finish()]
    assert b"".join(pieces) == said
    assert b"".join(parts.take(len(piece)) for piece in pieces) == text.encode()
    for piece in pieces:
        piece.decode()


@given(st.lists(st.text(max_size=20).map(lambda text: text.replace("\n", " ")), min_size=1))
def test_strings_are_read_decoded(texts: list[str]) -> None:
    decoded = Decoded()
    said = decoded.feed(json.dumps(texts).encode()).decode()
    lines = said.split("\n")
    assert lines[1::2] == texts


# Spans of matches begin and end with tokens, so a number is replaced whole.
@given(st.recursive(st.text(max_size=20), st.lists, max_leaves=6).map(json.dumps), st.data())
def test_json_with_a_passage_replaced_is_json(text: str, data: st.DataObject) -> None:
    decoded = Decoded()
    said = decoded.feed(text.encode())
    at = data.draw(st.integers(0, len(said)))
    size = data.draw(st.integers(0, len(said) - at))
    raw = decoded.take(at) + decoded.replace(size, 'a "notice"\n') + decoded.take(len(said))
    json.loads(raw)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (r'"\ud83d\ude00 \u00e9\n\t\\ \" \/"', '\n😀 é\n\t\\ " /\n'),
        (r'"\ud83d alone \ude00"', "\n\ufffd alone \ufffd\n"),
        (r'{"a": [1, true]}', " \na\n   1  true  "),
        ("no JSON at all: don't", "no JSON at all  don't"),
        ('"cut in the mid\\u00', "\ncut in the mid\\u00"),
        ('"\\é"', "\n\\é\n"),
    ],
)
def test_escapes_and_what_is_none(raw: str, said: str) -> None:
    decoded = Decoded()
    assert (decoded.feed(raw.encode()) + decoded.finish()).decode() == said


@given(
    st.lists(st.tuples(st.text(max_size=8), st.text(max_size=90)), min_size=1),
    st.sets(st.integers(0, 300)),
)
def test_values_are_what_is_said_but_for_keys(pairs: list[tuple[str, str]], cuts: set[int]) -> None:
    text = json.dumps([{key: value} for key, value in pairs])
    decoded = Decoded()
    for piece in cut(text, cuts):
        decoded.feed(piece)
    decoded.finish()
    said = "".join(value + "\n" for _, value in pairs)
    assert decoded.values.decode() == said.encode("utf-8", "replace").decode()


def test_values_of_what_is_no_json_are_its_words() -> None:
    decoded = Decoded()
    decoded.feed(b'It was, true 1.5 {"key": "the best", "n": null} of')
    decoded.finish()
    assert decoded.values.decode().split() == ["It", "was", "the", "best", "of"]
