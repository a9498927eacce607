"""Why a text was matched or was not: each step of a search, and each rule of the policy.

Takes a text, a session of an index and a policy; gives an Explanation, which ``to_dict`` and
``explanation_text`` put into words for machines and people. Made for the one text someone asks
about: it searches twice, and lists what a search throws away on its way.

    seeds       the short hashes of the text, and which of them the index has
    places      where seeds agree with a document, with evidence enough to look closer
    passages    alignments of one document that lie together, and why each is a match or is not
    matches     and of each the rules down to the one that fires, with what the others miss
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from dedup.match import Match, Span, View
from dedup.policy import Policy, exemption_of
from dedup.report import printable
from dedup.snapshot import Session, Traced

__all__ = ["Explanation", "explain", "explanation_text"]

_SCHEMA_VERSION: Final = 1
_VIEWS: Final[tuple[View, ...]] = ("text", "code", "ast")
_UNITS: Final = {"text": "words", "code": "lexemes", "ast": "syntax nodes"}

# Of each list so many are told to people; JSON has all that the core lists.
_MAX_LINES: Final = 12

_FATES: Final = {
    "explained": "in a passage that was found already",
    "unlike": "not followed up: the tokens around it differ",
    "removed": "in a document that was removed",
    "too short": "too little around it agrees",
    "aligned": "aligned",
}
_OUTCOMES: Final = {
    "matched": "a match",
    "too short": "too little for a match",
    "scattered": "its parts are too far apart for one match; each was looked at by itself",
    "repetitive": "too few different shingles, as in tables",
    "repeated": "the document has a better match there",
}


@dataclass(frozen=True, slots=True)
class Seeds:
    """What a view of the text was looked up by.

    Attributes
    ----------
    view : str
    tokens, made, found : int
        Tokens of the text, seeds made of them, and how many of these a segment has.
    common : int
        Of those found: had by so many places that one alone leads to none.
    gate_bits : float
        Evidence that opens a place, in bits.
    """

    view: View
    tokens: int
    made: int
    found: int
    common: int
    gate_bits: float


@dataclass(frozen=True, slots=True)
class Places:
    """Places in one document that were opened, and came to the same.

    ``start`` is the byte of the text at the best of them, ``score`` what its alignment is worth.
    """

    view: View
    document: str
    fate: str
    count: int
    clue: str
    start: int
    score: int
    needed: int


@dataclass(frozen=True, slots=True)
class Passage:
    """Alignments of one document that lie together, and what became of them."""

    view: View
    document: str
    span: Span
    tokens: int
    matched: int
    parts: int
    score: int
    needed: int
    distinct: int
    needed_distinct: int
    outcome: str


@dataclass(frozen=True, slots=True)
class RuleAnswer:
    """What a rule says of a match: it fires, or what the match misses."""

    rule: str
    action: str
    misses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A match, and the rules up to the one that fired; ``exempt`` says why none was asked."""

    match: Match
    exempt: str
    rules: tuple[RuleAnswer, ...]


