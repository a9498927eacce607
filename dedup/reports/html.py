"""One page for people who decide: totals, and every finding beside its original.

Takes rows with excerpts, gives a page of HTML that needs nothing but itself: no other file, no
network, no script to be read (one sorts and filters). What a text or a name holds is escaped, and
its control and format characters are written out, as in the report as text. The same rows give
the same page.
"""

import base64
import hashlib
import heapq
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from dedup import __version__
from dedup.errors import DedupError
from dedup.excerpt import PASSAGE_BYTES, Excerpt, excerpt_of
from dedup.originals import Originals
from dedup.policy import STRENGTH, Ruling
from dedup.report import printable
from dedup.reports.compare import Piece, compare
from dedup.reports.finding import WORDS, Finding, findings_of
from dedup.reports.tally import GROUPINGS, Tally

if TYPE_CHECKING:
    import jinja2

__all__ = ["About", "Card", "Side", "html_report"]

# Shown in full: the gravest. A page of so many takes some ten megabytes and opens in a second.
_MAX_FINDINGS: Final = 1000
_MAX_GROUPS: Final = 20
_MAX_SOURCES: Final = 10
_MAX_NAMES: Final = 24
# Longer names, of whatever, say no more to a reader.
_MAX_NAME: Final = 200
# Up to so many are open from the beginning.
_FEW: Final = 8

# An original has more words than its copy where the copy leaves some out.
_ORIGINAL_BYTES: Final = PASSAGE_BYTES * 3 // 2

_ACTIONS: Final = {"block": "Blocked", "redact": "Redacted", "flag": "Flagged"}
_KINDS: Final = {"verbatim": "Verbatim", "near": "Edited", "renamed": "Renamed"}
_CHANGES: Final = {"same": "", "changed": "changed", "renamed": "renamed", "only": "only"}


@dataclass(frozen=True, slots=True)
class About:
    """What stands above the page; empty strings are left out.

    Nothing here is made up: without a `date` the page has none.
    """

    title: str = ""
    index: str = ""
    policy: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """A passage in its lines, each a list of pieces of text and what they are."""

    first_line: int
    lines: list[list[tuple[str, str]]]
    left_out: int


@dataclass(frozen=True, slots=True)
class Card:
    """A finding as the page shows it.

    Attributes
    ----------
    number : int
        Its place among all findings in the order of the rows, from 1.
    copy : Side or None
        None if the row has no excerpt.
    original : Side or None
        None if the text of the protected document is not at hand.
    renamed : tuple of (str, str)
        Names of the original and what became of them.
    others : tuple of Ruling
        On the same passage; `more` counts those left out.
    """

    number: int
    finding: Finding
    copy: Side | None
    original: Side | None
    renamed: tuple[tuple[str, str], ...]
    others: tuple[Ruling, ...]
    more: int

    @property
    def is_code(self) -> bool:
        return self.finding.match.view != "text" or bool(self.finding.match.language)

    @property
    def lines(self) -> str:
        """``line 3`` or ``lines 3–9`` of the document checked."""
        place = self.finding.evidence.place
        return _lines(place.start_line, place.end_line)

    def labels(self, name: str) -> list[str]:
        """The corpora, owners or licences of all its sources."""
        values = (getattr(ruling.match, name) for ruling in self.finding.rulings)
        return sorted({_shown(value) for value in values})


def html_report(
    rows: Iterable[Mapping[str, Any]],
    *,
    about: About | None = None,
    originals: Originals | None = None,
) -> Iterator[str]:
    """The page, in pieces.

    The rows are read once. Of many findings the gravest are shown in full, with their originals if
    these are at hand, and all are counted.

    Raises
    ------
    DedupError
        If jinja2 is not installed.
    """
    template = _environment().get_template("page.html.jinja")
    tally = Tally()
    found = _gravest(_counted(rows, tally))
    cards = list(_cards(found, originals))
    style, script = _resource("page.css"), _resource("page.js")
    yield from template.generate(
        about=about or About(),
        version=__version__,
        tally=tally,
        groupings=[(name, tally.groups(name)) for name in GROUPINGS],
        cards=cards,
        choices={name: _choices(cards, name) for name in ("corpus", "owner", "licence")},
        has_originals=originals is not None and originals.has_sources,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        max_groups=_MAX_GROUPS,
        few=_FEW,
        actions=_ACTIONS,
        kinds=_KINDS,
        words=WORDS,
    )


