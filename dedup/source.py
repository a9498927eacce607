"""Files, JSON lines and directories as Documents."""

from dataclasses import dataclass

__all__ = ["Document"]


@dataclass(frozen=True, slots=True)
class Document:
    """One item of a protected corpus.

    Attributes
    ----------
    id : str
        Unique in an index; a document added under an id already there replaces it.
    text : str
        The whole text. Not stored: the index keeps seeds and keyed 8-bit token fingerprints.
    corpus, licence, owner, url : str
        Carried into every match; empty if unknown.
    """

    id: str
    text: str
    corpus: str = ""
    licence: str = ""
    owner: str = ""
    url: str = ""
