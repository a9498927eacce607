"""The instrument that measures detection: benchmarks/quality, in its small form."""

import json
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("black")
pytest.importorskip("python_minifier")

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.quality.alarms import judgements  # noqa: E402
from benchmarks.quality.attack import Attack, Dice  # noqa: E402
from benchmarks.quality.interval import Rate, wilson  # noqa: E402
from benchmarks.quality.matrix import ATTACKS, ROWS  # noqa: E402
from benchmarks.quality.publish import charts, section, together  # noqa: E402
from benchmarks.rivals import datasketch_rival, lexeme_rival, portrait_rival  # noqa: E402

PASSAGE = (
    "No one would have believed, in the last years of the nineteenth century, that this world was "
    "being watched keenly and closely by intelligences greater than man's and yet as mortal as his "
    "own; that as men busied themselves about their various concerns they were scrutinised and "
    "studied, perhaps almost as narrowly as a man with a microscope might scrutinise the transient "
    "creatures that swarm and multiply in a drop of water. The floor of fact is flat, they affirm."
)
OTHER = [f"other{number}" for number in range(1000)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quality")
    command = [sys.executable, "-m", "benchmarks.quality", "--small", "--out", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def report(folder: Path) -> Any:
    return json.loads((folder / "quality.json").read_text())


def test_report_has_every_row_of_the_matrix_but_paraphrase(report: Any) -> None:
    assert {row["row"] for row in report["summary"]} == ROWS.keys() - {"22"}


def test_copies_that_nobody_changed_are_all_blocked(report: Any) -> None:
    plain = [cell for cell in report["cells"] if cell["attack"] == "as it is"]
    assert {cell["view"] for cell in plain} == {"text", "code"}
    assert [cell["block"]["balanced"]["rate"] for cell in plain] == [1.0] * len(plain)


def test_rivals_are_asked_the_same_and_stop_no_more(report: Any) -> None:
    for table in report["rivals"]:
        ours, *others = table["rows"]
        assert others
        for row in others:
            assert row["recall"].keys() == ours["recall"].keys()
            assert row["false"]["hits"] <= ours["false"]["hits"]


def test_report_says_what_was_left_out(report: Any) -> None:
    assert any("benign sets" in line for line in report["left_out"])


def test_page_needs_nothing_else(folder: Path) -> None:
    page = (folder / "quality.html").read_text()
    assert not re.search(r"(src|href)\s*=|@import|url\(", page)
    assert page.count("<svg") > 50


def test_what_is_published_has_each_row_and_its_charts(report: Any) -> None:
    before = json.loads((ROOT / "benchmarks/results/before.json").read_text())
    drawn = charts(report, before)
    assert drawn.keys() == {"rows", "lengths", "strengths", "profiles"}
    text = section(report, before)
    assert all(f"(results/{name}.svg)" in text for name in drawn)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    for row in report["summary"]:
        assert any(line.startswith(f"| {row['row']} | {row['title']} |") for line in rows)


def test_runs_of_some_sections_are_put_together(report: Any) -> None:
    def part(view: str, others: bool) -> Any:
        empty = {} if others else {"rivals": [], "background": {}}
        rows = [row for row in report["summary"] if row["row"].startswith("C") == (view == "code")]
        of_view = {key: [x for x in report[key] if x["view"] == view] for key in ("cells", "leaks")}
        return {**report, **of_view, "summary": rows, **empty}

    whole = together([part("text", True), part("code", False), part("text", False)])
    for key in ("cells", "leaks"):
        assert sorted(map(str, whole[key])) == sorted(map(str, report[key]))
    assert whole["summary"] == report["summary"]
    assert whole["rivals"] == report["rivals"]
    assert whole["seconds"] == 3 * report["seconds"]


def test_false_blocks_are_shown_without_and_with_a_background(report: Any) -> None:
    def alarms(tokens: int, hits: int) -> Any:
        rate = Rate(hits, 1000).to_dict()
        block = {"balanced": rate}
        return {"tokens": tokens, "sets": [{"set": "F2", "n": 1000, "block": block}]}

    sizes = [alarms(10**6, 400), alarms(10**6, 3), alarms(10**7, 700), alarms(10**7, 30)]
    made = {**report, "cells": [], "alarms": sizes, "background": {"tokens": 10**6}}
    text = section(made, {"rows": {}})
    line = next(line for line in text.splitlines() if line.startswith("| F2 "))
    assert [cell.split()[0] for cell in line.split(" | ")[2:6]] == ["400", "3", "700", "30"]
    assert "**missed**" in line
    assert "with one" in charts(made, {"rows": {}})["alarms"]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.row} {attack.name}")
def test_attack_is_the_same_for_the_same_seed(attack: Attack) -> None:
    for strength in attack.strengths:
        made = attack.edit(PASSAGE, strength, Dice("seed", OTHER))
        assert made == attack.edit(PASSAGE, strength, Dice("seed", OTHER))
        assert attack.row == "0" or made != PASSAGE


def test_attack_names_are_unique_and_medium_strengths_are_tried() -> None:
    names = [attack.name for attack in ATTACKS]
    assert len(set(names)) == len(names)
    assert all(attack.medium in attack.strengths for attack in ATTACKS)
    assert all(attack.row in ROWS or attack.row == "0" for attack in ATTACKS)


def test_wilson_gives_the_rule_of_three_for_no_hits() -> None:
    low, high = wilson(0, 1000)
    assert low == 0.0
    assert high == pytest.approx(3.84 / 1000, rel=0.01)
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_judgements_are_words_that_are_known() -> None:
    assert {one.judgement for one in judgements()} <= {"copy", "common", "false"}
    assert all(one.why for one in judgements())


@pytest.mark.parametrize("rival", [datasketch_rival, lexeme_rival, portrait_rival])
def test_rival_finds_a_copy_and_not_what_is_none(rival: Any) -> None:
    words = PASSAGE.split()
    shuffled = random.Random(1).sample(words, len(words))
    documents = {"copied": " ".join(OTHER[:200] + words + OTHER[200:400])}
    built = rival.build(documents, 60) if rival is datasketch_rival else rival.build(documents)
    _, score = rival.query(built, PASSAGE)
    _, chance = rival.query(built, " ".join(shuffled))
    assert score > chance
    assert rival.label(built)
