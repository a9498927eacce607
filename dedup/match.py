"""What a candidate becomes once verified: a Match, with spans and scores.

Takes alignments from the core, gives frozen values; no I/O. Spans are half-open byte ranges in
the UTF-8 of one text.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

__all__ = ["Kind", "Match", "Span", "View"]

View = Literal["text", "code", "ast"]
Kind = Literal["verbatim", "near", "renamed"]


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
    language : str
        Of the document, if it is code: ``python``, ``cpp``; else empty.
    function : str
        The function, method or class of the document that the passage is, or lies in:
        ``Heap.push``; empty if none is known.
    lines : tuple of int
        First and last line of the passage in the document, from 1; ``(0, 0)`` if it is no code.
    distinct : int
        Different words that are equal on both sides; of code, different shingles of five equal
        tokens, whatever they are named. Far fewer than ``tokens`` where the passage repeats itself,
        as tables and rows of assignments do.
    shared_names : int
        Different names and literals that are the same on both sides, common ones (``self``,
        ``get``) left out: what a renaming left, and what unrelated code does not have. Views of
        code only.
    consistency : float
        Share of the repeated names that one renaming explains, in [0, 1]. Views of code only.
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
    language: str = ""
    function: str = ""
    lines: tuple[int, int] = (0, 0)
    distinct: int = 0
    shared_names: int = 0
    consistency: float = 1.0
