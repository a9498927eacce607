"""Findings as SARIF 2.1.0, which code hosts and editors read: OASIS, *Static Analysis Results
Interchange Format (SARIF) Version 2.1.0*, 2020.

Takes rows, gives one log of one run. A result is a passage; its related locations are where it
comes from. There is no text in it, neither checked nor protected.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from dedup import __version__
from dedup.match import Match
from dedup.policy import Action
from dedup.report import printable
from dedup.reports.finding import Finding, findings_of, uri_of

__all__ = ["sarif_report"]

_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

_LEVELS: Final[dict[Action, str]] = {"flag": "note", "redact": "warning", "block": "error"}

# More are counted in the message.
_MAX_SOURCES: Final = 20

_RULES: Final = {
    "protected-text": (
        "ProtectedText",
        "A passage of protected text is reproduced.",
        "The words of the passage are those of a protected document, in their order, perhaps "
        "edited. Quote less of it, cite it as its licence asks, or write it anew.",
    ),
    "protected-code-exact": (
        "ProtectedCodeExact",
        "Protected code is reproduced with its names.",
        "The code is that of a protected document, perhaps reformatted or edited. Keep to the "
        "licence of the original, or write it anew.",
    ),
    "protected-code-renamed": (
        "ProtectedCodeRenamed",
        "Protected code is reproduced under other names.",
        "The code is that of a protected document, with its names changed, which does not change "
        "whose it is. Keep to the licence of the original, or write it anew.",
    ),
}


def sarif_report(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The log, in pieces as rows come; nothing of a row is kept but its problem."""
    head = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver()},
                "columnKind": "utf16CodeUnits",
                "results": [],
                "invocations": [],
            }
        ],
    }
    before, between, after = _cut(json.dumps(head, indent=1), '"results": [', '"invocations": [')
    problems: list[dict[str, Any]] = []
    yield before
    separator = "\n"
    for row in rows:
        if row.get("error"):
            problems.append(_notification(row))
            continue
        for finding in findings_of(row):
            yield separator + json.dumps(_result(finding))
            separator = ",\n"
    yield between
    invocation: dict[str, Any] = {"executionSuccessful": not problems}
    if problems:
        invocation["toolExecutionNotifications"] = problems
    yield json.dumps(invocation)
    yield after + "\n"


def _cut(text: str, *marks: str) -> Iterator[str]:
    """The text in pieces, each ending with a mark."""
    for mark in marks:
        piece, _, text = text.partition(mark)
        yield piece + mark
    yield text


def _driver() -> dict[str, Any]:
    return {
        "name": "dedup",
        "version": __version__,
        "rules": [
            {
                "id": id,
                "name": name,
                "shortDescription": {"text": short},
                "fullDescription": {"text": f"{short} {help}"},
                "help": {"text": help},
                "defaultConfiguration": {"level": "error"},
                "properties": {"tags": ["licence", "copyright"]},
            }
            for id, (name, short, help) in _RULES.items()
        ],
    }


def _result(finding: Finding) -> dict[str, Any]:
    match, place = finding.match, finding.evidence.place
    rule = _rule_of(match)
    sources = {ruling.match.document: ruling.match for ruling in reversed(finding.rulings)}
    ordered = sorted(sources.values(), key=lambda source: source is not match)
    return {
        "ruleId": rule,
        "ruleIndex": list(_RULES).index(rule),
        "level": _LEVELS.get(finding.action, "none"),
        "message": {"text": finding.message()},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": uri_of(finding.document)},
                    "region": {
                        "startLine": place.start_line,
                        "startColumn": place.start_column,
                        "endLine": place.end_line,
                        "endColumn": place.end_column,
                    },
                }
            }
        ],
        "relatedLocations": [
            _related(number, source) for number, source in enumerate(ordered[:_MAX_SOURCES])
        ],
        "partialFingerprints": {"passage/v1": finding.evidence.fingerprint},
        "properties": {
            "action": finding.action,
            "rule": finding.rulings[0].rule,
            "view": match.view,
            "kind": match.kind,
            "document": match.document,
            "corpus": match.corpus,
            "owner": match.owner,
            "licence": match.licence,
            "tokens": match.tokens,
            "run": match.run,
            "identity": round(match.identity, 4),
            "containment": round(match.containment, 4),
            "jaccard": round(match.jaccard, 4),
            "sources": match.sources,
        },
    }


def _rule_of(match: Match) -> str:
    if match.view == "text":
        return "protected-text"
    return "protected-code-renamed" if match.kind == "renamed" else "protected-code-exact"


def _related(number: int, match: Match) -> dict[str, Any]:
    is_page = match.url.startswith(("https://", "http://"))
    location: dict[str, Any] = {
        "artifactLocation": {"uri": uri_of(match.url if is_page else match.document)}
    }
    where = f", in {printable(match.function)}" if match.function else ""
    if match.lines[0]:
        first, last = match.lines
        location["region"] = {"startLine": first, "endLine": last}
        where += f", lines {first}-{last}"
    text = f"the original: {printable(match.document)}{where}"
    return {"id": number, "physicalLocation": location, "message": {"text": text}}


def _notification(row: Mapping[str, Any]) -> dict[str, Any]:
    notification: dict[str, Any] = {
        "level": "error",
        "message": {"text": f"not checked: {printable(row['error'])}"},
    }
    if row.get("document"):
        place = {"artifactLocation": {"uri": uri_of(row["document"])}}
        notification["locations"] = [{"physicalLocation": place}]
    return notification
