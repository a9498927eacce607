"""Words of a protected text are found between those that were put between them."""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dedup import _core
from dedup.index import Index
from dedup.source import Document

DATA = Path(__file__).parent / "data"
BOOKS = {path.stem: path.read_text() for path in sorted((DATA / "books").glob("*.txt"))}
WORDS = {name: text.split() for name, text in BOOKS.items()}
SPEECH = (DATA / "outputs" / "speech.txt").read_text()
OTHER = SPEECH.split()

Mixed = Callable[[list[str], random.Random], list[str]]


def every_nth(n: int) -> Mixed:
    """The passage as every n-th word."""

    def mixed(words: list[str], rng: random.Random) -> list[str]:
        return [one for word in words for one in [*rng.choices(OTHER, k=n - 1), word]]

    return mixed


def put_in(least: int, most: int) -> Mixed:
    """So many words of another text behind each."""

    def mixed(words: list[str], rng: random.Random) -> list[str]:
        return [
            one for word in words for one in [word, *rng.choices(OTHER, k=rng.randint(least, most))]
        ]

    return mixed


def after_every_second(words: list[str], rng: random.Random) -> list[str]:
    pairs = [words[at : at + 2] for at in range(0, len(words), 2)]
    return [one for pair in pairs for one in [*pair, rng.choice(OTHER)]]


def in_turns(size: int) -> Mixed:
    """So many words of the passage and of another text in turns."""

    def mixed(words: list[str], rng: random.Random) -> list[str]:
        start = rng.randrange(len(OTHER) - len(words))
        other = OTHER[start : start + len(words)]
        return [
            one
            for at in range(0, len(words), size)
            for one in [*words[at : at + size], *other[at : at + size]]
        ]

    return mixed


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.create(tmp_path_factory.mktemp("sifting") / "i", key=None) as index:
        index.add(Document(name, text, corpus="books") for name, text in BOOKS.items())
        index.commit()
        yield index


@pytest.mark.parametrize(
    ("mixed", "least"),
    [
        (every_nth(2), 38),
        (every_nth(3), 38),
        (every_nth(5), 36),
        (every_nth(8), 30),
        (put_in(1, 2), 34),
        (put_in(0, 2), 26),
        (after_every_second, 18),
        (in_turns(1), 38),
        (in_turns(2), 24),
        (in_turns(3), 14),
    ],
)
def test_words_put_between_do_not_hide_a_passage_of_80(
    index: Index, mixed: Mixed, least: int
) -> None:
    rng = random.Random(1)
    found = 0
    for _ in range(40):
        name = rng.choice(sorted(WORDS))
        at = rng.randrange(len(WORDS[name]) - 80)
        passage = mixed(WORDS[name][at : at + 80], rng)
        text = " ".join([*OTHER[:40], *passage, *OTHER[40:80]])
        found += any(match.document == name for match in index.search(text))
    assert found >= least


def test_the_match_tells_its_device_and_spans_the_passage(index: Index) -> None:
    words = WORDS["frankenstein"][3000:3100]
    mixed = " ".join(every_nth(3)(words, random.Random(2)))
    before = " ".join(OTHER[:60]) + " "
    (match,) = index.search(before + mixed + " " + " ".join(OTHER[60:120]))
    assert match.undone == ("filler",)
    assert match.document == "frankenstein"
    start, end = len(before.encode()), len((before + mixed).encode())
    assert abs(match.query_span.start - start) < 60
    assert abs(match.query_span.end - end) < 60
    assert match.tokens >= 90
    copied = BOOKS["frankenstein"].encode()[slice(*match.document_span)].decode().split()
    assert len(set(copied) & set(words)) > 0.9 * len(set(words))


def test_both_of_two_protected_texts_in_turns_are_found(index: Index) -> None:
    first = WORDS["frankenstein"][3000:3100]
    second = WORDS["christmas-carol"][5000:5100]
    text = " ".join(word for pair in zip(first, second, strict=True) for word in pair)
    assert {match.document for match in index.search(text)} == {"frankenstein", "christmas-carol"}


def test_an_index_of_a_page_is_searched_so_too(tmp_path: Path) -> None:
    with Index.create(tmp_path / "i", key=None) as index:
        index.add([Document("page", " ".join(WORDS["frankenstein"][1000:1300]))])
        index.commit()
        text = " ".join(every_nth(2)(WORDS["frankenstein"][1100:1180], random.Random(3)))
        assert [match.document for match in index.search(text)] == ["page"]


def test_an_index_of_many_short_segments_is_searched_so_too() -> None:
    words = WORDS["frankenstein"][:10_000]
    with tempfile.TemporaryDirectory() as folder:
        pieces = [" ".join(words[at : at + 40]) for at in range(0, 1200, 40)]
        segments = []
        for number, piece in enumerate(pieces):
            with Index.create(Path(folder) / str(number), key=None) as index:
                index.add([Document(str(number), piece)])
                index.commit()
                segments += index.snapshot.segments
        core = _core.Searcher(segments * 30, [b""] * len(segments) * 30, None)
        assert core.without_fillers(" ".join(every_nth(2)(words[400:440], random.Random(3))))


def test_what_was_removed_is_not_found(tmp_path: Path) -> None:
    with Index.create(tmp_path / "i", key=None) as index:
        index.add(Document(name, text) for name, text in BOOKS.items())
        index.commit()
        text = " ".join(every_nth(2)(WORDS["frankenstein"][1100:1200], random.Random(3)))
        assert index.search(text)
        index.remove(document="frankenstein")
        index.commit()
        assert not index.search(text)


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_words_match_nothing(index: Index, seed: int) -> None:
    words = [*OTHER, *WORDS["frankenstein"][:4000]]
    random.Random(seed).shuffle(words)
    assert index.search(" ".join(words)) == []


@pytest.mark.parametrize(
    "text",
    [
        "the of and to " * 60_000,
        " ".join(f"w{i}" for i in range(150_000)),
        " ".join(word for word in WORDS["frankenstein"] for _ in range(2)) * 4,
    ],
)
def test_hostile_texts_are_answered_in_time(index: Index, text: str) -> None:
    start = time.process_time()
    index.search(text)
    assert time.process_time() - start < 30


def test_runs_lead_to_the_original(index: Index) -> None:
    words = WORDS["frankenstein"][3000:3060]
    text = " ".join(every_nth(3)(words, random.Random(2)))
    core = _core.Searcher(index.snapshot.segments, [b""] * len(index.snapshot.segments), None)
    ((reading, runs),) = core.without_fillers(text)
    data, original = reading.encode(), text.encode()
    for at, size, start, end, copied in runs:
        assert not copied or data[at : at + size] == original[start:end]
    assert sum(word in words for word in reading.split()) >= 0.8 * len(words)


def test_what_is_left_of_a_table_is_not_searched_in_vain(index: Index) -> None:
    core = _core.Searcher(index.snapshot.segments, [b""] * len(index.snapshot.segments), None)
    words = WORDS["frankenstein"][3000:3040]
    assert core.has_fillers(" ".join(f"{word} cell" for word in words))
    assert not core.has_fillers(" ".join(f"{word} cell" for word in OTHER[:40]))
