"""What the background leaves of a match."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from strategies import match

from dedup.match import Match, Span, with_background

# Ten bytes a word.
WHOLE = replace(
    match(query_span=Span(1000, 3000)),
    tokens=200,
    run=200,
    distinct=100,
    containment=1.0,
    kind="verbatim",
)


def less(of: Match, *permitted: Match) -> Match:
    [left] = with_background([of], list(permitted))
    return left


def over(start: int, end: int, **changes: object) -> Match:
    return replace(WHOLE, query_span=Span(start, end), **changes)


def test_what_the_background_has_whole_is_marked() -> None:
    assert less(WHOLE, over(900, 3100)).background
    assert less(WHOLE, over(1000, 2100), over(2000, 3000)).background


def test_of_what_it_has_in_part_the_rest_is_judged() -> None:
    left = less(WHOLE, over(0, 2400))
    assert not left.background
    assert left.query_span == (2400, 3000)
    assert (left.tokens, left.run, left.distinct) == (60, 60, 60)
    left = less(WHOLE, over(1500, 2800))
    assert left.query_span == (1000, 3000)
    assert (left.tokens, left.run) == (70, 50)


def test_shreds_are_nothing_unless_they_are_many() -> None:
    few = [over(start, start + 300) for start in range(1000, 3000, 340)]
    assert less(WHOLE, *few).background
    many = [over(start, start + 120) for start in range(1000, 3000, 230)]
    left = less(WHOLE, *many)
    assert not left.background
    assert left.run == 11


def test_background_that_is_less_like_the_passage_excuses_nothing() -> None:
    public = over(1000, 3000, kind="near", containment=0.7)
    assert less(WHOLE, public) == WHOLE
    assert less(replace(WHOLE, containment=0.71, kind="near"), public).background


def test_words_of_two_texts_that_take_turns_are_not_excused() -> None:
    half = replace(WHOLE, kind="near", containment=0.55)
    assert less(half, half) == half
    assert less(replace(half, containment=0.6), replace(half, containment=0.6)).background


def test_a_share_is_of_all_words_where_filler_was_left_out() -> None:
    raw = replace(WHOLE, kind="near", containment=0.62)
    read = replace(WHOLE, kind="near", tokens=124, run=124, undone=("filler",))
    assert less(read, raw).background
    assert less(raw, read).background
    assert less(WHOLE, read) == WHOLE
    assert less(read, read) == read  # each may be the filler of the other


def test_likeness_of_names_is_not_excused_by_likeness_of_form() -> None:
    near = replace(WHOLE, view="code", kind="near", shared_names=9)
    renamed = replace(near, kind="renamed", shared_names=2)
    assert less(near, renamed) == near
    assert less(renamed, renamed).background
    assert less(renamed, replace(renamed, shared_names=1)) == renamed
    assert less(renamed, near).background


@given(
    st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 2000)).map(lambda p: (p[0], sum(p))))
)
def test_what_is_left_is_in_no_part_of_the_background(spans: list[tuple[int, int]]) -> None:
    left = less(WHOLE, *(over(start, end) for start, end in spans))
    free = [at for at in range(1000, 3000) if not any(start <= at < end for start, end in spans)]
    assert left.background or (left.query_span == (free[0], free[-1] + 1))
    if not left.background:
        assert abs(left.tokens - len(free) / 10) <= 0.5
