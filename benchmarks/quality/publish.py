"""python -m benchmarks.quality.publish QUALITY.json...: the report as the README has it.

Draws the charts of ``benchmarks/results`` and writes the section of ``benchmarks/README.md`` that
stands between its two marks. ``results/before.json`` has the rows of an earlier run, of the release
without normaliser, that the rows are shown beside. Runs of some sections are put together.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from .benign import SETS
from .matrix import ATTACKS, ROWS
from .report import MAIN_LENGTH, TRIED
from .svg import Point, alone, curves, intervals
from .trials import PROFILES

__all__ = ["charts", "section", "together"]

_FOLDER = Path(__file__).parents[1]
_README = _FOLDER / "README.md"
_RESULTS = _FOLDER / "results"
_BEGIN, _END = "<!-- quality: written by benchmarks.quality.publish -->", "<!-- /quality -->"

# Names in a chart, and the attacks: by length at medium strength, and by rate.
_BY_LENGTH = {
    "as it is": "as it is",
    "a fifth of the words replaced": "replaced",
    "a fifth put in": "words put in",
    "a fifth left out": "left out",
    "every fourth replaced": "every n-th replaced",
    "chunks of 12 shuffled": "chunks shuffled",
    "typing errors in a tenth": "typing errors",
    "a third left out in stretches": "stretches left out",
}
_BY_RATE = {
    "words replaced": "replaced",
    "words put in": "words put in",
    "words left out": "left out",
    "words with a typing error": "typing errors",
    "stretches left out": "stretches left out",
}

Json = Mapping[str, Any]


class Table(NamedTuple):
    """A table of Markdown."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.publish", description="Charts and the README's section."
    )
    parser.add_argument("reports", type=Path, nargs="+", help="quality.json of a run, or of more")
    paths = parser.parse_args().reports
    report = together([json.loads(path.read_text()) for path in paths])
    before = json.loads((_RESULTS / "before.json").read_text())
    for name, chart in charts(report, before).items():
        (_RESULTS / f"{name}.svg").write_text(alone(chart))
    head, _, rest = _README.read_text().partition(_BEGIN)
    _, mark, tail = rest.partition(_END)
    if not mark:
        raise SystemExit(f"{_README}: expected {_BEGIN} and after it {_END}")
    _README.write_text(f"{head}{_BEGIN}\n\n{section(report, before)}\n\n{_END}{tail}")


def together(reports: Sequence[Json]) -> Json:
    """One report of several, each of some sections; of a section made twice the last counts."""
    whole: dict[str, Any] = {}
    for report in reports:
        views = {cell["view"] for cell in report["cells"]}
        for key, value in report.items():
            if key in ("cells", "leaks"):
                kept = [one for one in whole.get(key, []) if one["view"] not in views]
                whole[key] = [*kept, *value]
            elif key == "summary":
                rows = {row["row"]: row for row in [*whole.get(key, []), *value]}
                whole[key] = [rows[name] for name in ROWS if name in rows]
            elif key == "seconds":
                whole[key] = whole.get(key, 0) + value
            elif value or key not in whole:
                whole[key] = value
    return whole


# ---- charts


def charts(report: Json, before: Json) -> dict[str, str]:
    """SVG by name, as far as the report has the figures."""
    prose = [cell for cell in report["cells"] if cell["view"] == "text"]
    made = {}
    if prose:
        made |= _prose_charts(prose)
        made["rows"] = _rows_chart(report["summary"], before["rows"])
    if report["alarms"]:
        made["alarms"] = _alarms_chart(report["alarms"])
    return made


def _prose_charts(cells: Sequence[Json]) -> dict[str, str]:
    medium = {attack.name: attack.medium for attack in ATTACKS}
    by_length = {
        title: [
            _point(f"{cell['length']}", cell["block"]["balanced"])
            for cell in cells
            if cell["attack"] == name and cell["strength"] == medium[name]
        ]
        for title, name in _BY_LENGTH.items()
    }
    at_main = [cell for cell in cells if cell["length"] == MAIN_LENGTH]
    by_rate = {title: _by_rate(at_main, name, "balanced") for title, name in _BY_RATE.items()}
    by_profile = {profile: _by_rate(at_main, "replaced", profile) for profile in PROFILES}
    return {
        "lengths": _curves("blocked, by words copied", "words copied", by_length),
        "strengths": _curves(f"blocked, of {MAIN_LENGTH} words", "of the words", by_rate),
        "profiles": _curves("blocked by profile", "of 60 words replaced", by_profile),
    }


