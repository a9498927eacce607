"""What is copied is found, with exact spans on both sides; what is not is not."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from guarantee import missed
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.index import Index, Scheme
from dedup.source import Document

DATA = Path(__file__).parent / "data"
BOOKS = {path.stem: path.read_text() for path in sorted((DATA / "books").glob("*.txt"))}
SPEECH = (DATA / "outputs" / "speech.txt").read_text()
WORDS = {name: text.split() for name, text in BOOKS.items()}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.create(tmp_path_factory.mktemp("search") / "i", key=None) as index:
        index.add(Document(name, text, corpus="books") for name, text in BOOKS.items())
        index.commit()
        yield index


def build(path: Path, documents: dict[str, str], scheme: Scheme | None = None) -> Index:
    index = Index.create(path, key=None, scheme=scheme)
    index.add(Document(name, text) for name, text in documents.items())
    index.commit()
    return index


def replace_some(words: list[str], rate: float, rng: random.Random) -> list[str]:
    vocabulary = SPEECH.split()
    return [rng.choice(vocabulary) if rng.random() < rate else word for word in words]


def test_shared_run_of_the_guaranteed_length_is_always_found() -> None:
    assert missed(100_000, seed=0) == 0


def test_smaller_stride_promises_shorter_runs(tmp_path: Path) -> None:
    text = " ".join(f"w{i}" for i in range(300))
    with build(tmp_path / "i", {"d": text}, Scheme(tile_stride=4)) as index:
        assert index.scheme.guaranteed_tokens == 8
        for at in range(290):
            assert index.search(" ".join(f"w{i}" for i in range(at, at + 8)))


def test_unrelated_text_has_no_match(index: Index) -> None:
    assert index.search(SPEECH) == []


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_spans_slice_back_and_bound_the_copy(index: Index, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(BOOKS)))
    words = WORDS[name]
    length = data.draw(st.integers(100, 200))
    at = data.draw(st.integers(0, len(words) - length))
    rng = random.Random(data.draw(st.integers(0, 2**32)))
    copied = replace_some(
        words[at : at + length], data.draw(st.sampled_from([0.0, 0.05, 0.1])), rng
    )
    speech = SPEECH.split()
    cut = data.draw(st.integers(0, len(speech)))
    before, after = speech[:cut], speech[cut:]
    query = " ".join([*before, *copied, *after])
    matches = [match for match in index.search(query) if match.document == name]
    assert matches
    encoded, source = query.encode(), BOOKS[name].encode()
    begin = len(" ".join(before).encode())
    end = begin + 1 + len(" ".join(copied).encode())
    for match in matches:
        passage = encoded[slice(*match.query_span)].decode()  # whole characters
        original = source[slice(*match.document_span)].decode()
        assert passage.strip() == passage and original.strip() == original
        assert 0 < match.identity <= 1 and 0 < match.containment <= 1 and 0 < match.jaccard <= 1
        assert match.run <= match.tokens
    first = min(match.query_span.start for match in matches)
    last = max(match.query_span.end for match in matches)
    slack = 90  # bytes: the edits at the ends of the copy, and a common word or two beyond it
    assert begin - slack <= first <= begin + slack
    assert end - slack <= last <= end + slack


@pytest.mark.parametrize(("rate", "least"), [(0.1, 0.99), (0.2, 0.95), (0.3, 0.80)])
def test_60_words_with_some_replaced_are_found(index: Index, rate: float, least: float) -> None:
    rng = random.Random(7)
    found = 0
    for _ in range(300):
        name = rng.choice(sorted(WORDS))
        at = rng.randrange(len(WORDS[name]) - 60)
        copied = replace_some(WORDS[name][at : at + 60], rate, rng)
        query = " ".join([*SPEECH.split()[:80], *copied, *SPEECH.split()[80:160]])
        found += any(match.document == name for match in index.search(query))
    assert found >= least * 300


@pytest.mark.parametrize("period", [3, 4, 5, 6, 7])
def test_every_nth_word_replaced_does_not_evade(index: Index, period: int) -> None:
    rng = random.Random(period)
    found = 0
    for _ in range(100):
        words = WORDS["frankenstein"]
        at = rng.randrange(len(words) - 100)
        copied = [f"x{i}" if i % period == 0 else words[at + i] for i in range(100)]
        found += bool(index.search(" ".join(copied)))
    assert found >= 95


@pytest.mark.parametrize(("period", "least"), [(3, 80), (5, 95)])
def test_word_put_in_after_every_nth_does_not_evade(index: Index, period: int, least: int) -> None:
    rng = random.Random(period)
    found = 0
    for _ in range(100):
        words = WORDS["christmas-carol"]
        at = rng.randrange(len(words) - 100)
        copied = [
            word
            for i, original in enumerate(words[at : at + 100])
            for word in ([original, f"x{i}"] if i % period == 0 else [original])
        ]
        found += bool(index.search(" ".join(copied)))
    assert found >= least


def test_passage_whose_parts_were_moved_is_one_match(index: Index) -> None:
    words = WORDS["war-of-the-worlds"][2000:2120]
    parts = [words[at : at + 20] for at in range(0, 120, 20)]
    moved = [word for part in (3, 0, 5, 1, 4, 2) for word in parts[part]]
    (match,) = index.search(" ".join([*SPEECH.split()[:50], *moved, *SPEECH.split()[50:90]]))
    assert match.document == "war-of-the-worlds"
    assert match.tokens >= 110 and match.containment > 0.9 and match.run >= 20


def test_sources_count_the_documents_that_hold_the_passage(tmp_path: Path) -> None:
    poem = " ".join(WORDS["frankenstein"][1000:1060])
    documents = {f"copy {i}": f"{SPEECH} {poem} {i}" for i in range(5)}
    with build(tmp_path / "i", documents) as index:
        matches = index.search(poem)
        assert len(matches) == 5 and {match.sources for match in matches} == {5}


def test_passage_in_hundreds_of_documents_is_found_with_its_first_sources(tmp_path: Path) -> None:
    notice = " ".join(WORDS["frankenstein"][1000:1200])
    documents = {f"{i:03}": f"{notice} and number {i}" for i in range(300)}
    with build(tmp_path / "i", documents) as index:
        matches = index.search(f"{SPEECH} {notice}")
        assert {match.document for match in matches} == {f"{i:03}" for i in range(8)}
        assert all(match.kind == "verbatim" and match.tokens >= 200 for match in matches)


def test_prompt_excuses_what_it_supplied_and_nothing_after_it(index: Index) -> None:
    words = WORDS["frankenstein"]
    prompt = "Continue this: " + " ".join(words[3000:3080])
    output = " ".join(words[3000:3200])
    supplied, own = sorted(
        index.search(output, prompt=prompt), key=lambda match: not match.supplied
    )
    assert supplied.supplied and not own.supplied
    encoded = output.encode()
    assert abs(len(encoded[slice(*supplied.query_span)].split()) - 80) <= 2
    assert abs(len(encoded[slice(*own.query_span)].split()) - 120) <= 2
    assert all(match.supplied for match in index.search(" ".join(words[3010:3070]), prompt=prompt))
    assert not any(match.supplied for match in index.search(output, prompt=SPEECH))


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=400), prompt=st.text(max_size=200))
def test_any_text_can_be_asked_about(index: Index, text: str, prompt: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    assert index.search(text, prompt=prompt.encode("utf-8", "ignore").decode()) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0" * 1000,
        "a" * 3_000_000,
        "a " * 500_000,
        "the cat " * 200_000,
        "\n" * 1_000_000,
        "word" + "\u0301" * 100_000,
    ],
    ids=["empty", "NULs", "one word", "one letter", "two words", "lines", "marks"],
)
def test_hostile_texts_are_answered(index: Index, text: str) -> None:
    assert index.search(text) == []


def test_repetitive_document_is_indexed_and_answers_in_bounds(tmp_path: Path) -> None:
    with build(tmp_path / "i", {"loop": "the same four words " * 20_000}) as index:
        (match, *_) = index.search("the same four words " * 2_000)
        assert match.document == "loop" and match.kind == "verbatim"


def test_lone_surrogate_is_refused(index: Index) -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        index.search("abc\ud800")


def test_long_copy_with_edits_is_covered_whole(index: Index) -> None:
    rng = random.Random(3)
    copied = replace_some(WORDS["christmas-carol"][:8000], 0.1, rng)
    query = " ".join(copied)
    covered = sum(m.query_span.end - m.query_span.start for m in index.search(query))
    assert covered >= 0.98 * len(query)


def test_numbers_are_not_counted_as_different_words(tmp_path: Path) -> None:
    counting = " ".join(str(number) for number in range(1, 60))
    with Index.create(tmp_path / "i", key=None) as index:
        index.add([Document("counting", f"Rows are numbered: {counting}.")])
        index.commit()
        [match] = index.search(f"id,name\n{counting}\n")
    assert match.tokens == 59
    assert match.distinct == 0
