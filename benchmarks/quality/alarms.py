"""What is wrongly stopped: benign texts against what is protected, by set, profile and rule.

Every hit of the balanced profile is listed for a person to judge; ``judgements.json`` keeps what
was judged, by shell patterns of set, text and document, or by the key of one hit, and why:

    copy      the text does hold what the document holds and somebody wrote: rightly stopped
    common    both hold what is everybody's: a licence, a formula, a scaffold, facts
    false     nothing but chance or form in common

``copy`` is left out of the rates; what nobody judged counts as wrong. The same answers are counted
twice: as they are, and with what a background index leaves of them.
"""

import json
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from dedup import Index, Match, Policy, Verdict
from dedup.match import with_background

from .benign import SETS, Probe
from .interval import Rate
from .trials import PROFILES, STRENGTH

__all__ = ["Alarms", "Hit", "Judgement", "count_alarms", "judgements"]

_JUDGEMENTS = Path(__file__).with_name("judgements.json")
_POLICIES = {name: Policy.load(name) for name in PROFILES}
_SHOWN = 700


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a person said of hits: of one by its key, or of all that fit the patterns."""

    judgement: str
    why: str
    key: str = ""
    set: str = "*"
    probe: str = "*"
    document: str = "*"

    def fits(self, key: str, set: str, probe: str, document: str) -> bool:
        if self.key:
            return self.key == key
        pairs = ((set, self.set), (probe, self.probe), (document, self.document))
        return all(fnmatchcase(text, pattern) for text, pattern in pairs)


def judgements() -> list[Judgement]:
    """In order: the first that fits a hit counts."""
    return [Judgement(**fields) for fields in json.loads(_JUDGEMENTS.read_text())]


@dataclass(frozen=True, slots=True)
class Hit:
    """A benign text that the balanced profile flags or blocks, and the match that led to it."""

    key: str
    set: str
    probe: str
    document: str
    action: str
    rule: str
    numbers: dict[str, Any]
    query_text: str
    document_text: str
    judgement: str

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Alarms:
    """The answers to one set."""

    set: str
    n: int = 0
    copies: int = 0
    actions: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in PROFILES}
    )
    judged: dict[tuple[str, str], Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    hits: list[Hit] = field(default_factory=list)

    def rate(self, action: str, profile: str = "balanced") -> Rate:
        """Of the texts that are no copies, those with this action or more."""
        counted = self.actions[profile]
        least = STRENGTH.index(action)
        hits = sum(n for done, n in counted.items() if STRENGTH.index(done) >= least)
        return Rate(hits, self.n - self.copies)

    def to_dict(self) -> dict[str, Any]:
        return {
            "set": self.set,
            "title": SETS[self.set].title,
            "n": self.n,
            "judged copies": self.copies,
            **{
                action: {profile: self.rate(action, profile).to_dict() for profile in PROFILES}
                for action in ("flag", "block")
            },
            "rules": [
                {
                    "action": action,
                    "rule": rule,
                    "texts": judged.total(),
                    "judged": dict(judged),
                }
                for (action, rule), judged in sorted(self.judged.items())
            ],
        }


def count_alarms(
    index: Index, background: Index, documents: dict[str, str], sets: dict[str, list[Probe]]
) -> tuple[list[Alarms], list[Alarms]]:
    """The answers to every set that has texts, without the background and with it."""
    known = judgements()
    plain, excused = [], []
    for key, probes in sets.items():
        if not probes:
            continue
        print(f"{key}: {len(probes)} texts", file=sys.stderr, flush=True)
        plain.append(Alarms(key, len(probes)))
        excused.append(Alarms(key, len(probes)))
        for at in range(0, len(probes), 64):
            batch = probes[at : at + 64]
            answers = index.search_batch([probe.text for probe in batch], 1)
            for probe, matches in zip(batch, answers, strict=True):
                _count(plain[-1], probe, matches, documents, known)
                if matches:
                    matches = with_background(matches, background.search(probe.text))
                _count(excused[-1], probe, matches, documents, known)
    return plain, excused


def _count(
    alarms: Alarms,
    probe: Probe,
    matches: list[Match],
    documents: dict[str, str],
    known: list[Judgement],
) -> None:
    verdicts = {name: policy.judge(probe.text, matches) for name, policy in _POLICIES.items()}
    balanced = verdicts["balanced"]
    if balanced.action != "allow" and _noted(alarms, probe, balanced, documents, known):
        alarms.copies += 1
        return
    for name, verdict in verdicts.items():
        alarms.actions[name][verdict.action] += 1


def _noted(
    alarms: Alarms,
    probe: Probe,
    verdict: Verdict,
    documents: dict[str, str],
    known: list[Judgement],
) -> bool:
    """Lists the hit; whether it was judged to be a copy."""
    first = next(ruling for ruling in verdict.rulings if ruling.action == verdict.action)
    match = first.match
    key = f"{probe.digest} {match.document}"
    said = (one.judgement for one in known if one.fits(key, alarms.set, probe.name, match.document))
    judgement = next(said, "")
    alarms.judged[verdict.action, first.rule][judgement or "not judged"] += 1
    alarms.hits.append(
        Hit(
            key=key,
            set=alarms.set,
            probe=probe.name,
            document=match.document,
            action=verdict.action,
            rule=verdict.rule or "",
            numbers={
                "view": match.view,
                "kind": match.kind,
                "tokens": match.tokens,
                "run": match.run,
                "identity": round(match.identity, 3),
                "containment": round(match.containment, 3),
                "distinct": match.distinct,
                "shared names": match.shared_names,
                "owners": match.owners,
            },
            query_text=_cut(probe.text, match.query_span),
            document_text=_cut(documents.get(match.document, ""), match.document_span),
            judgement=judgement,
        )
    )
    return judgement == "copy"


def _cut(text: str, span: tuple[int, int]) -> str:
    return text.encode()[span[0] : span[1]].decode(errors="replace")[:_SHOWN]