def _by_rate(cells: Iterable[Json], attack: str, profile: str) -> list[Point]:
    return [
        _point(f"{cell['strength']:g}", cell["block"][profile])
        for cell in cells
        if cell["attack"] == attack
    ]


def _curves(title: str, unit: str, series: Mapping[str, Sequence[Point]]) -> str:
    places = sorted({p.label for points in series.values() for p in points}, key=float)
    return curves(title, unit, list(series.items()), places=places, has_key=True)


def _rows_chart(summary: Sequence[Json], before: Json) -> str:
    rows = []
    for row in summary:
        now = _point("now", _weakest(row))
        then = [_point("before", before[row["row"]])] if row["row"] in before else [now]
        rows.append((f"{row['row']} {row['title']}", [*then, now], row["first"]))
    title = "the weakest attack of each row: found as is wanted, of 60 words"
    return intervals(title, rows, key=("before the normaliser", "now"), is_root=False)


def _alarms_chart(alarms: Sequence[Json]) -> str:
    plain, excused = alarms[-2:]
    rows = []
    for one, other in zip(plain["sets"], excused["sets"], strict=True):
        points = [
            _point(name, of["block"]["balanced"])
            for name, of in (("no background", one), ("with one", other))
        ]
        rows.append((f"{one['set']} ({one['n']})", points, SETS[one["set"]].first))
    title = f"benign texts blocked, {plain['tokens']:,} words protected"
    return intervals(title, rows, key=("no background index", "with one"))


def _point(label: str, rate: Json) -> Point:
    return Point(label, rate["rate"], rate["low"], rate["high"])


def _weakest(row: Json) -> Json:
    found: Json = next(one for one in row["attacks"] if one["attack"] == row["weakest"])
    return found


# ---- the section


def section(report: Json, before: Json) -> str:
    """What stands between the marks: tables, charts, and what is out of reach."""
    return "\n\n".join(str(part) for part in _parts(report, before))


def _parts(report: Json, before: Json) -> Iterator[object]:
    commit = report["versions"].get("commit") or "unknown"
    yield f"Commit {commit}; {report['machine']}; {report['seconds'] // 60} minutes."
    if report["cells"]:
        yield _figure("rows", "What is found of each row of the matrix, before and now")
        yield _matrix(report, before)
        yield (
            "*Covered*: the bytes of a copy that spans cover, and the words they have too many, "
            "medians of what was found. *Out*: the longest run of words of a copy that left a "
            "stream before it was blocked, at most (20 is the promise)."
        )
        yield _figure("lengths", "Blocked, by the words copied")
        yield _figure("strengths", "Blocked, by the share of words changed")
        yield _figure("profiles", "Blocked by strict, balanced and lenient")
        yield from _tried(report)
    if report["alarms"]:
        yield from _alarms(report)
    if report["cases"]:
        yield "Copies that others made, none of which is a copy or not by itself:"
        yield _cases(report["cases"])
    for table in report["rivals"]:
        yield from _rivals(table)
    yield _out_of_reach(report)


def _figure(name: str, title: str) -> str:
    return f"![{title}](results/{name}.svg)"


def _matrix(report: Json, before: Json) -> Table:
    cells = defaultdict(list)
    for cell in report["cells"]:
        if cell["covered"]["median"]:  # where it was looked at
            cells[cell["row"], cell["attack"]].append(cell)
    runs = defaultdict(list)
    for leak in report["leaks"]:
        if leak["longest run"]:
            runs[leak["row"]].append(leak["longest run"]["most"])
    rows = []
    for row in report["summary"]:
        mine = [c for one in row["attacks"] for c in cells[row["row"], one["attack"]]]
        covered = [cell["covered"]["median"] for cell in mine]
        outside = [cell["outside_words"]["median"] for cell in mine]
        then = before["rows"].get(row["row"])
        weakest = "" if len(row["attacks"]) == 1 else f" {row['weakest']}"
        missed = ", **missed**" if row["is_met"] is False else ""
        rows.append(
            [
                row["row"],
                row["title"],
                f"{len(row['attacks'])}",
                "" if then is None else _percent(then["rate"]),
                _percent(row["mean"]),
                f"{_percent(row['least'])}{weakest}{missed}",
                " / ".join(_percent(row[key], 1) for key in ("first", "trusted") if row[key]),
                f"{_percent(median(covered), 0)}, {median(outside):g}" if covered else "",
                f"{max(runs[row['row']])}" if runs[row["row"]] else "",
            ]
        )
    head = "row||attacks|weakest before|mean|weakest|wanted, first / trusted|covered|out"
    return Table(head.split("|"), rows)


