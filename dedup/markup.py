"""Code inside notebooks and HTML: where it stands, and what it says once decoded.

Takes the bytes of a document, gives an Excerpt for each cell, script or ``<pre>``: the decoded code
and, for each of its bytes, the byte of the document it came from, so that whatever is found in the
code can be shown in the document. A scanner of our own reads the JSON, as no parser at hand keeps
positions. Damage ends the scan of a document, it raises nothing.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html.entities import html5

import numpy as np
from numpy.typing import NDArray

__all__ = ["Excerpt", "joined", "notebook_cells", "scripts"]

# Deeper than any notebook; brackets of a hostile one end the scan instead of filling memory.
_MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A stretch of a document that holds code, or Markdown, under another encoding.

    Attributes
    ----------
    start, end : int
        Bytes of the document, half open.
    tag : str
        What the document says of the language, as the info string of a fence would.
    kind : str
        ``code`` or ``markdown``; ``unsure`` for a ``<pre>`` without a language.
    code : bytes, optional
        The decoded text; None if it is ``document[start:end]``.
    offsets : uint32 array, shape (len(code) + 1,), optional
        Of each byte of ``code``, and of its end: its byte in the document.
    """

    start: int
    end: int
    tag: str
    kind: str
    code: bytes | None = None
    offsets: NDArray[np.uint32] | None = None


def joined(pieces: Iterable[tuple[bytes, int, int]], end: int) -> tuple[bytes, NDArray[np.uint32]]:
    """The pieces as one text, and of each of its bytes, and of its end, the byte it came from.

    Parameters
    ----------
    pieces : iterable of (decoded, start, step)
        ``step`` 1 for a copy of the document from ``start``; 0 if all of it comes from the one
        character or escape there.
    end : int
        Where the last piece ends in the document.
    """
    kept = [piece for piece in pieces if piece[0]]
    code = b"".join(piece[0] for piece in kept)
    lengths = np.array([len(piece[0]) for piece in kept], dtype=np.int64)
    starts = np.array([piece[1] for piece in kept], dtype=np.int64)
    steps = np.array([piece[2] for piece in kept], dtype=np.int64)
    within = np.arange(len(code)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    offsets = np.repeat(starts, lengths) + within * np.repeat(steps, lengths)
    return code, np.append(offsets, end).astype(np.uint32)


# ---- notebooks -----------------------------------------------------------------------------------

# A string, a bracket, or all that stands between them (commas, colons, numbers, words).
_JSON = re.compile(rb'"((?:[^"\\]++|\\(?s:.))*+)"|[{}\[\]]|[^"{}\[\]]++')
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|(?s:(.)))")
_PLAIN_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f"}


@dataclass(slots=True)
class _Open:
    """An object or array not yet closed, with what of a cell it holds."""

    is_object: bool
    key: bytes  # under which it stands in the object around it
    cell_type: bytes = b""
    language: bytes = b""
    source: list[tuple[int, int]] = field(default_factory=list)


def notebook_cells(text: bytes) -> list[Excerpt]:
    """The code and Markdown cells of a Jupyter notebook, decoded; empty if it is damaged.

    Takes nbformat 3 and 4, in whatever order the keys come.
    """
    cells: list[tuple[bytes, bytes, list[tuple[int, int]]]] = []
    language = b""
    opened: list[_Open] = []
    key, last = b"", None
    position = 0
    for token in _JSON.finditer(text):
        if token.start() != position:
            return []  # a string without an end
        position = token.end()
        first = text[token.start()]
        if first in b"{[":
            if len(opened) == _MAX_DEPTH:
                return []
            is_array_in = opened and not opened[-1].is_object
            opened.append(_Open(first == 123, opened[-1].key if is_array_in else key))
            key, last = b"", None
        elif first in b"}]":
            if not opened or opened[-1].is_object != (first == 125):
                return []
            closed = opened.pop()
            key, last = b"", None
            if closed.cell_type and closed.source:
                cells.append((closed.cell_type, closed.language, closed.source))
            elif closed.key in (b"source", b"input") and opened and not closed.is_object:
                opened[-1].source = closed.source
            if closed.key in (b"kernelspec", b"language_info") and closed.language:
                language = closed.language
        elif first == 34:
            last = token.span(1)
            if not opened:
                continue
            around = opened[-1]
            if not around.is_object:
                if around.key in (b"source", b"input"):
                    around.source.append(last)
            elif key == b"cell_type":
                around.cell_type = token[1]
            elif key == b"language" or (key == b"name" and around.key == b"language_info"):
                around.language = token[1]
            elif key in (b"source", b"input"):
                around.source = [last]
        elif (between := token[0].strip()).startswith(b":") and last:
            key = text[last[0] : last[1]]
            if len(between) > 1:
                key = b""
        elif b"," in between:
            key = b""
    if opened or position != len(text):
        return []
    found: list[Excerpt] = []
    for kind, own, spans in sorted(cells, key=lambda cell: cell[2]):
        if not found or spans[0][0] >= found[-1].end:  # else a cell inside a cell: no notebook's
            found.append(_cell(text, kind, own or language, spans))
    return found


