"""The parsers of an index: one for the documents it takes in, one for the queries it answers.

Each is made when the first code comes by, so that what has none costs nothing.
"""

from collections import Counter
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from dedup import _core

if TYPE_CHECKING:
    from dedup.syntax import Syntax
    from dedup.views import CodeViews, UnitRow

__all__ = ["Parsed", "Parsers"]

# The syntax nodes of a text, None if it has no code, and its units.
Parsed: TypeAlias = "tuple[_core.Lexemes | None, list[UnitRow]]"

# What parsing the code of a query may take: some 500 kB of ordinary code, and less than half of the
# 250 ms that a hostile one may cost. Its lexemes are searched whatever comes of it.
QUERY_PARSE_S: Final = 0.1


class Parsers:
    """Gives the code views of documents and queries; threads may share one."""

    def __init__(self) -> None:
        self._syntaxes: dict[str, Syntax] = {}

    def of_document(self, text: str, id: str) -> "CodeViews | None":
        """The code views of a document; None if it is prose."""
        from dedup.views import document_views  # here, so that `import dedup` stays quick

        return document_views(text.encode(), id, self._syntax("documents"))

    def of_query(self, text: str) -> Parsed:
        """The syntax nodes of a query and its units, if it has code."""
        from dedup.views import query_views

        views = query_views(text.encode(), self._syntax("queries"), budget_s=QUERY_PARSE_S)
        return (None, []) if views is None else (views.ast, views.units)

    def of_scanned(self, text: str, name: str) -> tuple[Parsed, str]:
        """The same of a document that is not to be protected but checked, and what failed.

        All of it is parsed, however long that takes, so that the answer hangs on the text alone and
        not on how busy the machine is. One thread at a time.
        """
        from dedup.views import scanned_views

        syntax = self._syntax("documents")
        before = syntax.counts
        views = scanned_views(text.encode(), name, syntax)
        if views is None:
            return (None, []), ""
        failed = [
            f"{count - before[reason]} {reason}"
            for reason, count in syntax.counts.items()
            if count > before[reason] and reason not in ("parsed", "no_grammar")
        ]
        return (views.ast, views.units), ", ".join(failed)

    @property
    def counts(self) -> dict[str, int]:
        """How many parses came to what: ``parsed``, or why there was none."""
        counts: Counter[str] = Counter()
        for syntax in self._syntaxes.values():
            counts.update(syntax.counts)
        return dict(counts)

    def close(self) -> None:
        """End the helper processes."""
        for syntax in self._syntaxes.values():
            syntax.close()

    def _syntax(self, of: Literal["documents", "queries"]) -> "Syntax":
        if of not in self._syntaxes:
            from dedup.syntax import Syntax

            self._syntaxes[of] = Syntax.offline() if of == "documents" else Syntax()
        return self._syntaxes[of]
