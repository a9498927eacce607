"""What a candidate becomes once verified: a Match, with spans and scores.

Takes alignments from the core, gives frozen values; no I/O. Spans are half-open byte ranges in
the UTF-8 of one text.
"""

import heapq
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple, get_args

from dedup import _core

__all__ = ["Kind", "Match", "Span", "View", "joined", "match_of", "moved", "with_background"]

View = Literal["text", "code", "ast"]
Kind = Literal["verbatim", "near", "renamed"]

_VIEWS: Final[tuple[View, ...]] = get_args(View)

# A match of code is `renamed` from this share of its names on; fewer are edits.
_RENAMED_SHARE: Final = 0.1

# The background excuses what is hardly less like it than like the document: an editor's hand in a
# licence passes, an original does not excuse its revision. Where the King James is permitted, 98 %
# of edited passages of the American Standard Version stay blocked, at a slack of .05 78 %. Of 538
# licence texts that are blocked without, 2 stay so.
_BACKGROUND_SHARE: Final = 0.9
_BACKGROUND_SLACK: Final = 0.02
# Together over 1 both are of the same words; below, the words of the two may take turns. Two books
# in turn, by two to 24 words, come to 1.1, by `the` and `of`: at 1, half of such copies passed.
_BACKGROUND_SAME: Final = 1.15
_FILLER: Final = "filler"
# What is left of a passage then is nothing if it is shorter than the least that is a match, or is
# shreds of less than that which make up no more than so much of the passage.
_LEAST_TOKENS: Final = 12
_BACKGROUND_SHREDS: Final = 0.2


