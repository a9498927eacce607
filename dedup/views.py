"""The code views of a text: the lexemes of the whole of it, and the syntax nodes of its code.

Takes a text and its name, gives what the core indexes or searches beside the words. Lexemes are the
core's own work and cannot fail. Nodes come from a parser that can: a region that no grammar takes,
or takes in time, has none, which is counted (`Syntax.counts`), and its lexemes decide.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from dedup import _core
from dedup.syntax import Syntax, Tree
from dedup.units import Region, is_code, language_of_name, regions

__all__ = ["CodeViews", "UnitRow", "document_views", "query_views", "scanned_views"]

# Name, first and last byte, first and last line, first node, nodes: as the core takes a unit.
UnitRow: TypeAlias = tuple[str, int, int, int, int, int, int]

# Code in a document that is not named as such is looked for in this much of it, three times.
_SAMPLE_BYTES = 4 << 10
_AMBIGUOUS_NAMES = (".h", ".H", ".inc", ".m")  # of several languages, by the content
# Of a query so much is looked through for code to parse: what QUERY_PARSE_S allows to be parsed.
# Lexemes and words are those of all of it.
_MAX_QUERY_BYTES = 256 << 10
# No program is longer. What is, is a table: its beginning is code, its words are all indexed.
_MAX_CODE_BYTES = 64 << 20
_MIN_PARSED_BYTES = 24  # shorter than any unit of the least size


@dataclass(frozen=True, slots=True)
class CodeViews:
    """What is known of the code of one text.

    Attributes
    ----------
    language : str
        Of the text, or of most of its code; empty if unknown.
    code : Lexemes, optional
        Of the ``code`` view. None for a query, which the core lexes itself.
    ast : Lexemes
        Of the ``ast`` view; empty if nothing could be parsed.
    units : list of UnitRow
        Functions, methods and classes.
    """

    language: str
    code: _core.Lexemes | None
    ast: _core.Lexemes
    units: list[UnitRow]


def document_views(text: bytes, name: str, syntax: Syntax) -> CodeViews | None:
    """The code views of a document to protect; None if it is prose."""
    text = text[:_MAX_CODE_BYTES]
    told = language_of_name(name)
    if not told and not any(is_code(name, sample) for sample in _samples(text)):
        return None
    # What a file is called is believed until its parse finds no unit in it.
    is_believed = bool(told) and not name.endswith(_AMBIGUOUS_NAMES)
    found = [Region(0, len(text), told)] if is_believed else regions(text, name)
    ast, units = _parsed(text, found, syntax)
    if is_believed and not units:
        found = regions(text, name)
        if any(region.alternatives for region in found):
            ast, units = _parsed(text, found, syntax)
    language = told or _most_of(found)
    code = _core.Lexemes()
    if len(found) == 1 and found[0].code is None and found[0].end - found[0].start == len(text):
        code.extend(_core.lex(text, language))
    else:
        for region in found:
            lexemes = _core.lex(_code_of(text, region), region.language)
            _place(lexemes, region)
            code.extend(lexemes)
    return CodeViews(language, code, ast, units)


def query_views(text: bytes, syntax: Syntax, *, budget_s: float | None = None) -> CodeViews | None:
    """The syntax nodes of the code in a query; None if there is no code in it.

    ``budget_s`` bounds the time for all its regions together.
    """
    found = regions(text[:_MAX_QUERY_BYTES])
    if not found:
        return None
    ast, units = _parsed(text, found, syntax, budget_s)
    return CodeViews(_most_of(found), None, ast, units)


def scanned_views(text: bytes, name: str, syntax: Syntax) -> CodeViews | None:
    """The syntax nodes of the code in a document that is checked; None if there is no code in it.

    As much of it is parsed as of a document to protect, so it hangs on no clock.
    """
    found = regions(text[:_MAX_CODE_BYTES], name)
    if not found:
        return None
    ast, units = _parsed(text, found, syntax)
    return CodeViews(_most_of(found), None, ast, units)


def _samples(text: bytes) -> Iterator[bytes]:
    """The text, or three stretches of a long one: a book is prose from end to end."""
    if len(text) <= 4 * _SAMPLE_BYTES:
        yield text
        return
    for start in (0, len(text) // 2, len(text) - _SAMPLE_BYTES):
        yield text[start : start + _SAMPLE_BYTES]


def _parsed(
    text: bytes, found: list[Region], syntax: Syntax, budget_s: float | None = None
) -> tuple[_core.Lexemes, list[UnitRow]]:
    ast = _core.Lexemes()
    units: list[UnitRow] = []
    lines: list[int] = []
    for region in found:
        code = _code_of(text, region)
        for tree in _trees(code, region, syntax, budget_s):
            nodes = _core.syntax_lexemes(code, tree.classes, tree.symbols, tree.starts, tree.ends)
            first = len(ast)
            _place(nodes, region)
            ast.extend(nodes)
            if tree.units and not lines:
                lines = _line_starts(text)
            for unit in tree.units:
                start, end = _byte_of(region, unit.start), _byte_of(region, unit.end)
                units.append(
                    (
                        unit.name,
                        start,
                        end,
                        bisect_right(lines, start),
                        bisect_right(lines, max(start, end - 1)),
                        first + unit.first_token,
                        unit.tokens,
                    )
                )
    return ast, units


def _trees(code: bytes, region: Region, syntax: Syntax, budget_s: float | None) -> Iterator[Tree]:
    """The tree in the likeliest language that gives one with units, else the first there is."""
    if len(code) < _MIN_PARSED_BYTES:
        return
    first: Tree | None = None
    for language in (region.language, *region.alternatives):
        tree = syntax.parse(code, language, budget_s=budget_s) if language else None
        if tree is not None and tree.units:
            yield tree
            return
        first = first or tree
    if first is not None:
        yield first


def _code_of(text: bytes, region: Region) -> bytes:
    return text[region.start : region.end] if region.code is None else region.code


def _place(lexemes: _core.Lexemes, region: Region) -> None:
    """Move spans of a region's code to where they are in the text."""
    if region.offsets is not None:
        lexemes.relocate(region.offsets)
    else:
        lexemes.shift(region.start)


def _byte_of(region: Region, at: int) -> int:
    return region.start + at if region.offsets is None else int(region.offsets[at])


def _line_starts(text: bytes) -> list[int]:
    newlines = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))
    return [0, *(newlines + 1).tolist()]


def _most_of(found: list[Region]) -> str:
    sizes: dict[str, int] = {}
    for region in found:
        sizes[region.language] = sizes.get(region.language, 0) + region.end - region.start
    return max(sizes, key=lambda language: sizes[language], default="")
