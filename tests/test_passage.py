"""Rulings on one stretch of a text are one passage, and no ruling is lost."""

from hypothesis import given
from strategies import match, texts_with_matches

from dedup.match import Match, Span
from dedup.passage import passages
from dedup.policy import STRENGTH, Policy, Ruling


def ruling(start: int, end: int, name: str, action: str = "block") -> Ruling:
    return Ruling(match(query_span=Span(start, end), document=name), "it", action)


def names(rulings: list[Ruling]) -> list[str]:
    return [" ".join(ruling.match.document for ruling in group) for group in passages(rulings)]


def test_passage_is_headed_by_its_strongest_then_its_first_ruling() -> None:
    assert names([ruling(0, 9, "a", "flag"), ruling(0, 9, "b"), ruling(1, 8, "c")]) == ["b c a"]


def test_ruling_that_is_covered_by_less_than_half_is_a_passage_of_its_own() -> None:
    rulings = [ruling(0, 10, "a"), ruling(8, 30, "b"), ruling(5, 12, "c"), ruling(30, 40, "d")]
    assert names(rulings) == ["a c", "b", "d"]


def test_passages_come_in_the_order_of_the_text() -> None:
    assert names([ruling(20, 30, "b"), ruling(0, 10, "a", "flag")]) == ["a", "b"]


@given(texts_with_matches())
def test_every_ruling_is_in_one_passage(drawn: tuple[str, list[Match]]) -> None:
    verdict = Policy.balanced().judge(*drawn)
    groups = passages(verdict.rulings)
    grouped = [ruling for group in groups for ruling in group]
    assert sorted(map(repr, grouped)) == sorted(map(repr, verdict.rulings))
    for head, *others in groups:
        for other in others:
            assert STRENGTH[other.action] <= STRENGTH[head.action]
            middle = sum(other.match.query_span) // 2
            assert head.match.query_span.start <= middle < head.match.query_span.end
    heads = [group[0].match.query_span for group in groups]
    assert heads == sorted(heads)
