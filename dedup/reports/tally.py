"""What rows add up to: totals, and the findings by corpus, owner, licence, rule and kind.

Takes each row with its findings once; keeps counts, and the problems, but no text.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dedup.policy import STRENGTH, Action
from dedup.reports.finding import Finding

__all__ = ["GROUPINGS", "Group", "Tally"]

GROUPINGS: Final = ("corpus", "owner", "licence", "source", "rule", "kind")

# Those left out are counted.
_MAX_PROBLEMS: Final = 200


@dataclass(slots=True)
class Group:
    """Findings that have something in common, and in how many documents they are."""

    name: str
    documents: int = 0
    actions: Counter[Action] = field(default_factory=Counter)

    @property
    def findings(self) -> int:
        return self.actions.total()


class Tally:
    """Counts of the rows seen.

    Attributes
    ----------
    documents, bytes : int
        Checked, and how large together; what could not be checked is not in them.
    verdicts : Counter
        Documents by action.
    findings : Counter
        Findings by action.
    exempted : Counter
        Matches that do not count, by the rule that exempts them.
    problems : list of str
        The first that were met; `more_problems` counts the rest.
    noted : int
        Documents that were judged by less than all views.
    generation : int
        Of the index, the newest in the rows.
    """

    def __init__(self) -> None:
        self.documents = 0
        self.bytes = 0
        self.verdicts: Counter[Action] = Counter()
        self.findings: Counter[Action] = Counter()
        self.exempted: Counter[str] = Counter()
        self.problems: list[str] = []
        self.more_problems = 0
        self.noted = 0
        self.generation = 0
        self._groups: dict[str, dict[str, Group]] = {name: {} for name in GROUPINGS}

    def see(self, row: Mapping[str, Any], findings: Sequence[Finding]) -> None:
        """Count a row and its findings."""
        if row.get("error"):
            if len(self.problems) < _MAX_PROBLEMS:
                self.problems.append(_problem(row))
            else:
                self.more_problems += 1
            return
        self.documents += 1
        self.bytes += row["bytes"]
        self.noted += bool(row.get("note"))
        self.generation = max(self.generation, row["index_generation"])
        self.verdicts[row["action"]] += 1
        self.exempted.update(match["rule"] for match in row["exempted"])
        touched: set[tuple[str, str]] = set()
        for finding in findings:
            self.findings[finding.action] += 1
            for grouping, name in _labels(finding):
                group = self._groups[grouping].setdefault(name, Group(name))
                group.actions[finding.action] += 1
                touched.add((grouping, name))
        for grouping, name in touched:
            self._groups[grouping][name].documents += 1

    def groups(self, grouping: str) -> list[Group]:
        """The groups of one of GROUPINGS, those with the gravest and the most findings first."""
        return sorted(self._groups[grouping].values(), key=_gravity)


def _gravity(group: Group) -> tuple[tuple[int, ...], str]:
    strongest_first = sorted(STRENGTH, key=lambda action: -STRENGTH[action])
    return tuple(-group.actions[action] for action in strongest_first), group.name


def _labels(finding: Finding) -> set[tuple[str, str]]:
    """What a finding is counted under; a passage of several documents under each."""
    labels = {("rule", finding.rulings[0].rule), ("kind", finding.match.kind)}
    for ruling in finding.rulings:
        match = ruling.match
        labels |= {
            ("corpus", match.corpus),
            ("owner", match.owner),
            ("licence", match.licence),
            ("source", match.document),
        }
    return labels


def _problem(row: Mapping[str, Any]) -> str:
    name, error = row.get("document") or "", str(row["error"])
    return error if error.startswith(name) else f"{name}: {error}"
