"""Places as editors count them, and excerpts that are whole and short."""

import json

from hypothesis import given
from hypothesis import strategies as st
from strategies import match, texts, texts_with_matches

from dedup.excerpt import evidence_of, excerpt_of
from dedup.match import Match, Span
from dedup.policy import Ruling


def ruling(**changes: object) -> Ruling:
    return Ruling(match(**changes), "it", "block")


def place(text: str, passage: str) -> tuple[int, int, int, int]:
    start = text.encode().index(passage.encode())
    found = ruling(query_span=Span(start, start + len(passage.encode())))
    (evidence,) = evidence_of(text, [found])
    at = evidence["place"]
    return at["start_line"], at["start_column"], at["end_line"], at["end_column"]


def test_place_is_counted_from_one_and_ends_behind_the_last_character() -> None:
    assert place("abc def", "def") == (1, 5, 1, 8)
    assert place("one\ntwo\r\nthree four\nfive six", "four\nfive") == (3, 7, 4, 5)


def test_columns_are_utf16_units() -> None:
    assert place("é漢😀 here", "here") == (1, 6, 1, 10)
    assert place("x\n😀😀", "😀") == (2, 1, 2, 3)


@given(texts_with_matches())
def test_places_are_those_that_an_editor_counts(drawn: tuple[str, list[Match]]) -> None:
    text, matches = drawn
    rulings = [Ruling(match, "it", "flag") for match in matches]
    lines = text.split("\n")
    for found, evidence in zip(rulings, evidence_of(text, rulings), strict=True):
        at = evidence["place"]
        start, end = found.match.query_span
        for offset, line, column in (
            (start, at["start_line"], at["start_column"]),
            (end, at["end_line"], at["end_column"]),
        ):
            before = lines[line - 1].encode("utf-16-le")[: 2 * (column - 1)].decode("utf-16-le")
            assert "\n".join([*lines[: line - 1], before]) == text.encode()[:offset].decode()


def test_fingerprint_stays_when_the_passage_moves_or_is_reformatted() -> None:
    one, other = "a b\nc d", "intro\n\n  a b\n\t c d end"
    (first,) = evidence_of(one, [ruling(query_span=Span(0, 7))])
    (moved,) = evidence_of(other, [ruling(query_span=Span(9, 18))])
    assert other[9:18].split() == one.split()
    assert first["fingerprint"] == moved["fingerprint"]
    assert len(first["fingerprint"]) == 32


def test_fingerprint_tells_passages_sources_and_views_apart() -> None:
    text = "a b c d"
    rulings = [
        ruling(query_span=Span(0, 3)),
        ruling(query_span=Span(4, 7)),
        ruling(query_span=Span(0, 3), document="other"),
        ruling(query_span=Span(0, 3), view="code"),
    ]
    assert len({row["fingerprint"] for row in evidence_of(text, rulings)}) == 4


def test_evidence_holds_text_only_if_asked_for() -> None:
    text = "x = 1\nsecret passage here\ny = 2"
    found = [ruling(query_span=Span(6, 20))]
    assert "secret" not in json.dumps(evidence_of(text, found))
    (evidence,) = evidence_of(text, found, excerpts=True)
    assert evidence["excerpt"] == {
        "first_line": 1,
        "before": "x = 1\n",
        "passage": "secret passage",
        "after": " here",
        "left_out": 0,
    }
    assert evidence_of(text, [], excerpts=True) == []


def test_excerpt_of_endless_lines_is_short_and_says_what_it_leaves_out() -> None:
    text = "é" * 1_000_000
    excerpt = excerpt_of(text, Span(1_000_000, 1_500_000), 4000)
    assert len(excerpt.before) <= 80
    assert len(excerpt.passage) == 2000
    assert (excerpt.after, excerpt.left_out) == ("", 496_000)


@given(texts, st.data())
def test_excerpt_is_a_piece_of_the_text(text: str, data: st.DataObject) -> None:
    ends = sorted(data.draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    span = Span(*(len(text[:end].encode()) for end in ends))
    excerpt = excerpt_of(text, span, data.draw(st.integers(1, 100)))
    assert excerpt.before + excerpt.passage + excerpt.after in text
    passage = text.encode()[span.start : span.end]
    assert passage.startswith(excerpt.passage.encode())
    assert len(excerpt.passage.encode()) + excerpt.left_out == len(passage)
    before = text.encode()[: span.start].decode()
    assert before.endswith(excerpt.before)
    assert excerpt.first_line == before.count("\n") + 1 - excerpt.before.count("\n")
