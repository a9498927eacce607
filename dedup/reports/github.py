"""Findings as workflow commands, which GitHub shows beside the lines of a pull request.

Takes rows, gives lines like ``::error file=a.py,line=3,endLine=9,title=...::...``. GitHub shows ten
annotations of each level for a step, so no more are written; a last line counts them all.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from dedup.policy import Action
from dedup.report import printable
from dedup.reports.finding import Finding, findings_of

__all__ = ["github_report"]

_LEVELS: Final[dict[Action, str]] = {"block": "error", "redact": "warning", "flag": "notice"}
_MAX_ANNOTATIONS: Final = 10

_MESSAGE_ESCAPES: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY_ESCAPES: Final = _MESSAGE_ESCAPES | str.maketrans({":": "%3A", ",": "%2C"})


def github_report(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The commands, errors first, and the first of each level if there are many."""
    shown: dict[str, list[str]] = {level: [] for level in _LEVELS.values()}
    total = 0
    for row in rows:
        if row.get("error"):
            total += 1
            if len(shown["error"]) < _MAX_ANNOTATIONS:
                shown["error"].append(_problem(row))
            continue
        for finding in findings_of(row):
            total += 1
            level = _LEVELS.get(finding.action, "notice")
            if len(shown[level]) < _MAX_ANNOTATIONS:
                shown[level].append(_annotation(level, finding))
    for commands in shown.values():
        yield from commands
    written = sum(map(len, shown.values()))
    if written < total:
        yield (
            f"dedup: {total:,} findings, of which {written} are annotated; "
            "--format sarif or html has all of them\n"
        )


def _annotation(level: str, finding: Finding) -> str:
    match, place = finding.match, finding.evidence.place
    properties = {
        "file": finding.document,
        "line": str(place.start_line),
        "endLine": str(place.end_line),
    }
    if place.start_line == place.end_line:  # it takes columns in one line only
        properties |= {"col": str(place.start_column), "endColumn": str(place.end_column)}
    whose = "Protected text" if match.view == "text" else "Protected code"
    properties["title"] = f"{whose}: {finding.action}"
    return _command(level, properties, finding.message())


def _problem(row: Mapping[str, Any]) -> str:
    properties = {"file": row["document"]} if row.get("document") else {}
    return _command("error", properties | {"title": "Not checked"}, row["error"])


def _command(level: str, properties: Mapping[str, str], message: str) -> str:
    written = ",".join(
        f"{key}={printable(value).translate(_PROPERTY_ESCAPES)}"
        for key, value in properties.items()
    )
    return f"::{level} {written}::{printable(message).translate(_MESSAGE_ESCAPES)}\n"
