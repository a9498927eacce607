"""What comes again in a corpus is found, all of it, and counted right; copies can be dropped."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup import _core
from dedup.engine import LocalEngine
from dedup.errors import DedupError
from dedup.repeats.finding import Repeats, find_repeats
from dedup.repeats.settings import Settings

Words = Sequence[str]
SIZE = 8  # the least that a passage may have


@dataclass(frozen=True)
class Found:
    """All that a run gave."""

    rows: list[dict[str, Any]]
    drops: list[dict[str, Any]]

    @property
    def passages(self) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["kind"] == "passage"]

    @property
    def clusters(self) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["kind"] == "cluster"]


def run(texts: Iterable[str], wanted: Settings, **options: Any) -> Found:
    """The repeats in texts whose ids are their numbers."""
    with tempfile.TemporaryDirectory() as folder:
        source = write(Path(folder), texts)
        return read(find_repeats([source], Path(folder) / "work", wanted, **options))


def write(folder: Path, texts: Iterable[str]) -> Path:
    source = folder / "texts.jsonl"
    rows = ({"id": str(number), "text": text} for number, text in enumerate(texts))
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return source


def read(found: Repeats) -> Found:
    return Found(list(found.rows()), list(found.drops()))


def document(row: dict[str, Any]) -> int:
    """The number of the document that a row names."""
    return int(row["document"])


def passage_words(texts: Sequence[str], place: dict[str, Any]) -> list[str]:
    start, end = place["span"]
    return texts[document(place)].encode()[start:end].decode().split()


@st.composite
def corpora(draw: st.DrawFn) -> list[str]:
    """Texts made of a few fragments, so that they share much, and repeat themselves."""
    vocabulary = draw(st.sampled_from([2, 3, 1000]))
    rng = random.Random(draw(st.integers(0, 2**32)))
    fragments = [
        [f"w{rng.randrange(vocabulary)}" for _ in range(rng.choice([1, 2, 5, 9, 14, 25]))]
        for _ in range(draw(st.integers(1, 6)))
    ]
    choices = st.lists(st.integers(0, len(fragments) - 1), max_size=8)
    chosen = draw(st.lists(choices, min_size=1, max_size=6))
    return [" ".join(word for number in text for word in fragments[number]) for text in chosen]


# ---- passages ------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(corpora())
def test_every_run_of_words_that_comes_again_is_found_and_counted(texts: list[str]) -> None:
    words = [text.split() for text in texts]
    windows = oracle.repeated_windows(words, SIZE)
    found = run(texts, Settings(min_tokens=SIZE, with_variants=True, places=10_000)).passages
    passages = {tuple(passage_words(texts, row["places"][0])): row["count"] for row in found}
    assert len(passages) == len(found)
    for row in found:
        assert len({tuple(passage_words(texts, place)) for place in row["places"]}) == 1
        assert row["tokens"] == len(passage_words(texts, row["places"][0]))
        assert row["count"] == len(row["places"])
        assert row["documents"] == len({place["document"] for place in row["places"]})
    for window, places in windows.items():
        assert any(
            count == len(places) and window in oracle.windows(passage, SIZE)
            for passage, count in passages.items()
        )


def test_a_place_that_overlaps_another_bounds_a_passage_too() -> None:
    # The eight words at 8 are also at 42 and, overlapping that, at 48; the words at 7 are at 47.
    bits = "10010111011001011010101110111000000011011001100101100101010"
    text = " ".join(f"w{bit}" for bit in bits)
    found = run([text], Settings(min_tokens=SIZE, with_variants=True)).passages
    told = [[" ".join(passage_words([text], place)) for place in row["places"]] for row in found]
    assert all(len(set(places)) == 1 for places in told)
    assert " ".join(f"w{bit}" for bit in bits[7:16]) in {places[0] for places in told}


def test_no_passage_goes_on_from_one_text_into_the_next() -> None:
    words = rng_words(0, 2 * SIZE)
    texts = [words, words[:SIZE], words[SIZE:], *(words[at : at + SIZE] for at in range(1, SIZE))]
    joined = [" ".join(text) for text in texts]
    found = run(joined, Settings(min_tokens=SIZE, with_variants=True)).passages
    assert sorted(row["excerpt"] for row in found) == sorted(joined[1:])


@settings(max_examples=100, deadline=None)
@given(corpora())
def test_a_passage_is_all_that_is_around_it_everywhere(texts: list[str]) -> None:
    words = [text.split() for text in texts]
    if any(oracle.overlaps_itself(text, SIZE) for text in words):
        return
    windows = oracle.repeated_windows(words, SIZE)
    for row in run(texts, Settings(min_tokens=SIZE, with_variants=True)).passages:
        passage = tuple(passage_words(texts, row["places"][0]))
        assert len(oracle.places(words, passage)) == row["count"]
        # It ends where the words around it differ, or where a more frequent window ends.
        ends = windows[passage[:SIZE]], windows[passage[-SIZE:]]
        for longer in oracle.extensions(words, passage):
            again = len(oracle.places(words, longer))
            assert again < row["count"] or any(len(end) > row["count"] for end in ends)


@settings(max_examples=100, deadline=None)
@given(corpora(), st.integers(1, 3))
def test_after_the_cut_nothing_is_left_too_often(texts: list[str], copies: int) -> None:
    wanted = Settings(min_tokens=SIZE, max_copies=copies)
    found = run(texts, wanted)
    left = list(what_is_left(texts, found.drops))
    assert all(len(places) <= copies for places in oracle.repeated_windows(left, SIZE).values())
    # What is cut is still somewhere in what is left, or in a document that was cut itself.
    words = [text.split() for text in texts]
    repeated = oracle.repeated_windows(words, SIZE)
    for drop in found.drops:
        for span in drop.get("spans", []):
            cut = passage_words(texts, {"document": drop["document"], "span": span})
            assert all(
                len(repeated[end]) > copies for end in oracle.windows(cut, SIZE)[:: len(cut)]
            )


def what_is_left(texts: Sequence[str], drops: list[dict[str, Any]]) -> Iterator[Words]:
    """The words of the texts after the drops; each stretch is a text of its own."""
    spans = {document(drop): drop.get("spans") for drop in drops}
    for number, text in enumerate(texts):
        if number in spans and spans[number] is None:
            continue
        rest, at = text.encode(), 0
        for start, end in [*spans.get(number, []), [len(rest), len(rest)]]:
            yield rest[at:start].decode().split()
            at = end


def rng_words(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    return [f"w{rng.randrange(10**6)}" for _ in range(count)]


def test_a_boilerplate_with_ragged_ends_is_one_passage() -> None:
    core = rng_words(0, 80)
    texts = [
        " ".join(
            rng_words(n, 100) + rng_words(-n // 7 - 1, 20) + core + rng_words(-n // 5 - 9000, 30)
        )
        for n in range(1, 413)
    ]
    (passage,) = run(texts, Settings()).passages
    assert (passage["tokens"], passage["count"], passage["documents"]) == (80, 412, 412)
    assert passage["places"][0]["document"] == "0"
    assert len(passage["places"]) == 10
    assert passage["excerpt"].startswith(" ".join(core[:5]))


def test_a_passage_with_a_changed_word_here_and_there_is_one_passage() -> None:
    core = rng_words(0, 200)
    texts = []
    for n in range(1, 101):
        copy = list(core)
        if n in (20, 60):
            copy[n] = f"changed{n}"
        texts.append(" ".join(rng_words(n, 100) + copy))
    told = run(texts, Settings()).passages
    assert (told[0]["tokens"], told[0]["count"]) == (200, 98)
    assert len(told) <= 2
    assert len(run(texts, Settings(with_variants=True)).passages) > len(told)


def test_what_a_rare_passage_adds_to_a_frequent_one_is_told_too() -> None:
    core, around = rng_words(0, 80), rng_words(1, 200)
    texts = [" ".join(rng_words(n + 10, 100) + core) for n in range(30)]
    texts += [" ".join([*around[:100], *core, *around[100:], f"end{n}"]) for n in range(2)]
    told = run(texts, Settings(threshold=1)).passages
    assert [(row["tokens"], row["count"]) for row in told] == [(80, 32), (280, 2)]


def test_one_word_again_and_again_is_one_passage() -> None:
    (passage,) = run(["so " * 10_000], Settings()).passages
    assert (passage["tokens"], passage["count"], passage["documents"]) == (50, 200, 1)


def test_spans_hold_the_words_of_any_script() -> None:
    words = ["Ünïcödé", "日本", "naïve", "don’t", "ﬁn", "Ωμέγα", "тест", "ok"] * 2
    text = " … ".join(f"{word}{number}" for number, word in enumerate(words))
    texts = [f"« {text} » one", f"two ({text.upper()})"]
    (passage,) = run(texts, Settings(min_tokens=SIZE)).passages
    assert passage["count"] == 2
    for place in passage["places"]:
        start, end = place["span"]
        piece = texts[document(place)].encode()[start:end].decode()
        assert _core.normalised_tokens(piece) == _core.normalised_tokens(text)


# ---- clusters ------------------------------------------------------------------------------------


def edited(words: Words, rate: float, rng: random.Random) -> list[str]:
    return [f"x{rng.randrange(10**6)}" if rng.random() < rate else word for word in words]


def shingles(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[at : at + 5]) for at in range(max(1, len(words) - 4))} if words else set()


def test_clusters_are_the_pairs_that_an_exact_comparison_joins() -> None:
    rng = random.Random(1)
    texts = []
    for number in range(120):
        original = rng_words(number, rng.randrange(50, 400))
        copies = [edited(original, rate, rng) for rate in (0, 0.01, 0.02, 0.03, 0.06, 0.1)]
        texts += [" ".join(copy) for copy in copies[: rng.randrange(1, 7)]]
    rng.shuffle(texts)
    sets = [shingles(text) for text in texts]
    for threshold in (0.5, 0.8, 0.95):
        near = {
            (one, two)
            for two in range(len(texts))
            for one in range(two)
            if jaccard(sets[one], sets[two]) >= threshold
        }
        found = run(texts, Settings(threshold=threshold)).clusters
        assert {frozenset(map(document, row["members"])) for row in found} == joined(near)
        for row in found:
            first = document(row["members"][0])
            assert first == min(map(document, row["members"]))
            assert row["keep"] == row["members"][0]["document"]
            for member in row["members"]:
                exact = jaccard(sets[first], sets[document(member)])
                assert member["jaccard"] == pytest.approx(exact, abs=1e-4)
                assert member["bytes"] == len(texts[document(member)])


def jaccard(one: set[Any], two: set[Any]) -> float:
    return len(one & two) / len(one | two)


def joined(pairs: set[tuple[int, int]]) -> set[frozenset[int]]:
    clusters: list[set[int]] = []
    for pair in pairs:
        met = [cluster for cluster in clusters if cluster & set(pair)]
        clusters = [cluster for cluster in clusters if not cluster & set(pair)]
        clusters.append(set(pair).union(*met))
    return {frozenset(cluster) for cluster in clusters}


def test_texts_without_words_resemble_nothing() -> None:
    assert run(["...", "???", "", "word", "other"], Settings()).rows == []


def test_many_copies_are_one_cluster_of_which_the_first_stays() -> None:
    text = " ".join(rng_words(0, 60))
    found = run([text] * 3000 + ["else"], Settings(max_copies=2))
    (cluster,) = found.clusters
    assert cluster["documents"] == len(cluster["members"]) == 3000
    assert [document(drop) for drop in found.drops] == list(range(2, 3000))
    assert {drop["cluster"] for drop in found.drops} == {cluster["id"]}


def test_a_dropped_document_uses_up_no_copy_of_a_passage() -> None:
    passage, rest = rng_words(0, 60), rng_words(1, 2000)
    texts = [" ".join(rest), " ".join([*passage, *rest]), " ".join([*rng_words(2, 99), *passage])]
    found = run(texts, Settings(max_copies=1))
    assert [document(drop) for drop in found.drops] == [1]


# ---- runs ----------------------------------------------------------------------------------------


def corpus_of(count: int) -> Iterator[str]:
    rng = random.Random(3)
    shared = [rng_words(number, 90) for number in range(20)]
    for number in range(count):
        words = rng_words(number + 100, rng.randrange(20, 300))
        if rng.random() < 0.5:
            at = rng.randrange(len(words))
            words[at:at] = rng.choice(shared)
        yield " ".join(words)
        if rng.random() < 0.2:
            yield " ".join(edited(words, 0.02, rng))


def test_small_blocks_and_buckets_and_many_jobs_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = list(corpus_of(400))
    wanted = Settings(max_copies=1)
    whole = run(texts, wanted)
    assert len(whole.clusters) > 40
    assert len(whole.passages) > 10
    assert run(texts, wanted, engine=LocalEngine(2)) == whole
    monkeypatch.setattr("dedup.repeats.blocks._BLOCK_BYTES", 20_000)
    monkeypatch.setattr("dedup.repeats.prints._ANCHOR_TEXT_BYTES", 100_000)
    monkeypatch.setattr("dedup.repeats.prints._BUCKET_KEYS", 1000)
    monkeypatch.setattr("dedup.repeats.windows._BUCKET_WINDOWS", 3000)
    monkeypatch.setattr("dedup.repeats.clusters._BATCH_BYTES", 10_000)
    assert run(texts, wanted) == whole


def repeats(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dedup", "repeats", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def done_tasks(record: Path) -> int:
    return record.read_bytes().count(b"\n") if record.exists() else 0


def test_a_run_that_was_killed_goes_on_to_the_same_result(tmp_path: Path) -> None:
    source = str(write(tmp_path, corpus_of(1500)))
    asked = ["--max-copies", "1", "--drop-list", "drops"]
    whole = repeats(source, "-o", "whole", *asked, "--jobs", "1", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    drops = (tmp_path / "drops").read_bytes()
    kills = 0
    out = tmp_path / "out"
    record = tmp_path / "out.work" / "done.jsonl"
    for attempt in range(40):
        resume = ["--resume"] if out.with_name("out.work").exists() else []
        command = [sys.executable, "-m", "dedup", "repeats", source, "-o", "out", *asked, *resume]
        process = subprocess.Popen(
            [*command, "--jobs", "1"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        # Each time one task further; what was asked for is on disk before any.
        while process.poll() is None and done_tasks(record) <= attempt:
            time.sleep(0.001)
        if process.poll() is not None:
            break
        process.kill()
        process.communicate()
        kills += 1
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert kills > 0
    assert out.read_bytes() == (tmp_path / "whole").read_bytes()
    assert (tmp_path / "drops").read_bytes() == drops
    assert not out.with_name("out.work").exists()


def test_a_folder_that_was_left_is_not_taken_up_unasked_or_for_another_run(tmp_path: Path) -> None:
    source, work = write(tmp_path, corpus_of(10)), tmp_path / "work"
    find_repeats([source], work)
    with pytest.raises(DedupError, match="go on with --resume, or delete it"):
        find_repeats([source], work)
    with pytest.raises(DedupError, match="other sources, files or options"):
        find_repeats([source], work, Settings(min_tokens=60), resume=True)
    with (work / "done.jsonl").open("a") as record:
        record.write('{"stage": "re')
    find_repeats([source], work, resume=True)
    os.utime(source, (1, 1))
    with pytest.raises(DedupError, match="other sources, files or options"):
        find_repeats([source], work, resume=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "asked.1.writing").touch()
    find_repeats([source], other)
    other = tmp_path / "another"
    other.mkdir()
    (other / "mine").touch()
    with pytest.raises(DedupError, match="expected no such folder, or an empty one"):
        find_repeats([source], other)
    assert (other / "mine").exists()


def test_the_command_tells_what_was_found_and_what_was_not_read(tmp_path: Path) -> None:
    write(tmp_path, [*corpus_of(50), " ".join(rng_words(0, 90))])
    (tmp_path / "bad.txt").write_bytes(b"\0\1\2" * 100)
    done = repeats("texts.jsonl", "bad.txt", "-o", "out", "--jobs", "1", cwd=tmp_path)
    assert done.returncode == 2
    rows = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [row["kind"] for row in rows][-1] == "problem"
    assert "bad.txt" in rows[-1]["error"]
    assert all(row["schema_version"] == 1 for row in rows)
    assert "bad.txt" in done.stderr
    assert "-word passage occurs" in done.stderr
    text = repeats("texts.jsonl", "--format", "text", "--quiet", "--jobs", "1", cwd=tmp_path)
    assert text.returncode == 0
    assert text.stderr == ""
    assert "2 near-duplicates; keep " in text.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--max-copies", "1"], "--max-copies and --drop-list go together"),
        (["--resume"], "--resume: give the -o OUT"),
        (["--min-tokens", "3"], "min_tokens is from 8 to 10000, got 3"),
        (["--threshold", "2"], "threshold is from 0.1 to 1, got 2"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, arguments: list[str], told: str) -> None:
    write(tmp_path, ["text"])
    done = repeats("texts.jsonl", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr


def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path) -> None:
    source = write(tmp_path, corpus_of(4000))
    command = [sys.executable, "-m", "dedup", "repeats", str(source), "-o", "out", "--jobs", "1"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "out.work" / "done.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "go on with --resume" in errors
    assert not (tmp_path / "out").exists()


# ---- the core ------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 5).map(lambda n: n * 0x3333333333333333), max_size=60))
def test_groups_hold_what_is_equal_in_order(hashes: list[int]) -> None:
    members, starts = _core.equal_groups(np.array(hashes, np.uint64))
    groups = [members[start:end].tolist() for start, end in pairwise(starts.tolist())]
    wanted = [[n for n, each in enumerate(hashes) if each == hash] for hash in sorted(set(hashes))]
    assert groups == [group for group in wanted if len(group) > 1]


def test_what_cannot_be_is_refused_by_the_core() -> None:
    text = np.frombuffer(b"one two", np.uint8)
    offsets = np.array([0, 7], np.uint64)
    none = np.empty(0, np.uint32)
    one = np.array([1], np.uint32)
    with pytest.raises(ValueError, match="offsets rise from 0 to the number of bytes, which is 7"):
        _core.find_spans(text, offsets[:1], none, none, none)
    with pytest.raises(ValueError, match="a span lies in no text of its block"):
        _core.find_spans(text, offsets, one, one, one)
    with pytest.raises(ValueError, match="a span has tokens, all of them in its text"):
        _core.find_spans(text, offsets, one - 1, one, one * 2)
    with pytest.raises(ValueError, match="text 0 has other tokens than it had"):
        _core.find_windows(text, offsets, one * 9, one, one, 8)
    with pytest.raises(ValueError, match="a window lies outside of its block"):
        _core.find_passages(one, one * 5, one.astype(np.uint8), one, one.astype(np.uint64), 8)
    with pytest.raises(ValueError, match="a pair names a text that is not there"):
        _core.jaccards(["a"], one, one, 5)
