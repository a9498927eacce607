"""A text with what hides its words undone is searched too, and spans are those of the original."""

import html
from collections.abc import Iterator
from pathlib import Path

import pytest

from dedup import Document, Filter, Index

DATA = Path(__file__).parent / "data"
BOOK = (DATA / "books" / "war-of-the-worlds.txt").read_text()
PASSAGE = " ".join(BOOK.split()[200:260])
SPEECH = " ".join((DATA / "outputs" / "speech.txt").read_text().split())
BEFORE, AFTER = SPEECH[:600], SPEECH[600:1200]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.create(tmp_path_factory.mktemp("reading") / "i", key=None) as index:
        index.add([Document("war", BOOK, corpus="books")])
        index.commit()
        yield index


def entities(text: str) -> str:
    return "".join(f"&#{ord(letter)};" for letter in text)


def test_a_disguised_passage_is_found_where_it_stands(index: Index) -> None:
    hidden = entities(PASSAGE)
    text = f"{BEFORE} {hidden} {AFTER}"
    verdict = Filter(index).check(text)
    assert verdict.action == "block"
    (ruling,) = verdict.rulings
    assert ruling.match.undone == ("markup",)
    assert ruling.match.run >= 60
    start, end = ruling.match.query_span
    found = text.encode()[start:end].decode()
    assert PASSAGE in html.unescape(found)
    assert len(found) < len(hidden) + 40  # the words before and behind that happen to be there too


def test_as_it_stands_a_passage_has_nothing_undone(index: Index) -> None:
    (match,) = index.search(f"{BEFORE} {PASSAGE} {AFTER}")
    assert match.undone == ()


def test_of_two_readings_of_one_passage_the_best_is_given(index: Index) -> None:
    words = PASSAGE.split()
    half = " ".join(words[:30]) + " " + entities(" ".join(words[30:]))
    (match,) = index.search(f"{BEFORE} {half} {AFTER}")
    assert match.run >= 60
    assert match.undone == ("markup",)


def test_what_the_prompt_disguises_is_supplied_by_it(index: Index) -> None:
    hidden = entities(PASSAGE)
    for prompt in (PASSAGE, hidden):
        verdict = Filter(index).check(f"{BEFORE} {hidden} {AFTER}", prompt=f"Decode: {prompt}")
        assert verdict.action == "allow"
        assert [ruling.rule for ruling in verdict.exempted] == ["prompt"]


def test_a_stream_holds_a_disguised_passage_back(index: Index) -> None:
    hidden = entities(PASSAGE)
    text = f"{BEFORE} {hidden} {AFTER}"
    whole = Filter(index).check(text)
    for size in (1, 7, len(text)):
        stream = Filter(index).stream()
        out = "".join(stream.feed(text[at : at + size]) for at in range(0, len(text), size))
        released, verdict = stream.flush()
        assert verdict.action == whole.action == "block"
        leaked = html.unescape((out + released)[len(BEFORE) :])
        assert len(leaked.split()) <= 20
