"""Which documents are meant: by id, or by shell patterns of their labels.

The patterns are those of policies: ``*``, ``?`` and ``[...]``, whatever the case of the letters.
"""

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, Self

__all__ = ["Labelled", "Selection", "fits"]


class Labelled(Protocol):
    """What has an id and labels: a Document, or one that is in an index."""

    @property
    def id(self) -> str: ...
    @property
    def corpus(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def licence(self) -> str: ...


def fits(value: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns is one of the value's, letter case aside."""
    value = value.casefold()
    return any(fnmatch.fnmatchcase(value, pattern.casefold()) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Selection:
    """Documents that have one of the ids, and of each label one of the patterns, where given.

    None is not given; an empty set of ids or patterns fits no document.
    """

    document: frozenset[str] | None = None
    corpus: tuple[str, ...] | None = None
    owner: tuple[str, ...] | None = None
    licence: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls,
        *,
        document: str | Iterable[str] | None = None,
        corpus: str | Iterable[str] | None = None,
        owner: str | Iterable[str] | None = None,
        licence: str | Iterable[str] | None = None,
    ) -> Self:
        """The selection of single values or several."""
        ids = _several(document)
        return cls(
            None if ids is None else frozenset(ids),
            _several(corpus),
            _several(owner),
            _several(licence),
        )

    @property
    def is_given(self) -> bool:
        """Whether anything was asked for; all documents fit what asks for nothing."""
        return any(x is not None for x in (self.document, self.corpus, self.owner, self.licence))

    def fits(self, document: Labelled) -> bool:
        """Whether the document is meant."""
        return (
            (self.document is None or document.id in self.document)
            and (self.corpus is None or fits(document.corpus, self.corpus))
            and (self.owner is None or fits(document.owner, self.owner))
            and (self.licence is None or fits(document.licence, self.licence))
        )


def _several(values: str | Iterable[str] | None) -> tuple[str, ...] | None:
    return values if values is None else (values,) if isinstance(values, str) else tuple(values)