def _cell(text: bytes, cell_type: bytes, language: bytes, source: list[tuple[int, int]]) -> Excerpt:
    start, end = source[0][0], source[-1][1]
    pieces = (piece for span in source for piece in _unescaped(text, *span))
    code, offsets = joined(pieces, end)
    kind = {b"code": "code", b"markdown": "markdown"}.get(cell_type, "unsure")
    return Excerpt(start, end, language.decode("utf-8", "replace"), kind, code, offsets)


def _unescaped(text: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    high: tuple[int, int] | None = None  # the first half of a surrogate pair, and its place
    position = start
    for escape in _ESCAPE.finditer(text, start, end):
        if high and escape.start() != position:
            yield b"\xef\xbf\xbd", high[1], 0
            high = None
        yield text[position : escape.start()], position, 1
        position = escape.end()
        if not escape[1]:
            if high:
                yield b"\xef\xbf\xbd", high[1], 0
                high = None
            yield _PLAIN_ESCAPES.get(escape[2], escape[2]), escape.start(), 0
            continue
        unit = int(escape[1], 16)
        if high and 0xDC00 <= unit < 0xE000:
            point = 0x10000 + ((high[0] - 0xD800) << 10) + unit - 0xDC00
            yield chr(point).encode(), high[1], 0
            high = None
            continue
        if high:
            yield b"\xef\xbf\xbd", high[1], 0
            high = None
        if 0xD800 <= unit < 0xDC00:
            high = (unit, escape.start())
        else:
            yield chr(unit).encode("utf-8", "replace"), escape.start(), 0
    if high:
        yield b"\xef\xbf\xbd", high[1], 0
    yield text[position:end], position, 1


# ---- HTML ----------------------------------------------------------------------------------------

_OPENING = re.compile(rb"<(script|pre)(?=[\s>/])", re.IGNORECASE)
_TYPE = re.compile(rb"""\b(?:type|lang)\s*+=\s*+["']?([^"'\s>]*+)""", re.IGNORECASE)
_CLASS = re.compile(
    rb"""(?:\blang(?:uage)?-|\b(?:highlight-|brush:\s*+|data-lang(?:uage)?=["']?|lang=["']?))"""
    rb"([\w+#-]++)",
    re.IGNORECASE,
)
_CODE_TAG = re.compile(rb"\s*+<code([^<>]{0,500}+)>", re.IGNORECASE)
_TAG_OR_ENTITY = re.compile(
    rb"<[^<>]{0,500}+>|&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]\w{1,30});"
)
_NO_SCRIPT = (b"json", b"html", b"template", b"importmap", b"speculationrules", b"text/x-", b"glsl")


def scripts(text: bytes) -> list[Excerpt]:
    """The scripts and preformatted blocks of an HTML page, one without an end reaching to its."""
    found: list[Excerpt] = []
    lowered = text.lower()
    position = 0
    for opening in _OPENING.finditer(text):
        if opening.start() < position:
            continue
        start = text.find(b">", opening.end(), opening.end() + 4096) + 1
        if not start:
            continue
        is_script = opening[1].lower() == b"script"
        end = lowered.find(b"</script" if is_script else b"</pre", start)
        position = end = len(text) if end < 0 else end
        attributes = text[opening.end() : start - 1]
        if not text[start:end].strip():
            continue
        if is_script:
            kind = _TYPE.search(attributes)
            type_ = kind[1].lower() if kind else b""
            if any(word in type_ for word in _NO_SCRIPT):
                continue
            tag = next((t for t in ("tsx", "ts", "jsx") if t == type_.decode("latin-1")), "js")
            if b"typescript" in type_:
                tag = "ts"
            found.append(Excerpt(start, end, tag, "code"))
            continue
        if inner := _CODE_TAG.match(text, start, end):
            attributes += b" " + inner[1]
        named = _CLASS.search(attributes)
        tag = named[1].decode("latin-1") if named else ""
        code, offsets = joined(_without_tags(text, start, end), end)
        found.append(Excerpt(start, end, tag, "code" if tag else "unsure", code, offsets))
    return found


def _without_tags(text: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    position = start
    for found in _TAG_OR_ENTITY.finditer(text, start, end):
        yield text[position : found.start()], position, 1
        position = found.end()
        if text[found.start()] == 38:
            yield _entity(found[0]), found.start(), 0
    yield text[position:end], position, 1


def _entity(entity: bytes) -> bytes:
    name = entity[1:].decode("ascii", "replace")
    if not name.startswith("#"):
        return html5.get(name, entity.decode("utf-8", "replace")).encode()
    point = int(name[2:-1], 16) if name[1] in "xX" else int(name[1:-1])
    if point == 0 or point > 0x10FFFF or 0xD800 <= point < 0xE000:
        return b"\xef\xbf\xbd"
    return chr(point).encode()