def _tried(report: Json) -> Iterator[object]:
    """Attacks of which nothing is wanted: those beyond the matrix."""
    rows = [
        [one["attack"], row["row"], _percent(one["rate"])]
        for row in report["summary"]
        for one in row["attacks"]
        if one["attack"] in TRIED
    ]
    if rows:
        yield "Variants that no row names, tried to see; they count in no mean:"
        yield Table(["", "of row", "blocked"], rows)


def _alarms(report: Json) -> Iterator[object]:
    *_, plain, excused = report["alarms"]
    few = report["alarms"][:2]
    yield (
        f"What is wrongly stopped: benign texts blocked, where {few[0]['tokens']:,} and "
        f"{plain['tokens']:,} words are protected, half prose and half code; without and with a "
        f"background index of {report['background']['tokens']:,} words, made of texts of other "
        "owners by `dedup index background` (`quality/permitted.py`). 95 % intervals; texts "
        "judged true copies are left out (`quality/judgements.json` says which, and why)."
    )
    yield _figure("alarms", "Benign texts blocked, without and with a background index")
    sizes = [few[0], few[1], plain, excused]
    rows = []
    for at, one in enumerate(plain["sets"]):
        wanted = SETS[one["set"]]
        rates = [size["sets"][at]["block"]["balanced"] for size in sizes]
        met = "" if wanted.first is None else _met(rates[-1], wanted.first, wanted.trusted)
        shown = [_rate(rate) for rate in rates]
        rows.append([f"{one['set']} {wanted.title}", f"{one['n']:,}", *shown, met])
    size = [f"{of['tokens'] / 1e6:.1f} M" for of in (few[0], plain)]
    yield Table(
        ["set", "texts", size[0], "with background", size[1], "with background", "wanted"], rows
    )
    yield "By the rule that decided, over all sets, without a background:"
    yield Table(
        ["action", "rule", "texts", "judged"],
        [
            [r["action"], r["rule"], f"{r['texts']}", ", ".join(f"{k} {n}" for k, n in _judged(r))]
            for r in report["precision"]
        ],
    )


def _judged(rule: Json) -> list[tuple[str, int]]:
    return sorted(rule["judged"].items())


def _met(rate: Json, first: float, trusted: float | None) -> str:
    wanted = " / ".join(_percent(value, 2) for value in (first, trusted) if value is not None)
    return f"{wanted} %{', **missed**' if rate['rate'] > first else ''}"


def _rate(rate: Json) -> str:
    return f"{rate['hits']} ({_percent(rate['low'], 2)}-{_percent(rate['high'], 2)} %)"


def _cases(cases: Sequence[Json]) -> Table:
    return Table(
        ["", "", "texts", "found", "flagged", "blocked"],
        [
            [
                cell["attack"],
                f"{cell['length']}",
                f"{cell['n']}",
                _percent(cell["found"]["rate"]),
                _percent(cell["flag"]["balanced"]["rate"]),
                _percent(cell["block"]["balanced"]["rate"]),
            ]
            for cell in cases
        ],
    )


def _rivals(table: Json) -> Iterator[object]:
    yield (
        f"{table['title']}: % of copies with the right document, the score of each tool cut "
        "where it stops as many of the unrelated texts as `dedup` does."
    )
    attacks = list(table["rows"][0]["recall"])
    yield Table(
        ["", *attacks, "ms a query"],
        [
            [
                row["engine"],
                *(_percent(row["recall"][attack]["rate"], 0) for attack in attacks),
                f"{row['ms a query']:.1f}",
            ]
            for row in table["rows"]
        ],
    )


def _out_of_reach(report: Json) -> str:
    told = (
        "**Out of reach.** What compares words does not know a translation, a paraphrase in other "
        "words or a retelling (row 22), code written anew from an idea or in another language "
        "(C8), a cipher of one's own, a picture or a compressed file (17)."
    )
    blocked = {cell["length"]: cell["block"]["balanced"]["rate"] for cell in report["cases"]}
    if blocked:
        shares = {name: _percent(blocked.get(name, 0.0), 0) for name in ("light", "heavy", "non")}
        told += (
            f" Of what students wrote {shares['light']} % of light revisions are blocked, "
            f"{shares['heavy']} % of heavy ones, and {shares['non']} % of answers of their own; "
            "how alike programs have to be, the table of copies that others made says."
        )
    return told


def _percent(value: float, digits: int = 1) -> str:
    text = f"{100 * value:.{digits}f}"
    return text if value else "0"


if __name__ == "__main__":
    main()
