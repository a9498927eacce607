"""Where in a text its matches lie, for people and their editors: lines, columns, an excerpt.

Takes a text and the rulings on it while the text is at hand; gives what the rows of reports carry
of it afterwards. A Place and a fingerprint hold nothing of the text; an Excerpt holds the passage.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from dedup.match import Match, Span
from dedup.policy import Ruling

__all__ = [
    "PASSAGE_BYTES",
    "Excerpt",
    "Place",
    "boundary",
    "context",
    "evidence_of",
    "excerpt_of",
    "fingerprint_of",
]

# Around a passage: enough to recognise the place, even if the whole text is one line.
_CONTEXT_BYTES: Final = 160
# Of a passage: about a page of print. A thousand passages make a page of ten megabytes.
PASSAGE_BYTES: Final = 4000


@dataclass(frozen=True, slots=True)
class Place:
    """A range of lines and columns, as editors and SARIF count them: from 1.

    Columns are UTF-16 code units; `end_column` is that behind the last character. A line ends with
    its line feed.
    """

    start_line: int
    start_column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A passage and what stands around it.

    Attributes
    ----------
    first_line : int
        The line, from 1, in which `before` begins.
    before, passage, after : str
        The passage, and a little of its lines on both sides. `after` is empty if the passage is
        cut.
    left_out : int
        Bytes that are missing at the end of a passage longer than a page.
    """

    first_line: int
    before: str
    passage: str
    after: str
    left_out: int = 0


def evidence_of(
    text: str, rulings: Sequence[Ruling], *, excerpts: bool = False
) -> list[dict[str, Any]]:
    """What to add to each ruling's dict so that reports can show it without the text.

    Returns
    -------
    list of dict
        One for each ruling: ``place``, the lines and columns of its passage (a dict, as ``Place``);
        ``fingerprint``, 32 hexadecimal digits that stay the same when the passage moves; and
        ``excerpt`` (as ``Excerpt``) if asked for.

    Notes
    -----
    O(n) in the text, however many rulings there are, and nothing if there is none.
    """
    if not rulings:
        return []
    data = text.encode()
    spans = [ruling.match.query_span for ruling in rulings]
    at = _positions(data, {offset for span in spans for offset in span})
    evidence = []
    for ruling, span in zip(rulings, spans, strict=True):
        passage = data[span.start : span.end]
        row: dict[str, Any] = {
            "place": asdict(Place(*at[span.start], *at[span.end])),
            "fingerprint": fingerprint_of(ruling.match, passage),
        }
        if excerpts:
            row["excerpt"] = asdict(_excerpt(data, span, at[span.start][0], PASSAGE_BYTES))
        evidence.append(row)
    return evidence


def fingerprint_of(match: Match, passage: bytes) -> str:
    """Tells the passage and its source from all others, wherever in the text it stands.

    White space does not count, so that reformatted code is what it was. It is a hash without a key:
    who knows a passage can tell that it was found, which the text beside the report says too.
    """
    view = "text" if match.view == "text" else "code"
    words = passage.decode(errors="replace").split()
    said = json.dumps([view, match.document, " ".join(words)], ensure_ascii=True)
    return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()


def excerpt_of(text: str, span: Span, limit_bytes: int = PASSAGE_BYTES) -> Excerpt:
    """The passage with its surroundings; of one over the limit only the beginning."""
    data = text.encode()
    return _excerpt(data, span, data.count(b"\n", 0, span.start) + 1, limit_bytes)


def _excerpt(data: bytes, span: Span, line: int, limit_bytes: int) -> Excerpt:
    around = context(data, span)
    end = span.end
    if end - span.start > limit_bytes:
        end = boundary(data, span.start + limit_bytes)
    before = data[around.start : span.start]
    return Excerpt(
        first_line=line - before.count(b"\n"),
        before=before.decode(errors="replace"),
        passage=data[span.start : end].decode(errors="replace"),
        after=data[end : around.end].decode(errors="replace") if end == span.end else "",
        left_out=span.end - end,
    )


def context(data: bytes, span: Span) -> Span:
    """The passage with the line before it and the rest of its last line, if these are short."""
    low = max(0, span.start - _CONTEXT_BYTES)
    line = data.rfind(b"\n", low, span.start)
    before = data.rfind(b"\n", low, line) if line >= 0 else -1
    start = low
    if before >= 0:
        start = before + 1
    elif line >= 0 and low > 0:
        start = line + 1

    high = min(len(data), span.end + _CONTEXT_BYTES)
    line = data.find(b"\n", span.end, high)
    end = line if line >= 0 else high
    return Span(boundary(data, start), boundary(data, end))


def boundary(data: bytes, at: int) -> int:
    """The first place from ``at`` on where a character begins."""
    while at < len(data) and data[at] & 0xC0 == 0x80:
        at += 1
    return at


def _positions(data: bytes, offsets: Iterable[int]) -> dict[int, tuple[int, int]]:
    """Line and column of each offset, in one pass."""
    return dict(_walk(data, sorted(offsets)))


def _walk(data: bytes, offsets: list[int]) -> Iterator[tuple[int, tuple[int, int]]]:
    line, column, seen = 1, 1, 0
    for offset in offsets:
        lines = data.count(b"\n", seen, offset)
        if lines:
            line += lines
            column = 1
            seen = data.rfind(b"\n", seen, offset) + 1
        column += _utf16_units(data[seen:offset])
        seen = offset
        yield offset, (line, column)


def _utf16_units(piece: bytes) -> int:
    if piece.isascii():
        return len(piece)
    return len(piece.decode(errors="replace").encode("utf-16-le")) // 2