def _counted(rows: Iterable[Mapping[str, Any]], tally: Tally) -> Iterator[tuple[int, Finding]]:
    """All findings with their numbers; the tally sees every row."""
    number = 0
    for row in rows:
        findings = [] if row.get("error") else findings_of(row)
        tally.see(row, findings)
        for finding in findings:
            number += 1
            yield number, finding


def _gravest(findings: Iterable[tuple[int, Finding]]) -> list[tuple[int, Finding]]:
    """The strongest and largest, as many as are shown: the strongest first, in their order."""
    kept = heapq.nlargest(
        _MAX_FINDINGS,
        findings,
        key=lambda item: (STRENGTH[item[1].action], item[1].match.tokens, -item[0]),
    )
    return sorted(kept, key=lambda item: (-STRENGTH[item[1].action], item[0]))


def _cards(found: list[tuple[int, Finding]], originals: Originals | None) -> Iterator[Card]:
    excerpts: dict[int, Excerpt] = {}
    if originals is not None and originals.has_sources:
        wanted: dict[str, list[tuple[int, Finding]]] = {}
        for number, finding in found:
            wanted.setdefault(finding.match.document, []).append((number, finding))
        for document, text in originals.texts(wanted).items():
            for number, finding in wanted[document]:
                span = finding.match.document_span
                excerpts[number] = excerpt_of(text, span, _ORIGINAL_BYTES)
    for number, finding in found:
        yield _card(number, finding, excerpts.get(number))


def _card(number: int, finding: Finding, there: Excerpt | None) -> Card:
    here = finding.evidence.excerpt
    renamed: tuple[tuple[str, str], ...] = ()
    copy = original = None
    if here is not None and there is not None:
        compared = compare(
            there.passage,
            here.passage,
            is_renamed=finding.match.kind == "renamed",
            is_cut=here.left_out > 0,
        )
        renamed = compared.renamed[:_MAX_NAMES]
        copy = _side(here, compared.copy)
        original = _side(there, compared.original)
    elif here is not None:
        copy = _side(here, (Piece(here.passage, "same"),))
    others = finding.rulings[1:]
    return Card(
        number,
        finding,
        copy,
        original,
        renamed,
        others[:_MAX_SOURCES],
        len(others[_MAX_SOURCES:]),
    )


def _side(excerpt: Excerpt, pieces: Iterable[Piece]) -> Side:
    lines: list[list[tuple[str, str]]] = [[]]
    marked = [
        (excerpt.before, "around"),
        *((piece.text, _CHANGES[piece.change]) for piece in pieces),
        (excerpt.after, "around"),
    ]
    for text, mark in marked:
        first, *others = text.replace("\r\n", "\n").split("\n")
        lines[-1].append((first, mark))
        lines += [[(line, mark)] for line in others]
    shown = [[(text, mark) for text, mark in line if text] for line in lines]
    blank = next((n for n, line in enumerate(shown) if any(text.strip() for text, _ in line)), 0)
    return Side(excerpt.first_line + blank, shown[blank:], excerpt.left_out)


def _choices(cards: Iterable[Card], name: str) -> list[str]:
    return sorted({value for card in cards for value in card.labels(name)})


def _lines(first: int, last: int) -> str:
    return f"line {first:,}" if first == last else f"lines {first:,}–{last:,}"


def _environment() -> "jinja2.Environment":
    try:
        import jinja2  # here, as only this page needs it
    except ImportError as error:
        raise DedupError(
            "a report as HTML needs jinja2; install it with: pip install 'dedup[scan]'"
        ) from error

    def finalize(value: object) -> object:
        is_markup = hasattr(value, "__html__")
        return _shown(value) if isinstance(value, str) and not is_markup else value

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_resource),
        autoescape=True,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "brief": _brief,
        "link": _link,
        "number": "{:,}".format,
        "size": _size,
    }
    return environment


def _shown(text: str) -> str:
    """Whatever a text or a name holds, as characters that do nothing to the page."""
    return printable(text, keep="\n\t")


def _brief(name: str) -> str:
    """A name with its middle left out if it is very long."""
    if len(name) <= _MAX_NAME:
        return name
    return f"{name[: _MAX_NAME * 2 // 3]} … {name[-_MAX_NAME // 3 :]}"


def _size(bytes: int) -> str:
    return f"{bytes / 1e6:,.1f} MB" if bytes >= 1e5 else f"{bytes / 1e3:,.1f} kB"


def _link(url: str) -> str:
    """The address if it is one of a page that may be linked to, else nothing."""
    return url if re.match(r"https?://[^\s\x00-\x20\"'<>]+\Z", url) else ""


def _resource(name: str) -> str:
    return (files("dedup.reports") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """What a content security policy calls an inline style or script by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
