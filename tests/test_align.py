"""Alignments are the same by every body, and know when more of a document would change them."""

from hypothesis import given
from hypothesis import strategies as st

from dedup import _core

few = st.binary(max_size=200).map(lambda data: bytes(byte % 5 for byte in data))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[bytes, bytes, int, int]:
    """A query and a document that share a good part of it, and an anchor in both."""
    shared = draw(st.binary(min_size=1, max_size=300))
    edited = bytearray(shared)
    for at in draw(st.lists(st.integers(0, len(shared) - 1), max_size=12)):
        edited[at] ^= draw(st.integers(0, 3))
    cut = draw(st.integers(0, len(edited)))
    edited[cut : cut + draw(st.integers(0, 6))] = draw(few)[: draw(st.integers(0, 6))]
    before, behind = draw(few), draw(few)
    query = draw(few) + bytes(edited) + draw(few)
    document = before + shared + behind
    return (
        query,
        document,
        draw(st.integers(0, len(query))),
        draw(st.integers(0, len(document))),
    )


@given(pairs(), st.sampled_from([1, 2]))
def test_fast_and_portable_bodies_agree(pair: tuple[bytes, bytes, int, int], cost: int) -> None:
    assert _core.align(*pair, cost) == _core.align(*pair, cost, portable=True)


@given(pairs(), st.integers(1, 20), st.integers(1, 8), st.integers(0, 3))
def test_they_agree_whatever_the_prices(
    pair: tuple[bytes, bytes, int, int], gain: int, cost: int, extra: int
) -> None:
    prices = {"gain": gain, "extra": extra}
    assert _core.align(*pair, cost, **prices) == _core.align(*pair, cost, portable=True, **prices)


@given(st.binary(min_size=12, max_size=60), st.integers(1, 7))
def test_words_between_cost_little_where_they_are_cheap(document: bytes, between: int) -> None:
    document = bytes(byte or 1 for byte in document)
    query = b"".join(bytes([byte]) + bytes(between) for byte in document)
    score, pieces, _, _ = _core.align(query, document, 0, 0, 8, gain=12, extra=1)
    assert sum(length for _, _, length in pieces) == len(document)
    assert score == 12 * len(document) - between * (len(document) - 1)


@given(pairs(), st.integers(0, 20))
def test_fast_and_portable_screens_agree(pair: tuple[bytes, bytes, int, int], reach: int) -> None:
    query, document, q, d = pair
    screened = _core.screen(query, document, q, d, reach)
    assert screened == _core.screen(query, document, q, d, reach, portable=True)


@given(pairs(), st.sampled_from([1, 2]), st.integers(0, 120), st.integers(0, 120))
def test_a_part_of_the_document_that_wants_no_more_gives_the_alignment_of_all(
    pair: tuple[bytes, bytes, int, int], cost: int, before: int, behind: int
) -> None:
    query, document, q, d = pair
    first, last = max(0, d - before), min(len(document), d + behind)
    score, pieces, wants_before, wants_behind = _core.align(
        query, document[first:last], q, d - first, cost
    )
    if (wants_before and first > 0) or (wants_behind and last < len(document)):
        return
    whole = _core.align(query, document, q, d, cost)
    assert (score, [(a, b + first, n) for a, b, n in pieces]) == whole[:2]


def test_an_alignment_amid_a_long_document_looks_at_little_of_it() -> None:
    document = bytes(i * 7 % 251 for i in range(4000))
    query = bytes(255 for _ in range(50)) + document[2000:2020] + bytes(254 for _ in range(50))
    score, pieces, wants_before, wants_behind = _core.align(query, document[1900:2120], 60, 110, 1)
    assert (score, pieces, wants_before, wants_behind) == (40, [(50, 100, 20)], False, False)
