"""A verdict for people to read: what was decided, and each passage beside its source.

Takes a Verdict and the query it is about, gives text. Nothing that a query, a document's name or a
label holds reaches a terminal as a control or formatting character: those are written out, as in
``\\x1b``.
"""

import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from dedup.excerpt import boundary, context
from dedup.match import Span
from dedup.passage import passages
from dedup.policy import Action, Ruling, Verdict

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["WORDS", "printable", "shown_documents", "text_report"]

_COLOURS: Final[dict[Action, str]] = {
    "allow": "green",
    "flag": "yellow",
    "redact": "magenta",
    "block": "red",
}

# A longer passage shows its two ends: about a screen in all.
_PASSAGE_BYTES: Final = 1600
_SAFE_TEXT_LINES: Final = 12
_OTHER_SOURCES: Final = 4

# What the tokens of a view are called.
WORDS: Final = {"text": "words", "code": "lexemes", "ast": "nodes"}


def printable(text: str, keep: str = "") -> str:
    """The text with control, format and unassigned characters written out, except those kept."""

    def written_out(found: re.Match[str]) -> str:
        char = found[0]
        is_harmless = char.isprintable() or char in keep or unicodedata.category(char) == "Zs"
        return char if is_harmless else char.encode("unicode_escape").decode()

    return re.sub(r"[^ -~]", written_out, text)


def shown_documents(verdict: Verdict) -> set[str]:
    """Ids of the documents that a report shows passages of, if it is given their texts."""
    return {passage[0].match.document for passage in passages(verdict.rulings)}


def text_report(
    name: str,
    query: str,
    verdict: Verdict,
    *,
    originals: Mapping[str, str] | None = None,
    colour: bool = False,
    width: int = 80,
) -> str:
    """The verdict in lines of at most ``width`` columns where words allow it.

    Passages come in the order of the query, each with its best match first. They stand out by
    colour, or between ``[[`` and ``]]`` without. With the texts of documents in ``originals``, by
    id, the passage of the document is shown above that of the query.
    """
    from rich.console import Console  # here, as only people need it

    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        color_system="standard" if colour else None,
        force_terminal=colour,
        highlight=False,
        markup=False,
        emoji=False,
    )
    console.print(_headline(name, verdict), soft_wrap=True)
    data = query.encode()
    for passage in passages(verdict.rulings):
        console.print()
        for line in _source(passage[0]):
            console.print("  ", line, sep="", soft_wrap=True)
        original = (originals or {}).get(passage[0].match.document)
        if original is not None:
            console.print()
            console.print(_line(("  the original", "bold")), soft_wrap=True)
            there = passage[0].match.document_span
            for line in _excerpt(console, original.encode(), there, passage[0].action):
                console.print(line, soft_wrap=True)
        console.print()
        if original is not None:
            console.print(_line(("  this text", "bold")), soft_wrap=True)
        here = passage[0].match.query_span
        for line in _excerpt(console, data, here, passage[0].action):
            console.print(line, soft_wrap=True)
        if len(passage) > 1:
            console.print()
        for ruling in passage[1 : 1 + _OTHER_SOURCES]:
            console.print("  also ", _brief(ruling), sep="", soft_wrap=True)
        if len(passage) > 1 + _OTHER_SOURCES:
            console.print(f"  and {len(passage) - 1 - _OTHER_SOURCES} more", soft_wrap=True)
    if verdict.exempted:
        console.print()
    for ruling in verdict.exempted:
        console.print("  exempt ", _brief(ruling), sep="", soft_wrap=True)
    if verdict.action in ("redact", "block"):
        console.print()
        console.print(_line(("  shown instead", "bold")), soft_wrap=True)
        for line in _safe_text(console, verdict.text):
            console.print("    ", line, sep="", soft_wrap=True)
    return "".join(line.rstrip() + "\n" for line in out.getvalue().splitlines())


def _line(*parts: tuple[str, str]) -> "Text":
    from rich.text import Text

    return Text.assemble(*parts)


def _headline(name: str, verdict: Verdict) -> "Text":
    if verdict.error:
        reason = f"the check could not be made: {printable(verdict.error)}"
    elif verdict.rule is None:
        reason = "no rule covers anything in it"
    else:
        count = f"{len(verdict.rulings or verdict.exempted)} "
        count += "match" if count == "1 " else "matches"
        reason = f"{count}, by rule {printable(verdict.rule)}"
    return _line(
        (verdict.action.upper(), f"bold {_COLOURS[verdict.action]}"),
        (f"  {printable(name)}", "bold"),
        (f"  {reason}", ""),
    )


