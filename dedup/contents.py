"""What an index holds, as plain data: its documents one by one, and all of them counted."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from dedup import _core, expiry
from dedup.selection import Selection

__all__ = [
    "CorpusInfo",
    "IndexInfo",
    "IndexedDocument",
    "VerifyReport",
    "corpora_of",
    "indexed_document",
    "numbers_of",
]


@dataclass(frozen=True, slots=True)
class IndexedDocument:
    """What an index knows of one protected document.

    Attributes
    ----------
    tokens : int
        Words.
    expires : date or None
        The first day it is not protected.
    key_id : int
        Of the key its fingerprints are under; 0 for none.
    content_hash : int
        Of the text, under that key: equal for equal texts, and says nothing else.
    """

    id: str
    corpus: str
    licence: str
    owner: str
    url: str
    language: str
    tokens: int
    text_bytes: int
    expires: date | None
    key_id: int
    content_hash: int


@dataclass(frozen=True, slots=True)
class CorpusInfo:
    """Living documents and tokens of one corpus."""

    documents: int
    tokens: int


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """What an index holds.

    Attributes
    ----------
    key_id : str
        Of the key of new documents: 16 hexadecimal digits, or ``""`` for none.
    keys : dict
        Key id to how many of the documents are under it.
    schemes : dict
        View to the parameters of its fingerprints.
    documents : int
        That are protected: neither replaced, nor removed, nor expired.
    expired : int
        That are in the files still, until a merge takes them out.
    next_expiry : date or None
        When the next ones expire.
    tokens : int
        Words; lexemes and nodes are not counted.
    bytes, bytes_per_token : int, float
        Of all segment files; per living token.
    corpora : dict
        Corpus name to CorpusInfo; documents without a corpus are under ``""``.
    """

    path: str
    format_version: int
    generation: int
    key_id: str
    keys: dict[str, int]
    schemes: dict[str, dict[str, int]]
    segments: int
    documents: int
    expired: int
    next_expiry: date | None
    tokens: int
    bytes: int
    bytes_per_token: float
    corpora: dict[str, CorpusInfo]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What ``Index.verify`` read and found whole."""

    segments: int
    documents: int
    bytes: int


def indexed_document(segment: _core.Segment, number: int) -> IndexedDocument:
    """What a segment knows of a document of it."""
    id, corpus, licence, owner, url, language, words, *_, size, content, day = segment.document(
        number
    )
    return IndexedDocument(
        id=id,
        corpus=corpus,
        licence=licence,
        owner=owner,
        url=url,
        language=language,
        tokens=words,
        text_bytes=size,
        expires=expiry.date_of(day),
        key_id=segment.key_id,
        content_hash=content,
    )


def numbers_of(segment: _core.Segment, selection: Selection) -> Iterator[int]:
    """Which documents of a segment to look at for those that are meant: few, if ids are known."""
    if selection.document is None:
        yield from range(segment.summary.documents)
    else:
        for id in sorted(selection.document):
            yield from segment.find_id(id)


def corpora_of(segments: Iterable[tuple[_core.Segment, bytes]]) -> dict[str, CorpusInfo]:
    """Documents and tokens of each corpus, of segments without what is dead in them."""
    corpora: dict[str, CorpusInfo] = {}
    for segment, dead in segments:
        for corpus, (documents, tokens) in segment.corpora(dead).items():
            before = corpora.get(corpus, CorpusInfo(0, 0))
            corpora[corpus] = CorpusInfo(before.documents + documents, before.tokens + tokens)
    return corpora
