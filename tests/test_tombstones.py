"""Sets of dead documents behave as sets of numbers, in few bytes."""

from hypothesis import given
from hypothesis import strategies as st

from dedup.tombstones import count, is_dead, tombstones, united

NUMBERS = st.sets(st.integers(0, 5000))


@given(one=NUMBERS, other=NUMBERS)
def test_tombstones_are_a_set(one: set[int], other: set[int]) -> None:
    both = united(tombstones(one), tombstones(other))
    assert both == tombstones(one | other)
    assert count(both) == len(one | other)
    assert {n for n in range(5100) if is_dead(both, n)} == one | other


def test_bits_are_where_the_core_looks_for_them() -> None:
    assert tombstones([0, 9]) == b"\x01\x02"
    assert tombstones([]) == b""


def test_a_million_documents_take_a_bit_each() -> None:
    assert len(tombstones(range(1_000_000))) == 125_000
