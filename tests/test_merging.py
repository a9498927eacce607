"""Few segments are left, no document is rewritten often, and no file gets more than it can hold."""

from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from dedup.manifest import Entry
from dedup.merging import Part, all_runs, due
from dedup.tombstones import tombstones

BILLION = 10**9


def part(
    number: int,
    size: int = 100,
    *,
    key_id: int = 0,
    tokens: int = 0,
    dead: int = 0,
    expired: int = 0,
) -> Part:
    """A part of ten documents."""
    segment: Any = SimpleNamespace(
        tokens=[tokens, 0, 0], expired=lambda day: list(range(10 - expired, 10))
    )
    return Part(Entry(f"{number}", size, 10, key_id, tombstones(range(dead))), segment)


def names(runs: list[list[Part]]) -> list[list[str]]:
    return [[each.entry.name for each in run] for run in runs]


def test_newest_segments_are_merged_once_there_are_many() -> None:
    sizes = [6400, 3200, 1600, 800, 400, 200, 100, 50]
    assert due([part(n, size) for n, size in enumerate(sizes)], 1, 1) == []
    runs = due([part(n, size) for n, size in enumerate([*sizes, 50])], 1, 1)
    assert names(runs) == [[str(n) for n in range(9)]]
    runs = due([part(n, size) for n, size in enumerate([9**9, 10**6, *[10] * 7])], 1, 1)
    assert names(runs) == [[str(n) for n in range(2, 9)]]


def test_a_long_commit_merges_what_a_short_one_after_it_would_have_to() -> None:
    parts = [part(n, 1000) for n in range(6)]
    assert due(parts, 1, 4) == []
    assert names(due(parts, 1, 5)) == [[str(n) for n in range(6)]]


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=150))
def test_documents_are_rewritten_rarely_however_commits_come(sizes: list[int]) -> None:
    parts: list[Part] = []
    written = 0
    for number, size in enumerate(sizes):
        parts.append(part(number, size))
        for run in due(parts, 1, 1):
            total = sum(each.entry.bytes for each in run)
            written += total
            parts = [*parts[: parts.index(run[0])], part(number, total)]
        assert len(parts) <= 8
    assert written <= sum(sizes) * (len(sizes).bit_length() + 10)


def test_each_key_is_merged_by_itself() -> None:
    parts = [part(n, key_id=n % 2) for n in range(16)]
    assert due(parts, 1, 1) == []
    runs = due([*parts, part(16, key_id=0)], 1, 1)
    assert names(runs) == [[str(n) for n in range(0, 17, 2)]]
    assert len(all_runs(parts, 1)) == 2


def test_segment_of_which_over_half_is_gone_or_expired_is_written_again() -> None:
    assert due([part(0, dead=5)], 1, 1) == []
    assert names(due([part(0, dead=6)], 1, 1)) == [["0"]]
    assert names(due([part(0, dead=3, expired=3), part(1)], 1, 1)) == [["0"]]
    assert due([part(0, dead=10), part(1)], 1, 1)


def test_all_segments_become_one_unless_they_are_that_already() -> None:
    assert all_runs([part(0)], 1) == []
    assert all_runs([], 1) == []
    assert names(all_runs([part(0, dead=1)], 1)) == [["0"]]
    assert names(all_runs([part(0), part(1)], 1)) == [["0", "1"]]


def test_no_segment_gets_more_tokens_than_it_can_hold() -> None:
    parts = [part(n, tokens=2 * BILLION) for n in range(5)]
    assert names(all_runs(parts, 1)) == [["0", "1"], ["2", "3"]]
    parts = [part(n, tokens=2 * BILLION) for n in range(9)]
    assert names(due(parts, 1, 1)) == [["7", "8"]]
    assert due([part(n, tokens=3 * BILLION) for n in range(9)], 1, 1) == []
    code = part(10)
    cast(Any, code.segment).tokens = [0, 3 * BILLION, 0]
    assert len(all_runs([code, code], 1)) == 0
