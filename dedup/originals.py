"""The texts of protected documents, where the user says they are: reports show them.

An index holds no text, so what stands beside a copy is read from the sources again, and shown only
if it is what was indexed.
"""

from collections.abc import Callable, Iterable

from dedup.index import Index
from dedup.source import find_documents

__all__ = ["Originals"]


class Originals:
    """The sources that an index was made of.

    Parameters
    ----------
    index : Index
        Tells whether a text is as it was added.
    sources : iterable of str
        As they were given to ``index add``; with none, nothing is shown and nothing missed.
    warn : function
        Takes a line on each document that cannot be shown.
    """

    def __init__(self, index: Index, sources: Iterable[str], warn: Callable[[str], object]) -> None:
        self._index = index
        self._sources = list(sources)
        self._warn = warn
        self._texts: dict[str, str | None] = {}

    @property
    def has_sources(self) -> bool:
        """Whether any were given."""
        return bool(self._sources)

    def texts(self, ids: Iterable[str]) -> dict[str, str]:
        """The documents of these ids, as far as the sources hold them as they were indexed."""
        if not self._sources:
            return {}
        ids = list(dict.fromkeys(ids))
        new = [id for id in ids if id not in self._texts]
        found = find_documents(self._sources, new) if new else {}
        for id in new:
            text = found.get(id)
            if text is None or not self._index.holds(id, text):
                state = (
                    "is not in the sources" if text is None else "has changed since it was added"
                )
                self._warn(f"{id} {state}; it is not shown")
                text = None
            self._texts[id] = text
        return {id: text for id in ids if (text := self._texts[id]) is not None}
