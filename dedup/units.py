"""Which stretches of a text are code, and in which language.

Takes a document or a query as bytes, and its name if it has one; gives Regions, ordered and
disjoint. They decide only what is *also* read as code: every byte is read as text besides, so a
missed region costs the view of code and not the check.

Language is decided by file name, then the tag of a fence, then content. Names and tags can be
wrong, by accident or by intent, so none of them turns anything off: where the content clearly
speaks for another language, both are given.

Code without a fence is found line by line, by what a line looks like and not by a grammar: a
fragment without head or tail has none. A line of code draws in the comments, blank lines and
strings between it and the next; a line of prose at the margin ends the run. Rather too much than
too little is taken, except of prose.

Every byte is looked at a bounded number of times: the time is linear, whatever the bytes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dedup.language import (
    contradicted,
    is_data_name,
    is_judged,
    language_of_content,
    language_of_name,
    language_of_tag,
    languages_of_content,
    markup_of_name,
)
from dedup.lines import QUOTE, code_runs
from dedup.markup import Excerpt, joined, notebook_cells, scripts

__all__ = [
    "Region",
    "is_code",
    "language_of_content",
    "language_of_name",
    "language_of_tag",
    "regions",
]

# A Markdown example inside a Markdown example; deeper ones are one region.
_MAX_NESTING = 3


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of code in a text.

    Attributes
    ----------
    start, end : int
        Bytes of the whole text, half open.
    language : str
        The best guess; ``""`` if it looks like code, but of no known language.
    alternatives : tuple of str
        Further languages worth a parse, as the tag that the content contradicts.
    code : bytes, optional
        The decoded code, if it does not stand in the text byte for byte: a cell of a notebook, a
        quotation with ``> `` before each line. None if it is ``text[start:end]``.
    offsets : uint32 array, shape (len(code) + 1,), optional
        Of each byte of ``code``, and of its end: its byte in the text. None as ``code`` is.
    """

    start: int
    end: int
    language: str
    alternatives: tuple[str, ...] = ()
    code: bytes | None = None
    offsets: NDArray[np.uint32] | None = None


def regions(text: bytes, name: str = "") -> list[Region]:
    """The stretches of code in a text, ordered and disjoint.

    Parameters
    ----------
    text : bytes
        Any bytes; UTF-8 is expected and not required.
    name : str
        A file name or path, empty for a query.

    Notes
    -----
    Linear in the text, whatever it holds. 200 words of prose take some 10 us.
    """
    if name:
        if language := language_of_name(name):
            return [_named(text, language)] if text.strip() else []
        if is_data_name(name):
            return []
    markup = markup_of_name(name)
    if markup == "notebook" or (not markup and _is_notebook(text)):
        cells = notebook_cells(text)
        if cells:
            return [region for cell in cells for region in _excerpted(text, cell)]
    if markup == "html":
        return _html(text)
    if markup == "rst":
        return _filled(text, _rst(text))
    if not markup:
        head = text[:256].lstrip().lower()
        if head.startswith((b"<!doctype html", b"<html")):
            return _html(text)
        if head.startswith(b"#!") and (language := language_of_content(text)):
            return [Region(0, len(text), language)]
        if b"<script" in text and b"```" not in text:
            return _filled(text, _html(text))
    return _prose(text, 0)


def is_code(name: str, text: bytes) -> bool:
    """Whether a document is worth indexing as code: a code file by name, or with code in it."""
    return bool(language_of_name(name)) or bool(regions(text, name))


def _is_notebook(text: bytes) -> bool:
    return text[:64].lstrip()[:1] == b"{" and b'"cell_type"' in text


# ---- regions of known extent ---------------------------------------------------------------------


def _named(text: bytes, language: str) -> Region:
    """A file of code. Its name is seldom wrong, except that a header may be of C or C++."""
    other = contradicted(text, language) if is_judged(language) else ""
    if language == "c" and other == "cpp":
        return Region(0, len(text), "cpp", ("c",))
    return Region(0, len(text), language, (other,) if other else ())


def _judged(text: bytes, start: int, end: int, claimed: str) -> Region:
    """A stretch of the language its tag claims, or first of the one that contradicts the tag."""
    other = contradicted(text[start:end], claimed)
    if not other:
        return Region(start, end, claimed)
    if not is_judged(claimed):
        return Region(start, end, claimed, (other,))
    return Region(start, end, other, (claimed,))