def _source(ruling: Ruling) -> Iterator["Text"]:
    """The lines that say where a passage comes from and how sure that is."""
    match = ruling.match
    yield _line((printable(match.document), "bold"))
    if match.function or match.lines[0]:
        first, last = match.lines
        parts = [f"in {printable(match.function)}"] if match.function else []
        parts += [f"line {first}" if first == last else f"lines {first}-{last}"] if first else []
        yield _line((", ".join(parts), ""))
    labels = {"corpus": match.corpus, "owner": match.owner, "licence": match.licence}
    known = [f"{label} {printable(value)}" for label, value in labels.items() if value]
    if known:
        yield _line((", ".join(known), ""))
    if match.url:
        yield _line((printable(match.url), "underline"))
    what: str = "renamed copy" if match.kind == "renamed" else match.kind
    if match.undone:
        what += f", its {' and '.join(match.undone)} undone"
    yield _line(
        (f"{what}: ", ""),
        (f"{match.tokens} {WORDS[match.view]}, {match.run} in a row", "bold"),
        (f", identity {match.identity:.2f}, containment {match.containment:.2f}", ""),
    )
    if match.view != "text":
        names = (
            "uncommon name or literal" if match.shared_names == 1 else "uncommon names and literals"
        )
        agreed = f"in common: {match.distinct} different shingles, {match.shared_names} {names}"
        if match.kind == "renamed":
            agreed += f"; one renaming explains {match.consistency:.0%}"
        yield _line((agreed, ""))
    query, document = match.query_span, match.document_span
    places = f"bytes {query.start}-{query.end} here, {document.start}-{document.end} there"
    if match.sources > 1:
        places += f"; found in {match.sources} documents"
        places += f" of {match.owners} owners" if match.owners > 1 else ""
    yield _line((places, "dim"))
    yield _line(
        (ruling.action, f"bold {_COLOURS[ruling.action]}"),
        (f" by rule {printable(ruling.rule)}", ""),
    )


def _brief(ruling: Ruling) -> "Text":
    match = ruling.match
    labels = ", ".join(printable(label) for label in (match.corpus, match.owner) if label)
    return _line(
        (printable(match.document), "bold"),
        (f" ({labels})" if labels else "", ""),
        (
            f" {match.kind}, {match.tokens} {WORDS[match.view]}, identity {match.identity:.2f}, ",
            "",
        ),
        (f"bytes {match.query_span.start}-{match.query_span.end}: ", ""),
        (f"{ruling.action} by rule {printable(ruling.rule)}", ""),
    )


def _excerpt(console: "Console", data: bytes, span: Span, action: Action) -> Iterator["Text"]:
    """A passage in its place, with line numbers; of a long one the two ends."""
    style = f"bold {_COLOURS[action]}"
    first, last = context(data, span)
    gutter = len(str(data.count(b"\n", 0, last) + 1))
    if span.end - span.start <= _PASSAGE_BYTES:
        yield from _numbered(console, data, Span(first, last), span, style, gutter)
        return
    head = boundary(data, span.start + _PASSAGE_BYTES // 2)
    tail = boundary(data, span.end - _PASSAGE_BYTES // 2)
    yield from _numbered(console, data, Span(first, head), span, style, gutter)
    yield _line((f"  {'⋮':>{gutter}} │ {tail - head:,} more bytes of the passage", "dim"))
    yield from _numbered(console, data, Span(tail, last), span, style, gutter)


def _numbered(
    console: "Console", data: bytes, shown: Span, span: Span, style: str, gutter: int
) -> Iterator["Text"]:
    """Lines of ``shown`` with their numbers, wrapped, with ``span`` standing out."""
    from rich.text import Text

    marks = ("", "") if console.color_system else ("[[", "]]")
    text = Text()
    text.append(_decode(data[shown.start : max(shown.start, span.start)]), "dim")
    if shown.start <= span.start:
        text.append(marks[0], "bold")
    text.append(_decode(data[max(shown.start, span.start) : min(shown.end, span.end)]), style)
    if span.end <= shown.end:
        text.append(marks[1], "bold")
    text.append(_decode(data[span.end : shown.end]), "dim")

    number = data.count(b"\n", 0, shown.start) + 1
    for line in text.split("\n", allow_blank=True):
        label = str(number)
        for piece in line.wrap(console, max(20, console.width - gutter - 5)) or [Text()]:
            yield _line((f"  {label:>{gutter}} │ ", "dim")).append_text(piece)
            label = ""
        number += 1


def _decode(piece: bytes) -> str:
    text = piece.decode(errors="replace").replace("\r\n", "\n").expandtabs(4)
    return printable(text, keep="\n")


def _safe_text(console: "Console", text: str) -> Iterator["Text"]:
    """The first lines of what may be shown."""
    from rich.text import Text

    shown = 0
    lines = Text(_decode(text[: 200 * _SAFE_TEXT_LINES].encode())).split("\n", allow_blank=True)
    pieces = [piece for line in lines for piece in line.wrap(console, console.width - 4) or [line]]
    for piece in pieces[:_SAFE_TEXT_LINES]:
        shown += 1
        yield piece
    if shown < len(pieces) or len(text) > 200 * _SAFE_TEXT_LINES:
        yield _line(("… (--format json has all of it)", "dim"))
