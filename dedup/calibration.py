"""What a policy does to texts that are no copies, and thresholds that would do less of it.

Takes the rows of a scan of benign documents under ``everything``, which reports whatever the search
finds; gives how many of them a policy would stop, rule by rule, and a proposal: the same policy
with thresholds raised until so few are stopped as is wanted.

What is chosen on some texts looks better on them than on others, so thresholds are chosen on one
half of the documents, told apart by a hash of their ids, and the proposal is measured on the other.
"""

import math
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from dedup.match import Match, Span
from dedup.policy import STRENGTH, Policy, Rule

__all__ = ["Calibration", "Share", "Stop", "calibrate", "everything", "judged"]

# Of a normal distribution 95 % lie within so many standard deviations.
_Z: Final = 1.96

# A threshold is raised past so much of what its rule stops at a time: of thousands of documents one
# by one would take hours, and the last ones count.
_STEP: Final = 0.1

# What a rule may ask for, that which decides first.
_MEASURES: Final = ("min_total_distinct", "min_run", "min_tokens")

_SUPPRESSING: Final = ("redact", "block")
_TOLD_BY_RULE: Final = ("supplied", "background")  # rows leave them out: such a match is exempted


@dataclass(frozen=True, slots=True)
class Share:
    """So many of all, and what that says of others like them."""

    count: int
    of: int

    @property
    def rate(self) -> float:
        """The share itself, in [0, 1]; 0 of none."""
        return self.count / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """In which the rate of all such documents lies, in 95 of 100 cases.

        References
        ----------
        E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
        """
        if not self.of:
            return 0.0, 1.0
        n, p, z2 = self.of, self.rate, _Z * _Z
        middle = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = _Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
        low = middle - half if self.count else 0.0
        return low, (middle + half if self.count < self.of else 1.0)