def _guessed(start: int, end: int, code: bytes) -> Region:
    """A stretch of whatever language its content speaks for."""
    language, *others = languages_of_content(code) or ("",)
    return Region(start, end, language, tuple(others))


def _decoded(
    region: Region, code: bytes, offsets: NDArray[np.uint32], start: int, end: int
) -> Region:
    """A region of ``code`` as one of the document it was decoded from, between start and end."""
    if region.code is not None and region.offsets is not None:
        inner, at = region.code, offsets[region.offsets]
    else:
        inner = code[region.start : region.end]
        at = offsets[region.start : region.end + 1]
    if region.start > 0:
        start = int(offsets[region.start])
    if region.end < len(code):
        end = int(offsets[region.end])
    return replace(region, start=start, end=end, code=inner, offsets=at)


def _excerpted(text: bytes, excerpt: Excerpt) -> list[Region]:
    code, offsets = excerpt.code, excerpt.offsets
    if code is None or offsets is None:
        return [_judged(text, excerpt.start, excerpt.end, language_of_tag(excerpt.tag))]
    if excerpt.kind == "markdown":
        inside = _prose(code, 0)
    elif excerpt.kind == "code":
        inside = _tagged(code, 0, len(code), excerpt.tag, 0)
    else:
        inside = _untagged(code, 0, len(code))
    return [_decoded(region, code, offsets, excerpt.start, excerpt.end) for region in inside]


def _html(text: bytes) -> list[Region]:
    return [region for excerpt in scripts(text) for region in _excerpted(text, excerpt)]


def _filled(text: bytes, known: list[Region]) -> list[Region]:
    """The known regions, and what of the text between them looks like code."""
    found: list[Region] = []
    position = 0
    for region in known:
        found += _unfenced(text, position, region.start)
        found.append(region)
        position = region.end
    return found + _unfenced(text, position, len(text))


def _tagged(text: bytes, start: int, end: int, tag: str, nesting: int) -> list[Region]:
    """What a fence holds, by its tag, or by its content if the tag says nothing."""
    body = text[start:end]
    if not body.strip():
        return []
    language = _language_of_tag(tag)
    if language:
        return [_judged(text, start, end, language)]
    if _is_markdown_tag(tag) and nesting < _MAX_NESTING and (b"```" in body or b"~~~" in body):
        inside = _prose(body, nesting + 1)
        return [_shifted(region, start) for region in inside]
    return _untagged(text, start, end)


@lru_cache(1024)
def _language_of_tag(tag: str) -> str:
    return language_of_tag(tag)


def _is_markdown_tag(tag: str) -> bool:
    return tag[:16].strip().lower() in ("markdown", "md", "mdx", "rst")


def _shifted(region: Region, by: int) -> Region:
    offsets = None if region.offsets is None else (region.offsets + by).astype(np.uint32)
    return replace(region, start=region.start + by, end=region.end + by, offsets=offsets)


def _untagged(text: bytes, start: int, end: int) -> list[Region]:
    """All of a stretch if most of it looks like code; else the parts of it that do."""
    runs = _unfenced(text, start, end)
    if len(runs) == 1 and (runs[0].start, runs[0].end) == (start, end):
        return runs
    if 2 * sum(run.end - run.start for run in runs) > end - start:
        return [_guessed(start, end, text[start:end])]
    return runs


# ---- fences --------------------------------------------------------------------------------------

# Many fences with nothing between them are passed over as one: they change no state, and a megabyte
# of them would cost more than any text.
_FENCE = re.compile(rb"(?m)^(?:```\n```\n){4,}+|`{3,}+|~{3,}+")
_CONTAINER = re.compile(rb"[ \t>]*+(?:(?:[-*+]|\d{1,9}[.)])[ \t]++)?+[ \t>]*+")
_MAX_INFO_BYTES = 200


def _prose(text: bytes, nesting: int) -> list[Region]:
    """Fenced blocks, and between them what looks like code."""
    if b"```" not in text and b"~~~" not in text:
        return _unfenced(text, 0, len(text))
    found: list[Region] = []
    position = 0
    for outer, start, end, stop, tag, is_quoted in _fences(text):
        found += _unfenced(text, position, outer)
        if is_quoted:
            code, offsets = joined(_unquoted(text, start, end), end)
            inside = _tagged(code, 0, len(code), tag, nesting)
            found += [_decoded(region, code, offsets, start, end) for region in inside]
        else:
            found += _tagged(text, start, end, tag, nesting)
        position = stop
    return found + _unfenced(text, position, len(text))


