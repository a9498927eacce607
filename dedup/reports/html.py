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
from dedup.originals import Originals
from dedup.policy import STRENGTH
from dedup.report import WORDS
from dedup.reports.card import Card, cards_of, shown
from dedup.reports.finding import Finding, findings_of
from dedup.reports.tally import GROUPINGS, Tally

if TYPE_CHECKING:
    import jinja2

__all__ = ["About", "html_report"]

# Shown in full: the gravest. A page of so many takes some ten megabytes and opens in a second.
_MAX_FINDINGS: Final = 1000
_MAX_GROUPS: Final = 20
# Longer names, of whatever, say no more to a reader.
_MAX_NAME: Final = 200
# Up to so many are open from the beginning.
_FEW: Final = 8

# The template gives words and tags one by one.
_PIECES: Final = 1000

_ACTIONS: Final = {"block": "Blocked", "redact": "Redacted", "flag": "Flagged"}
_KINDS: Final = {"verbatim": "Verbatim", "near": "Edited", "renamed": "Renamed"}


@dataclass(frozen=True, slots=True)
class About:
    """What stands above the page; empty strings are left out.

    Nothing here is made up: without a `date` the page has none.
    """

    title: str = ""
    index: str = ""
    policy: str = ""
    date: str = ""


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
    cards = list(cards_of(found, originals))
    style, script = _resource("page.css"), _resource("page.js")
    stream = template.stream(
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
    stream.enable_buffering(_PIECES)
    yield from stream


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


def _choices(cards: Iterable[Card], name: str) -> list[str]:
    return sorted({value for card in cards for value in card.labels(name)})


def _environment() -> "jinja2.Environment":
    try:
        import jinja2  # here, as only this page needs it
    except ImportError as error:
        raise DedupError(
            "a report as HTML needs jinja2; install it with: pip install 'dedup[scan]'"
        ) from error

    def finalize(value: object) -> object:
        is_markup = hasattr(value, "__html__")
        return shown(value) if isinstance(value, str) and not is_markup else value

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