@dataclass(frozen=True, slots=True)
class Stop:
    """What a rule does.

    Attributes
    ----------
    rule : str
        Its name.
    documents : int
        Documents with a match that it redacts or blocks.
    measure : str
        What it asks for most of all: ``min_total_distinct``, ``min_run``, ``min_tokens`` or
        ``min_distinct``.
    threshold : int
        How much of it.
    room : int
        The least threshold at which it would stop no further document.
    """

    rule: str
    documents: int
    measure: str
    threshold: int
    room: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a policy does to benign documents.

    Attributes
    ----------
    documents, bytes : int
        How many there were, and their size.
    stopped, flagged : Share
        Those that are redacted or blocked, and those that are flagged.
    stops : tuple of Stop
        Rule by rule, in the order of the policy; only rules that redact or block.
    wanted : float
        The rate of stopped documents that was asked for.
    proposal : Policy or None
        With thresholds raised so that, on the half they were chosen on, the interval of the rate
        ends at or below the wanted one; the policy itself if it is so already. None if so few
        documents cannot show so low a rate, even if none is stopped.
    chosen_on, measured_on : Share
        What the proposal stops of each half.
    """

    documents: int
    bytes: int
    stopped: Share
    flagged: Share
    stops: tuple[Stop, ...]
    wanted: float
    proposal: Policy | None
    chosen_on: Share
    measured_on: Share

    @property
    def needed_documents(self) -> int:
        """How many documents would show the wanted rate, if none of them is stopped."""
        return 2 * math.ceil(_Z * _Z * (1 / self.wanted - 1))


@dataclass(frozen=True, slots=True)
class _Found:
    """A document in which the search found something."""

    document: str
    matches: tuple[Match, ...]

    @property
    def is_for_choosing(self) -> bool:
        return _is_for_choosing(self.document)


def everything() -> Policy:
    """The policy that reports all that is found, and stops nothing."""
    return Policy("everything", (Rule(name="found", action="flag"),))


def calibrate(rows: Iterable[Mapping[str, Any]], policy: Policy, wanted: float) -> Calibration:
    """What a policy does to the documents of these rows, and what to change.

    Parameters
    ----------
    rows : iterable of rows
        Of a scan under ``everything``; those of documents that could not be read are passed over.
    policy : Policy
        The one in question.
    wanted : float
        The share of benign documents that may be stopped, in (0, 1).

    Raises
    ------
    ValueError
        If ``wanted`` is no such share.
    """
    if not 0 < wanted < 1:
        raise ValueError(f"the wanted rate is a share between 0 and 1, got {wanted}")
    found: list[_Found] = []
    documents = size = for_choosing = 0
    for row in rows:
        if row["action"] is None:
            continue
        documents += 1
        size += row["bytes"]
        for_choosing += _is_for_choosing(row["document"])
        if row["matches"]:
            found.append(_Found(row["document"], tuple(map(_match_of, row["matches"]))))
    actions = Counter(_action(policy, one) for one in found)
    for_measuring = documents - for_choosing
    proposal = _raised(policy, [one for one in found if one.is_for_choosing], for_choosing, wanted)
    stopped = [one for one in found if _is_stopped(proposal or policy, one)]
    chosen = sum(one.is_for_choosing for one in stopped)
    return Calibration(
        documents=documents,
        bytes=size,
        stopped=Share(sum(actions[action] for action in _SUPPRESSING), documents),
        flagged=Share(actions["flag"], documents),
        stops=tuple(_stops(policy, found)),
        wanted=wanted,
        proposal=proposal,
        chosen_on=Share(chosen, for_choosing),
        measured_on=Share(len(stopped) - chosen, for_measuring),
    )


def judged(row: Mapping[str, Any], policy: Policy) -> dict[str, Any]:
    """A row of a scan under ``everything``, as a scan under the policy would give it."""
    told = {"matches": [], "exempted": list(row["exempted"])}
    rules = policy.rules_on([_match_of(match) for match in row["matches"]])
    for match, rule in zip(row["matches"], rules, strict=True):
        if rule is not None:
            kept = "exempted" if rule.action == "allow" else "matches"
            told[kept].append(dict(match) | {"rule": rule.name, "action": rule.action})
    strongest = max(told["matches"], key=lambda match: STRENGTH[match["action"]], default=None)
    exempting = told["exempted"][0]["rule"] if told["exempted"] else None
    return dict(row) | {
        "action": strongest["action"] if strongest else "allow",
        "rule": strongest["rule"] if strongest else exempting,
        **told,
    }


def _raised(
    policy: Policy, found: Sequence[_Found], documents: int, wanted: float
) -> Policy | None:
    """The policy with thresholds raised until the rate is known to be no more than wanted."""
    if Share(0, documents).interval[1] > wanted:
        return None
    left = found
    while True:
        left = [one for one in left if _is_stopped(policy, one)]  # raising one stops no other
        if Share(len(left), documents).interval[1] <= wanted:
            return policy
        policy = _with_rule(policy, min(_raises(policy, left), key=lambda raise_: raise_[:2])[2])


def _raises(policy: Policy, stopped: Sequence[_Found]) -> Iterator[tuple[float, str, Rule]]:
    """How each rule could let go of the weakest of what it stops; how far it has to be raised."""
    for rule in policy.rules:
        if rule.action not in _SUPPRESSING:
            continue
        measure = _measure(rule)
        strongest = sorted(
            max(values)
            for one in stopped
            if (values := _values(_ruled(policy, one, rule), rule, measure))
        )
        if strongest:
            threshold = strongest[int(_STEP * len(strongest))] + 1
            ratio = threshold / max(1, getattr(rule, measure))
            yield ratio, rule.name, _with_threshold(rule, measure, threshold)


def _stops(policy: Policy, found: Sequence[_Found]) -> Iterator[Stop]:
    stopped = [one for one in found if _is_stopped(policy, one)]
    free = [one for one in found if not _is_stopped(policy, one)]
    for rule in policy.rules:
        if rule.action not in _SUPPRESSING:
            continue
        measure = _measure(rule)
        lowest = _with_threshold(rule, measure, 1)
        lowered = _with_rule(policy, lowest)
        near = [
            value
            for one in free
            for value in _values(_ruled(lowered, one, lowest), lowest, measure)
        ]
        yield Stop(
            rule=rule.name,
            documents=sum(bool(_ruled(policy, one, rule)) for one in stopped),
            measure=measure,
            threshold=getattr(rule, measure),
            room=max(near, default=0) + 1,
        )


def _with_rule(policy: Policy, rule: Rule) -> Policy:
    rules = tuple(rule if old.name == rule.name else old for old in policy.rules)
    return replace(policy, rules=rules)


def _with_threshold(rule: Rule, measure: str, threshold: int) -> Rule:
    change: dict[str, Any] = {measure: threshold}
    return replace(rule, **change)


def _measure(rule: Rule) -> str:
    """What a rule asks for most of all: it decides how long a passage has to be."""
    return next((name for name in _MEASURES if getattr(rule, name)), "min_distinct")


def _values(matches: Sequence[Match], rule: Rule, measure: str) -> list[int]:
    """How much there is of what a rule asks for in matches on which it fires."""
    if measure == "min_total_distinct":
        return list(rule.totals(matches).values())
    return [getattr(match, measure.removeprefix("min_")) for match in matches]


def _ruled(policy: Policy, found: _Found, rule: Rule) -> list[Match]:
    """The matches on which it is this rule that fires."""
    rules = policy.rules_on(found.matches)
    return [match for match, fired in zip(found.matches, rules, strict=True) if fired is rule]


def _is_stopped(policy: Policy, found: _Found) -> bool:
    return _action(policy, found) in _SUPPRESSING


def _action(policy: Policy, found: _Found) -> str:
    rules = policy.rules_on(found.matches)
    return max((rule.action for rule in rules if rule), key=STRENGTH.__getitem__, default="allow")


def _is_for_choosing(document: str) -> bool:
    return zlib.crc32(document.encode("utf-8", "surrogatepass")) % 2 == 0


def _match_of(told: Mapping[str, Any]) -> Match:
    """A match of a row, as it was."""
    names = [field.name for field in fields(Match) if field.name not in _TOLD_BY_RULE]
    values = {name: told[name] for name in names}
    values["query_span"], values["document_span"] = (
        Span(*told[name]) for name in ("query_span", "document_span")
    )
    return Match(**values | {"lines": tuple(told["lines"])})
