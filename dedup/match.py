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
        ``verbatim`` if every aligned token is equal, ``renamed`` if only names differ, else
        ``near``.
    query_span, document_span : Span
        Byte ranges of the passage in the query and in the document.
    tokens : int
        Tokens of the query inside ``query_span`` (the aligned passage, edits included).
    run : int
        Longest run of tokens equal on both sides, in tokens.
    identity : float
        Equal columns of the alignment over all its columns, in [0, 1].
    containment : float
        Share of the passage's idf weight found in the document, in [0, 1].
    jaccard : float
        Equal tokens over the union of both spans' tokens, in [0, 1].
    sources : int
        Protected documents in which this passage of the query was found, this one included.
    supplied : bool
        The prompt held this passage already, so the query only repeats it.
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
    supplied: bool = False
