"""The figures as one JSON file and one HTML page that needs nothing else."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from .benign import SETS
from .code import TOO_SHORT
from .interval import Rate
from .matrix import ATTACKS, CODE_MEDIUM, ROWS
from .svg import Point, curves, intervals
from .trials import PROFILES, Cell

__all__ = ["MAIN_LENGTH", "TRIED", "precision", "summary", "write"]

# The length that the matrix speaks of is 50 words; the figures of a row are of this many.
MAIN_LENGTH = 60
# Attacks that are tried to see what becomes of them, and of which nothing is wanted.
TRIED = {attack.name for attack in ATTACKS if attack.tier == "none"}
# Rows 18 to 20, which are no attacks on a text: characters a piece, parts, words a request.
_DELIVERED = (1, 4, 20)


def summary(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """A row of the matrix each: the attacks at medium strength, the weakest figure, the targets."""
    by_attack: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        if _is_medium(cell):
            by_attack[cell.row, cell.attack].append(cell)
    tiers = {attack.name: attack.tier for attack in ATTACKS}
    rows = []
    for row, wanted in ROWS.items():
        attacks = []
        for (of, name), parts in by_attack.items():
            level = tiers.get(name, "block")
            if of == row:
                level = "block" if level == "none" else level
                attacks.append({"attack": name, "level": level, **_rate(parts, level).to_dict()})
        if not attacks:
            continue
        asked = [one for one in attacks if one["trials"] and one["attack"] not in TRIED] or attacks
        weakest = min(asked, key=lambda one: one["rate"])
        rows.append(
            {
                "row": row,
                "title": wanted.title,
                "first": wanted.first,
                "trusted": wanted.trusted,
                "mean": round(sum(one["rate"] for one in asked) / len(asked), 4),
                "weakest": weakest["attack"],
                "least": weakest["rate"],
                "is_met": None if wanted.first is None else weakest["rate"] >= wanted.first,
                "missing": sum(one["rate"] < (wanted.first or 0.0) for one in asked),
                "attacks": attacks,
            }
        )
    return rows


def _is_medium(cell: Cell) -> bool:
    if cell.view == "code":
        is_medium = cell.strength == CODE_MEDIUM.get(cell.attack, cell.strength)
        return is_medium and cell.length != TOO_SHORT
    for attack in ATTACKS:
        if attack.name == cell.attack:
            return cell.strength == attack.medium and cell.length == MAIN_LENGTH
    return cell.strength in _DELIVERED


def _rate(cells: Iterable[Cell], level: str, profile: str = "balanced") -> Rate:
    rates = [cell.rate(level, profile) for cell in cells]
    return Rate(sum(rate.hits for rate in rates), sum(rate.trials for rate in rates))


def precision(alarms: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """By the rule that decided, over all sets: how many texts, and how those were judged."""
    fired: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for one in alarms:
        for rule in one["rules"]:
            fired[rule["action"], rule["rule"]].update(rule["judged"])
    rows = []
    for (action, rule), judged in sorted(fired.items()):
        known = sum(n for name, n in judged.items() if name != "not judged")
        rows.append(
            {
                "action": action,
                "rule": rule,
                "texts": sum(judged.values()),
                "judged": dict(judged),
                "precision": Rate(judged["copy"], known).to_dict() if known else None,
            }
        )
    return rows


# ---- the page


def write(folder: Path, report: dict[str, Any], cells: Sequence[Cell]) -> None:
    """``quality.json`` and ``quality.html``."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=1, ensure_ascii=False)
    (folder / "quality.json").write_text(text + "\n")
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.filters["percent"] = _percent
    environment.filters["rate"] = _interval
    page = environment.get_template("page.html.j2").render(
        report=report,
        profiles=PROFILES,
        sets=SETS,
        charts=_charts(cells),
        alarm_charts=[_alarm_chart(one) for one in report["alarms"]],
    )
    (folder / "quality.html").write_text(page)


def _percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def _interval(rate: dict[str, Any], digits: int = 1) -> str:
    if not rate["trials"]:
        return "–"
    low, high = (f"{100 * rate[key]:.{digits}f}" for key in ("low", "high"))
    return f"{100 * rate['rate']:.{digits}f} % ({low}–{high}, {rate['hits']} of {rate['trials']})"


def _charts(cells: Sequence[Cell]) -> dict[str, list[Markup]]:
    """By row: for each attack, how often each profile blocks, by strength and by length."""
    found: dict[str, list[Markup]] = defaultdict(list)
    units = {attack.name: attack.unit for attack in ATTACKS}
    by_attack: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        by_attack[cell.row, cell.attack].append(cell)
    for (row, name), mine in by_attack.items():
        is_code = mine[0].view == "code"
        at_main = [cell for cell in mine if is_code or cell.length == MAIN_LENGTH]
        at_medium = [cell for cell in mine if is_code or cell.strength == _medium_of(name)]
        for groups, unit, by in (
            (_grouped(at_main, "strength"), units.get(name, ""), "strength"),
            (_grouped(at_medium, "length"), "tokens" if is_code else "words", "length"),
        ):
            if len(groups) > 1:
                lines = [(profile, _points(groups, profile)) for profile in PROFILES]
                drawn = curves(f"{name}: blocked, by {by}", unit, lines)
                figure = f"<figure><figcaption>{escape(name)}, by {by}</figcaption>{drawn}</figure>"
                found[row].append(Markup(figure))
    return found


def _medium_of(name: str) -> float | None:
    return next((attack.medium for attack in ATTACKS if attack.name == name), None)


def _grouped(cells: Sequence[Cell], by: str) -> list[tuple[str, list[Cell]]]:
    """By strength or length, in the order in which they were tried."""
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        value = getattr(cell, by)
        groups[f"{value:g}" if isinstance(value, float | int) else value].append(cell)
    return list(groups.items())


def _points(groups: Sequence[tuple[str, Sequence[Cell]]], profile: str) -> list[Point]:
    points = []
    for label, cells in groups:
        rate = _rate(cells, "block", profile)
        points.append(Point(label, rate.value, *rate.interval))
    return points


def _alarm_chart(alarms: dict[str, Any]) -> Markup:
    rows = []
    for one in alarms["sets"]:
        rate = one["block"]["balanced"]
        point = Point("blocked", rate["rate"], rate["low"], rate["high"])
        rows.append((f"{one['set']} ({one['n']})", [point], SETS[one["set"]].first))
    title = f"benign texts blocked by the balanced profile, {alarms['tokens']:,} words protected"
    return Markup(intervals(title, rows))  # made of numbers and our names