def _fences(text: bytes) -> Iterator[tuple[int, int, int, int, str, bool]]:
    """Of each fenced block: its first byte, start and end of its body, its end, tag, if quoted.

    More lenient than CommonMark, as models are: a fence may open after text if a language follows
    it, may close at the end of a line of code, at any indentation, and a Markdown example may hold
    fences as short as its own. One that nothing closes reaches to the end of the text.
    """
    size = len(text)
    line_start = line_end = 0
    open_char, open_size, depth = 0, 0, 0  # 0: outside
    outer = start = 0
    tag, is_quoted = "", False
    resume = 0
    for fence in _FENCE.finditer(text):
        at, after = fence.span()
        if at < resume or text[after - 1] == 10:
            continue
        if at >= line_end:
            line_start = text.rfind(b"\n", line_end and line_end - 1, at) + 1
            if not line_start and line_end:
                line_start = line_end
            line_end = text.find(b"\n", after)
            line_end = size if line_end < 0 else line_end + 1
        char = text[at]
        rest = text[after : min(line_end, after + _MAX_INFO_BYTES)].strip()
        is_short = line_end - after <= _MAX_INFO_BYTES
        lead = _CONTAINER.match(text, line_start, at)
        is_first = lead is not None and lead.end() == at
        if not open_char:
            if is_first and char == 96 and b"`" in rest:
                resume = line_end  # code on one line, too short for a region
                continue
            if not is_first:
                word = rest.decode("utf-8", "replace")
                if char != 96 or not is_short or not rest or not _language_of_tag(word):
                    continue
            open_char, open_size, depth = char, after - at, 1
            outer, start = at if not is_first else line_start, line_end
            tag = rest.decode("utf-8", "replace")
            is_quoted = is_first and b">" in text[line_start:at]
        elif char == open_char and after - at >= open_size and is_short:
            if rest:
                if is_first and _is_markdown_tag(tag) and b"`" not in rest:
                    depth += 1
                continue
            if not is_first and char != 96:
                continue
            depth -= 1
            if depth:
                continue
            end = line_start if is_first else at
            yield outer, start, max(start, end), max(start, line_end), tag, is_quoted
            open_char = 0
    if open_char:
        yield outer, start, size, size, tag, is_quoted


def _unquoted(text: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The lines without the ``> `` before them."""
    while start < end:
        stop = text.find(b"\n", start, end) + 1 or end
        quote = QUOTE.match(text, start, stop)
        begin = quote.end() if quote else start
        yield text[begin:stop], begin, 1
        start = stop


# ---- indented blocks of reStructuredText ---------------------------------------------------------

_DIRECTIVE = re.compile(
    rb"(?m)^([ \t]*+)(?:\.\.[ ]++(?:code-block|code|sourcecode|ipython)::[ \t]*+([^\n]*+)"
    rb"|(?!\.\.[ ])[^\n]*::[ \t]*)$"
)
_OPTION = re.compile(rb"[ \t]++:[\w-]++:")


def _rst(text: bytes) -> list[Region]:
    found: list[Region] = []
    position = 0
    for directive in _DIRECTIVE.finditer(text):
        if directive.start() < position:
            continue
        start = end = 0
        at = directive.end() + 1
        while at < len(text):
            stop = text.find(b"\n", at) + 1 or len(text)
            line = text[at : min(stop, at + 256)]
            indent = len(line) - len(line.lstrip(b" \t"))
            if line.strip():
                if indent <= len(directive[1]):
                    break
                if not start and _OPTION.match(line):
                    at = stop
                    continue
                start, end = start or at, stop
            at = stop
        position = at
        if end > start:
            tag = (directive[2] or b"").strip().decode("utf-8", "replace")
            found += _tagged(text, start, end, tag, _MAX_NESTING)
    return found


# ---- code without a fence ------------------------------------------------------------------------


def _unfenced(text: bytes, start: int, end: int) -> list[Region]:
    """The runs of lines that look like code."""
    body = text if start == 0 and end == len(text) else text[start:end]
    found = []
    for run in code_runs(body):
        if run.is_quoted:
            code, offsets = joined(_unquoted(body, run.start, run.end), run.end)
            region = _decoded(_guessed(0, len(code), code), code, offsets, run.start, run.end)
            found.append(_shifted(region, start))
        else:
            code = body[run.start : run.end]
            found.append(_guessed(start + run.start, start + run.end, code))
    return found