@dataclass(frozen=True, slots=True)
class ReadingFound:
    """The text read with what hides its words undone, and how many matches that gave."""

    undone: tuple[str, ...]
    matches: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """All of it; ``left_out`` counts places and passages beyond what the core lists.

    Seeds, places and passages are those of the text as it stands.
    """

    seeds: tuple[Seeds, ...]
    places: tuple[Places, ...]
    passages: tuple[Passage, ...]
    readings: tuple[ReadingFound, ...]
    matches: tuple[Judged, ...]
    left_out: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, schema 1."""
        told = asdict(self)
        for judged in told["matches"]:
            del judged["match"]["supplied"], judged["match"]["background"]  # told by ``exempt``
        return {"schema_version": _SCHEMA_VERSION, **told}


def explain(text: str, session: Session, policy: Policy) -> Explanation:
    """Why the text was matched or was not.

    Raises
    ------
    DedupError, OSError
        If the index fails to answer.
    """
    parsed = session.parsed(text)
    traces = session.traces(text, parsed)
    return Explanation(
        seeds=tuple(_seeds(traces)),
        places=tuple(_places(traces)),
        passages=tuple(_passages(traces)),
        readings=tuple(
            ReadingFound(reading.undone, reading.matches)
            for one in traces
            for reading in one.trace.readings
        ),
        matches=tuple(_judged(session.search(text, parsed), policy)),
        left_out=sum(
            one.trace.all_places
            - len(one.trace.places)
            + one.trace.all_passages
            - len(one.trace.passages)
            for one in traces
        ),
    )


def explanation_text(explanation: Explanation, text: str) -> Iterator[str]:
    """The explanation of that text in lines, for people."""
    data = text.encode()
    for seeds in explanation.seeds:
        yield from _view_lines(explanation, seeds, data)
    if explanation.left_out:
        yield f"{explanation.left_out:,} more places and passages are not listed\n"
    for reading in explanation.readings:
        count = "1 match" if reading.matches == 1 else f"{reading.matches:,} matches"
        yield f"read with its {' and '.join(reading.undone)} undone: {count}\n"
    if not explanation.matches:
        yield "no match, so no rule is asked\n"
    for judged in explanation.matches:
        yield from _match_lines(judged, data)


# ---- from the core -------------------------------------------------------------------------------


def _seeds(traces: list[Traced]) -> Iterator[Seeds]:
    for number, view in enumerate(_VIEWS):
        own = [one.trace.seeds[number] for one in traces]
        if any(seeds.tokens for seeds in own):
            hits = [hit for one in traces for hit in one.trace.hits if hit.view == number]
            yield Seeds(
                view=view,
                tokens=max(seeds.tokens for seeds in own),
                made=max(seeds.made for seeds in own),
                found=sum(seeds.held for seeds in own),
                common=sum(hit.is_common for hit in hits),
                gate_bits=min(seeds.gate for seeds in own if seeds.tokens),
            )


def _places(traces: list[Traced]) -> Iterator[Places]:
    found = [(one.id_of(place), place) for one in traces for place in one.trace.places]
    counts = Counter((place.view, id, place.fate) for id, place in found)
    best: dict[tuple[int, str, str], Any] = {}
    for id, place in found:
        known = best.setdefault((place.view, id, place.fate), place)
        if place.score > known.score:
            best[place.view, id, place.fate] = place
    order = sorted(best.items(), key=lambda item: (item[0][0], -item[1].score, item[0][1:]))
    for (view, id, fate), place in order:
        yield Places(
            view=_VIEWS[view],
            document=id,
            fate=fate,
            count=counts[view, id, fate],
            clue=place.clue,
            start=place.start,
            score=place.score,
            needed=place.needed,
        )


def _passages(traces: list[Traced]) -> Iterator[Passage]:
    found = [(one.id_of(passage), passage) for one in traces for passage in one.trace.passages]
    for id, passage in sorted(found, key=lambda item: (item[1].view, -item[1].score, item[0])):
        yield Passage(
            view=_VIEWS[passage.view],
            document=id,
            span=Span(passage.start, passage.end),
            tokens=passage.tokens,
            matched=passage.matched,
            parts=passage.parts,
            score=passage.score,
            needed=passage.needed,
            distinct=passage.distinct,
            needed_distinct=passage.needed_distinct,
            outcome=passage.outcome,
        )


def _judged(matches: list[Match], policy: Policy) -> Iterator[Judged]:
    answers: list[list[RuleAnswer]] = [[] for _ in matches]
    for rule, left, totals in policy.rounds(matches):
        for at, match in left.items():
            misses = tuple(rule.misses(match, totals.get(match.document)))
            answers[at].append(RuleAnswer(rule.name, rule.action, misses))
    for match, said in zip(matches, answers, strict=True):
        yield Judged(match, exemption_of(match), tuple(said))


# ---- for people ----------------------------------------------------------------------------------


def _view_lines(explanation: Explanation, seeds: Seeds, data: bytes) -> Iterator[str]:
    common = f", {seeds.common:,} of them in very many places" if seeds.common else ""
    yield (
        f"{seeds.view}: {seeds.tokens:,} {_UNITS[seeds.view]}, {seeds.made:,} seeds, "
        f"{seeds.found:,} in the index{common}; {seeds.gate_bits:.1f} bits open a place\n"
    )
    places = [one for one in explanation.places if one.view == seeds.view]
    if not places:
        yield "  no place has so many: nothing was looked at more closely\n"
    # What was aligned is told by its passage.
    yield from _some(_place_line(one, data) for one in places if one.fate != "aligned")
    passages = [one for one in explanation.passages if one.view == seeds.view]
    yield from _some(_passage_line(one, data) for one in passages)
    yield "\n"


def _place_line(places: Places, data: bytes) -> str:
    more = f", best one of {places.count:,}" if places.count > 1 else ""
    worth = f" ({places.score}, {places.needed} needed)" if places.fate == "too short" else ""
    return (
        f"  line {_line(data, places.start)}, by {places.clue}, {printable(places.document)}: "
        f"{_FATES[places.fate]}{worth}{more}\n"
    )


def _passage_line(passage: Passage, data: bytes) -> str:
    first, last = _line(data, passage.span.start), _line(data, max(0, passage.span.end - 1))
    lines = f"line {first}" if first == last else f"lines {first}-{last}"
    worth = f"; {passage.score}, {passage.needed} needed" if passage.needed else ""
    if passage.outcome == "repetitive":
        worth = f"; {passage.distinct}, {passage.needed_distinct} needed"
    return (
        f"  passage in {lines}, {printable(passage.document)}: {passage.matched} of "
        f"{passage.tokens} {_UNITS[passage.view]} agree: {_OUTCOMES[passage.outcome]}{worth}\n"
    )


def _match_lines(judged: Judged, data: bytes) -> Iterator[str]:
    match = judged.match
    undone = f", its {' and '.join(match.undone)} undone" if match.undone else ""
    yield (
        f"match in line {_line(data, match.query_span.start)}, {printable(match.document)}: "
        f"{match.kind}{undone}, {match.tokens} {_UNITS[match.view]}, run {match.run}, "
        f"identity {match.identity:.2f}, containment {match.containment:.2f}, "
        f"distinct {match.distinct}\n"
    )
    if judged.exempt:
        yield f"  exempt: {judged.exempt}\n"
        return
    for answer in judged.rules:
        why = f"no: {'; '.join(answer.misses)}" if answer.misses else answer.action
        yield f"  {printable(answer.rule):<18} {printable(why)}\n"
    if all(answer.misses for answer in judged.rules):
        yield "  no rule fires: it does not count\n"


def _some(lines: Iterable[str]) -> Iterator[str]:
    listed = list(lines)
    yield from listed[:_MAX_LINES]
    if len(listed) > _MAX_LINES:
        yield f"  and {len(listed) - _MAX_LINES:,} more; --format json has them\n"


def _line(data: bytes, at: int) -> int:
    return data.count(b"\n", 0, at) + 1
