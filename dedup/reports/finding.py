"""What a report is about: a passage of a checked document, and where it comes from.

Takes rows as ``scan`` writes them, with the evidence of ``excerpt`` in their matches; gives
Findings, one for each passage, however many protected documents it stands in.
"""

import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec

from dedup.excerpt import Excerpt, Place
from dedup.match import Match
from dedup.passage import passages
from dedup.policy import Action, Ruling
from dedup.report import WORDS, printable

__all__ = ["Evidence", "Finding", "findings_of", "located", "uri_of"]

_IS_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a row says of a match beyond the match: see ``excerpt.evidence_of``."""

    place: Place
    fingerprint: str
    excerpt: Excerpt | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One passage of one document.

    Attributes
    ----------
    document : str
        What was checked, by name.
    rulings : tuple of Ruling
        On this passage, the strongest first; each is about a protected document.
    evidence : Evidence
        Of the first ruling.
    """

    document: str
    rulings: tuple[Ruling, ...]
    evidence: Evidence

    @property
    def action(self) -> Action:
        """The strongest action on the passage."""
        return self.rulings[0].action

    @property
    def match(self) -> Match:
        """The match that the strongest ruling is on."""
        return self.rulings[0].match

    def message(self) -> str:
        """One line for people: what was found, of what, under which licence."""
        match = self.match
        what = "renamed copy" if match.kind == "renamed" else f"{match.kind} copy"
        where = f"{printable(match.function)} of " if match.function else ""
        labels = {"corpus": match.corpus, "owner": match.owner, "licence": match.licence}
        known = ", ".join(f"{label} {printable(value)}" for label, value in labels.items() if value)
        known = f" ({known})" if known else ""
        others = len({ruling.match.document for ruling in self.rulings} - {match.document})
        also = f"; also in {others} more" if others else ""
        return (
            f"{what} of {where}{printable(match.document)}{known}: "
            f"{match.tokens} {WORDS[match.view]}, {match.run} in a row, "
            f"identity {match.identity:.2f}{also}; {self.action} by rule "
            f"{printable(self.rulings[0].rule)}"
        )


def findings_of(row: Mapping[str, Any]) -> list[Finding]:
    """The findings of a row, in the order of its text.

    Raises
    ------
    ValueError
        If the row is none, or was made without evidence; the message has the field.
    """
    rulings: list[Ruling] = []
    evidence: dict[int, Evidence] = {}
    for match in row["matches"]:
        ruling = Ruling(msgspec.convert(match, Match), match["rule"], match["action"])
        rulings.append(ruling)
        evidence[id(ruling)] = msgspec.convert(match, Evidence)
    return [Finding(row["document"], group, evidence[id(group[0])]) for group in passages(rulings)]


def located(
    rows: Iterable[Mapping[str, Any]], sources: Iterable[str]
) -> Iterator[Mapping[str, Any]]:
    """The rows, in which findings are in documents called by their paths, where these are files.

    The id of a document begins with the name of its source, wherever that is: of ``.`` too. Who
    opens a report wants to open the file.
    """
    folders = {Path(source): Path(source).absolute().name for source in sources}
    for row in rows:
        yield {**row, "document": _path_of(row["document"], folders)} if row["matches"] else row


def _path_of(id: str, folders: Mapping[Path, str]) -> str:
    for source, name in folders.items():
        if id == name or id.startswith(f"{name}/"):
            path = source / id[len(name) + 1 :]
            if path.exists():
                return str(path)
    return id


def uri_of(name: str) -> str:
    """A name as a URI, relative to where the command was run unless it says otherwise."""
    if _IS_ABSOLUTE.match(name):
        return quote(name, safe="/:?#[]@!$&'()*+,;=%~")
    if name == "-":
        return "stdin"
    path = posixpath.normpath(name)
    if path.startswith("/"):
        inside = os.path.relpath(path)
        if inside.startswith(".."):
            return "file://" + quote("/" + path.lstrip("/"), safe="/~")
        path = inside
    return quote(path, safe="/~")