class Span(NamedTuple):
    """Half-open byte range ``[start, end)`` in the UTF-8 of one text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Match:
    """One passage of the query found in one protected document.

    Attributes
    ----------
    document, corpus, licence, owner, url : str
        Where the passage comes from; empty where the index was not told.
    view : {"text", "code", "ast"}
        The token sequence in which the two sides agree.
    kind : {"verbatim", "near", "renamed"}
        ``verbatim`` if every aligned token is equal letter by letter, ``renamed`` if it is code
        whose names differ, else ``near``.
    query_span, document_span : Span
        Byte ranges of the passage in the query and in the document.
    tokens : int
        Tokens of the query inside ``query_span`` (the aligned passage, edits included).
    run : int
        Longest run of tokens equal on both sides: letter by letter, or, if ``renamed``, but for
        names and literals.
    identity : float
        Equal columns of the alignment over all its columns, in [0, 1].
    containment : float
        Share of the passage's idf weight found in the document, in [0, 1].
    jaccard : float
        Equal tokens over the union of both spans' tokens, in [0, 1].
    sources : int
        Protected documents in which this passage of the query was found, this one included.
    owners : int
        Different owners of these documents, or corpora where no owner is known: what many have is
        common property, however many copies one has.
    supplied : bool
        The prompt held this passage already, so the query only repeats it.
    background : bool
        What is permitted to all holds this passage too, as much like it. If it holds a part, the
        span and the numbers are of the rest.
    language : str
        Of the document, if it is code: ``python``, ``cpp``; else empty.
    function : str
        The function, method or class of the document that the passage is, or lies in:
        ``Heap.push``; empty if none is known.
    lines : tuple of int
        First and last line of the passage in the document, from 1; ``(0, 0)`` if it is no code.
    distinct : int
        Different words that are equal on both sides, those with digits aside; of code, different
        shingles of five equal tokens, whatever they are named. Far fewer than ``tokens`` where the
        passage repeats itself or counts, as tables and rows of assignments do.
    shared_names : int
        Different names and literals that are the same on both sides, common ones (``self``,
        ``get``) left out: what a renaming left, and what unrelated code does not have. Views of
        code only.
    consistency : float
        Share of the repeated names that one renaming explains, in [0, 1]. Views of code only.
    undone : tuple of str
        What was undone to read it: ``markup`` (entities, escapes), ``encoding`` (base64),
        ``cipher`` (also words turned round), ``spelling`` (look-alikes, letters spaced),
        ``filler``. Empty if it stands there as it is; the kind and the scores are those of what
        was read.
    """

    document: str
    corpus: str
    licence: str
    owner: str
    url: str
    view: View
    kind: Kind
    query_span: Span
    document_span: Span
    tokens: int
    run: int
    identity: float
    containment: float
    jaccard: float
    sources: int
    owners: int = 1
    supplied: bool = False
    background: bool = False
    language: str = ""
    function: str = ""
    lines: tuple[int, int] = (0, 0)
    distinct: int = 0
    shared_names: int = 0
    consistency: float = 1.0
    undone: tuple[str, ...] = ()


def moved(match: Match, by: int) -> Match:
    """The match in a text that has so many bytes more before it."""
    span = match.query_span
    return replace(match, query_span=Span(span.start + by, span.end + by))


def match_of(found: _core.Found, segment: _core.Segment) -> Match:
    """What the core found in a segment, as a Match."""
    id, corpus, licence, owner, url, language, *_ = segment.document(found.document)
    view = _VIEWS[found.view]
    kind = _kind_of(found)
    return Match(
        document=id,
        corpus=corpus,
        licence=licence,
        owner=owner,
        url=url,
        view=view,
        kind=kind,
        query_span=Span(found.query_start, found.query_end),
        document_span=Span(found.document_start, found.document_end),
        tokens=found.tokens,
        run=found.run if view == "text" or kind == "renamed" else found.same_run,
        identity=found.matched / found.columns,
        containment=found.containment,
        jaccard=found.matched / (found.tokens + found.document_tokens - found.matched),
        sources=found.sources,
        owners=found.owners,
        supplied=found.supplied,
        language=language,
        function=found.unit,
        lines=(found.first_line, found.last_line),
        distinct=found.distinct,
        shared_names=found.telling,
        consistency=found.consistency,
        undone=found.undone,
    )


def _kind_of(found: _core.Found) -> Kind:
    equal = found.matched == found.columns == found.tokens == found.document_tokens
    if found.view == 0:
        return "verbatim" if equal else "near"
    if equal and found.same == found.matched:
        return "verbatim"
    return "renamed" if found.renamed > _RENAMED_SHARE * found.names else "near"


def joined(answers: list[list[Match]]) -> list[Match]:
    """What searches of parts of an index found for one query, as a search of all would give it.

    Each answer is in the order of the core: by where in the query, then by view, the best first.
    """
    answers = [answer for answer in answers if answer]
    if len(answers) < 2:
        return answers[0] if answers else []
    matches = list(heapq.merge(*answers, key=_place))
    starts = [match.query_span.start for match in matches]
    longest = max(match.query_span.end - match.query_span.start for match in matches)
    return [
        _recounted(
            match,
            matches[
                bisect_left(starts, match.query_span.start - longest) : bisect_left(
                    starts, match.query_span.end
                )
            ],
        )
        for match in matches
    ]


def _place(match: Match) -> tuple[int, int, float]:
    return match.query_span.start, _VIEWS.index(match.view), -match.identity * match.tokens


def _recounted(match: Match, near: list[Match]) -> Match:
    """The match with the sources and owners it has among all that lie near it in the query."""
    start, end = match.query_span
    same = [
        other
        for other in near
        if other.view == match.view
        and 2 * (min(end, other.query_span.end) - max(start, other.query_span.start)) >= end - start
    ]
    owners = {(other.owner or other.corpus) for other in same}
    return replace(match, sources=len({other.document for other in same}), owners=len(owners))


def with_background(matches: list[Match], permitted: list[Match]) -> list[Match]:
    """The matches without what the background, in which others were found, has too.

    A match of which nothing is left is marked; of another the numbers are those of what is left,
    at most: the span, the tokens, the run and the different words.
    """
    permitted = sorted(permitted, key=lambda match: match.query_span)
    starts = [match.query_span.start for match in permitted]
    longest = max((match.query_span.end - match.query_span.start for match in permitted), default=0)
    return [
        _less(
            match,
            permitted[
                bisect_left(starts, match.query_span.start - longest) : bisect_left(
                    starts, match.query_span.end
                )
            ],
        )
        for match in matches
    ]


def _less(match: Match, near: list[Match]) -> Match:
    left = _outside(match.query_span, [o.query_span for o in near if _excuses(o, match)])
    pieces = [_density(match) * (end - start) for start, end in left]
    tokens, longest = sum(pieces), max(pieces, default=0.0)
    if tokens < _LEAST_TOKENS or (
        longest < _LEAST_TOKENS and tokens <= _BACKGROUND_SHREDS * match.tokens
    ):
        return replace(match, background=True)
    return replace(
        match,
        query_span=Span(left[0].start, left[-1].end),
        tokens=round(tokens),
        run=min(match.run, round(longest)),
        distinct=min(match.distinct, round(tokens)),
    )


def _excuses(other: Match, match: Match) -> bool:
    """Whether what the background has of a passage is as good as what the document has."""
    if other.kind == "renamed" and (
        (match.kind, match.view) != (other.kind, other.view)
        or match.shared_names > other.shared_names
    ):
        return False
    theirs, ours = other.containment, match.containment
    if other.view == match.view:
        # Where filler was left out, a share is of fewer words; where it was for both, the words of
        # the one may be the filler of the other.
        is_less, is_match_less = (_FILLER in one.undone for one in (other, match))
        if is_less and is_match_less:
            return False
        ratio = _density(other) / _density(match)
        theirs *= min(1.0, ratio) if is_less else 1.0
        ours *= min(1.0, 1 / ratio) if is_match_less else 1.0
    if theirs >= _BACKGROUND_SHARE:
        return True
    is_like = theirs >= ours - _BACKGROUND_SLACK
    return other.view == match.view and is_like and theirs + ours > _BACKGROUND_SAME


def _density(match: Match) -> float:
    """Tokens a byte."""
    return match.tokens / (match.query_span.end - match.query_span.start)


def _outside(span: Span, others: Iterable[Span]) -> list[Span]:
    """What of a span lies in none of others, which are in order."""
    left, at = [], span.start
    for start, end in others:
        if start > at:
            left.append(Span(at, min(start, span.end)))
        at = max(at, end)
        if at >= span.end:
            return left
    return [*left, Span(at, span.end)]
