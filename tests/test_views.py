"""Code is found through renaming and reformatting, with its function; prose is not taken for it."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup import _core
from dedup.filter import Filter
from dedup.index import Index
from dedup.match import Match
from dedup.source import Document
from dedup.syntax import Syntax
from dedup.views import document_views, query_views

DATA = Path(__file__).parent / "data"
SLOTS = (DATA / "code" / "timetable" / "slots.py").read_text()
ANSWER = (DATA / "outputs" / "answer-with-renamed-code.md").read_text()
SPEECH = (DATA / "outputs" / "speech.txt").read_text()

JAVA = """
package shop;

public class Basket {
    private final List<Item> items = new ArrayList<>();

    public int total(Discount discount, int shipping) {
        int sum = 0;
        for (Item item : items) {
            if (item.isSoldOut()) {
                continue;
            }
            sum += item.price() * item.quantity();
        }
        if (sum > discount.threshold()) {
            sum -= discount.amount(sum);
        }
        return sum + shipping;
    }
}
"""

FREE_SLOTS = SLOTS[SLOTS.index("def free_slots") : SLOTS.index("def first_common")]
RENAMES = {"free_slots": "gaps", "busy": "taken", "day": "range_", "shortest": "least"}
RENAMES |= {"free": "result", "cursor": "at", "slot": "piece", "Slot": "Piece"}


def rename(code: str, names: dict[str, str] = RENAMES) -> str:
    return re.sub(r"\b\w+\b", lambda found: names.get(found[0], found[0]), code)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.create(tmp_path_factory.mktemp("views") / "i", key=None) as index:
        index.add(
            [
                Document("timetable/slots.py", SLOTS, licence="GPL-3.0-or-later"),
                Document("shop/Basket.java", JAVA),
                Document("speech.txt", SPEECH),
            ]
        )
        index.commit()
        yield index


def of_code(index: Index, query: str, prompt: str | None = None) -> list[Match]:
    return [found for found in index.search(query, prompt) if found.view != "text"]


# ---- what is found -------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["code", "ast"])
def test_renamed_function_is_found_with_its_name_file_lines_and_licence(
    index: Index, view: str
) -> None:
    found = next(m for m in index.search(rename(FREE_SLOTS)) if m.view == view)
    assert (found.document, found.function, found.kind) == (
        "timetable/slots.py",
        "free_slots",
        "renamed",
    )
    first, last = found.lines
    lines = SLOTS.splitlines()
    assert lines[first - 1].startswith("def free_slots") and lines[last - 1] == "    return free"
    assert found.licence == "GPL-3.0-or-later" and found.language == "python"
    assert found.identity > 0.9 and found.consistency == 1.0


def test_spans_of_a_renamed_match_bound_the_function_on_both_sides(index: Index) -> None:
    before, after = SPEECH[:400], SPEECH[400:800]
    query = f"{before}\n\n{rename(FREE_SLOTS)}\n\n{after}"
    for found in of_code(index, query):
        here = query.encode()[slice(*found.query_span)].decode()
        there = SLOTS.encode()[slice(*found.document_span)].decode()
        assert here in rename(FREE_SLOTS) and there in FREE_SLOTS
        assert len(here) > 0.6 * len(FREE_SLOTS)


def test_copy_letter_by_letter_is_verbatim_and_one_edit_makes_it_near(index: Index) -> None:
    kinds = {found.view: found.kind for found in of_code(index, FREE_SLOTS)}
    assert kinds == {"code": "verbatim", "ast": "verbatim"}
    edited = FREE_SLOTS.replace("cursor = day.start", "cursor = day.start + 1")
    assert {found.kind for found in of_code(index, edited)} == {"near"}


def test_renamed_method_of_another_language_is_found(index: Index) -> None:
    method = JAVA[JAVA.index("public int") : JAVA.rindex("}")]
    names = {"total": "cost", "discount": "d", "sum": "s", "item": "i", "items": "all"}
    found = of_code(index, rename(method, names))
    assert {(match.document, match.kind) for match in found} == {("shop/Basket.java", "renamed")}
    assert "Basket.total" in {match.function for match in found}


@pytest.mark.parametrize(
    "wrapped",
    [
        "{}",
        "Here you are:\n\n{}\n\nI hope this helps.",
        "```python\n{}\n```",
        "```java\n{}\n```",
        "```text\n{}\n```",
        "~~~\n{}\n~~~",
        "'''\n{}\n'''",
        "/*\n{}\n*/",
        "<pre>\n{}\n</pre>",
    ],
)
def test_wrapping_hides_no_renamed_code(index: Index, wrapped: str) -> None:
    assert Filter(index).check(wrapped.replace("{}", rename(FREE_SLOTS))).action == "block"


@pytest.mark.parametrize("mark", ["{}: ", "{}  | ", "+ ", "> ", ">>> ", "    "])
def test_line_marks_hide_no_renamed_code(index: Index, mark: str) -> None:
    lines = rename(FREE_SLOTS).splitlines()
    query = "\n".join(mark.format(number) + line for number, line in enumerate(lines, 41))
    assert Filter(index).check(query).action == "block"


def test_function_cut_at_both_ends_is_found(index: Index) -> None:
    lines = rename(FREE_SLOTS).splitlines()
    assert of_code(index, "\n".join(lines[6:-3]))


def test_reformatting_changes_no_score(index: Index) -> None:
    java = JAVA[JAVA.index("public int") : JAVA.rindex("}")]
    one_line = re.sub(r"\s+", " ", java)
    spread = re.sub(r"([{};(,])", r"\1\n", java)
    scores = [
        [(found.identity, found.distinct) for found in index.search(code) if found.view == "code"]
        for code in (java, one_line, spread)
    ]
    assert scores[0] and scores[0] == scores[1] == scores[2]


def test_dead_code_after_every_statement_is_bridged_by_the_unit(index: Index) -> None:
    lines = rename(FREE_SLOTS).splitlines()
    padded = "\n".join(
        line if line.endswith(":") else f"{line}\n{line[: len(line) - len(line.lstrip())]}_ = 0"
        for line in lines
        if "minutes" not in line and '"""' not in line
    )
    assert [found for found in of_code(index, padded) if found.function == "free_slots"]


# ---- what is not ---------------------------------------------------------------------------------


def test_prose_has_no_match_of_code(index: Index) -> None:
    assert of_code(index, SPEECH) == []


def test_rows_of_assignments_come_to_nothing(tmp_path: Path) -> None:
    def row(names: str) -> str:
        body = "".join(f"        self.{name} = {name}\n" for name in names.split())
        return f"class A:\n    def __init__(self, {names.replace(' ', ', ')}):\n{body}"

    with Index.create(tmp_path / "i", key=None) as index:
        index.add([Document("a.py", row("one two three four five six seven eight nine ten"))])
        index.commit()
        other = row("a b c d e f g h i j k l m n o p")
        assert Filter(index).check(other).action == "allow"


def test_what_many_owners_have_is_flagged_and_what_one_has_often_is_blocked(tmp_path: Path) -> None:
    short = "\n".join(FREE_SLOTS.splitlines()[6:13])
    for name, owner in (("many", "owner {}"), ("one", "owner")):
        with Index.create(tmp_path / name, key=None) as index:
            index.add(
                Document(f"{i}.py", f"def f{i}():\n{short}\n", owner=owner.format(i))
                for i in range(6)
            )
            index.commit()
            found = of_code(index, short)
            assert {(match.sources, match.owners) for match in found} == {
                (6, 6 if name == "many" else 1)
            }
            rules = {ruling.rule for ruling in Filter(index).check(short).rulings}
            assert ("code-common" in rules) == (name == "many")


def test_code_that_the_prompt_supplied_is_exempt_even_renamed(index: Index) -> None:
    prompt = f"Please give these better names:\n\n{FREE_SLOTS}"
    verdict = Filter(index).check(rename(FREE_SLOTS), prompt)
    assert verdict.action == "allow" and verdict.exempted
    assert {ruling.rule for ruling in verdict.exempted} == {"prompt"}
    # What the prompt did not have is held against the output as before.
    assert Filter(index).check(rename(FREE_SLOTS), "Please find gaps.").action == "block"


# ---- the parser may fail -------------------------------------------------------------------------


def test_code_that_cannot_be_parsed_is_found_by_its_lexemes_and_counted(index: Index) -> None:
    bomb = "```java\n" + "a<" * 10_000 + "\n```\n"
    found = of_code(index, bomb + rename(FREE_SLOTS))
    assert "code" in {match.view for match in found}
    with Syntax(timeout_s=1e-6) as hasty:
        views = query_views(rename(FREE_SLOTS).encode(), hasty)
        assert views is not None and len(views.ast) == 0
        assert hasty.counts["parsed"] == 0 and sum(hasty.counts.values()) > 0


def test_counts_of_parses_are_told(index: Index) -> None:
    before = index.parses["parsed"]
    index.search(FREE_SLOTS)
    assert index.parses["parsed"] == before + 1


# ---- what of a document is code ------------------------------------------------------------------


def views_of(name: str, text: str) -> tuple[int, list[str]]:
    with Syntax() as syntax:
        views = document_views(text.encode(), name, syntax)
    if views is None:
        return 0, []
    assert views.code is not None
    return len(views.code), [unit[0] for unit in views.units]


def test_prose_has_no_views_of_code() -> None:
    assert views_of("speech.txt", SPEECH) == (0, [])
    assert views_of("speech", SPEECH) == (0, [])


def test_fences_of_a_page_are_its_code() -> None:
    lexemes, units = views_of("notes.md", f"{SPEECH[:300]}\n\n```python\n{FREE_SLOTS}\n```\n")
    assert lexemes == len(_core.lex(FREE_SLOTS, "python"))
    assert units == ["free_slots"]


def test_cells_of_a_notebook_are_matched_at_their_bytes(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Ünicode \\ first\n"]},
        {
            "cell_type": "code",
            "metadata": {},
            "outputs": [],
            "execution_count": 1,
            "source": FREE_SLOTS.splitlines(keepends=True),
        },
    ]
    kernel = {"kernelspec": {"language": "python", "name": "python3", "display_name": "Python"}}
    notebook = json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})
    with Index.create(tmp_path / "i", key=None) as index:
        index.add([Document("slots.ipynb", notebook)])
        index.commit()
        for found in of_code(index, rename(FREE_SLOTS)):
            there = notebook.encode()[slice(*found.document_span)].decode()
            assert there.startswith("def free_slots") and there.endswith("return free")
            assert (found.function, found.language) == ("free_slots", "python")


def test_unnamed_document_is_code_by_its_content(tmp_path: Path) -> None:
    with Index.create(tmp_path / "i", key=None) as index:
        index.add([Document("row-17", SLOTS)])
        index.commit()
        assert {found.view for found in of_code(index, rename(FREE_SLOTS))} == {"code", "ast"}


# ---- segments ------------------------------------------------------------------------------------


def functions(seed: int, count: int) -> list[Document]:
    """Source files of made-up functions, no two alike."""
    rng = random.Random(seed)
    documents = []
    for number in range(count):
        lines = [f"def work{number}(a, b, *rest):"]
        for step in range(rng.randrange(6, 30)):
            left, right = rng.choice("abcxyz"), rng.choice(["a", "b.size", "rest[0]", "'s'", "7"])
            operator = rng.choice(["+", "-", "*", "//", "%", "<<"])
            lines.append(f"    {left}{step} = call{rng.randrange(9)}({right}) {operator} {left}")
        lines.append("    return a")
        documents.append(Document(f"made/{number}.py", "\n".join(lines) + "\n", licence="MIT"))
    return documents


def segment_bytes(index: Index) -> list[bytes]:
    return [path.read_bytes() for path in sorted(index.path.glob("segment-*"))]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.data())
def test_merging_segments_of_code_equals_building_at_once(seed: int, data: st.DataObject) -> None:
    import tempfile

    documents = [*functions(seed, 6), Document("speech.txt", SPEECH[:500])]
    cut = data.draw(st.integers(1, len(documents) - 1))
    gone = data.draw(st.sets(st.integers(0, len(documents) - 1), max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        with Index.create(Path(folder) / "parts", key=None) as parts:
            # What is replaced later leaves no trace.
            parts.add(Document(documents[i].id, SLOTS[: 300 + i]) for i in sorted(gone))
            parts.commit()
            for piece in (documents[:cut], documents[cut:]):
                parts.add(piece)
                parts.commit()
            parts.merge()
            merged = segment_bytes(parts)
        with Index.create(Path(folder) / "whole", key=None) as whole:
            whole.add(documents)
            whole.commit()
            assert merged == segment_bytes(whole)


def test_threads_give_the_answers_of_one(index: Index) -> None:
    texts = [rename(FREE_SLOTS), SPEECH, ANSWER, JAVA, "", FREE_SLOTS] * 3
    one = [index.search(text) for text in texts]
    assert index.search_batch(texts, threads=1) == one
    assert index.search_batch(texts, threads=4) == one


def test_damage_to_any_part_of_a_segment_of_code_is_told_or_harmless(tmp_path: Path) -> None:
    with Index.create(tmp_path / "i", key=None) as index:
        index.add([Document("timetable/slots.py", SLOTS)])
        index.commit()
        expected = index.search(rename(FREE_SLOTS))
        segment = next(index.path.glob("segment-*"))
    whole = segment.read_bytes()
    rng = random.Random(3)
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        segment.write_bytes(damaged)
        try:
            with Index.open(tmp_path / "i") as index:
                assert index.search(rename(FREE_SLOTS)) == expected
        except ValueError:  # FormatError is one
            pass


def test_run_of_40_varied_lexemes_is_found_nearly_always(tmp_path: Path) -> None:
    package = Path(__file__).parent.parent / "dedup"
    documents = [Document(path.name, path.read_text()) for path in sorted(package.glob("*.py"))]
    rng = random.Random(8)
    tried = found = 0
    with Index.create(tmp_path / "i", key=None) as index:
        index.add(documents)
        index.commit()
        while tried < 300:
            document = rng.choice(documents)
            lexemes = _core.lex(document.text, "python")
            if len(lexemes) <= 40:
                continue
            at = rng.randrange(len(lexemes) - 40)
            what = list(zip(lexemes.classes, lexemes.symbols, strict=True))
            if len({tuple(what[i : i + 5]) for i in range(at, at + 36)}) < 14:
                continue  # a table, or a row of assignments
            tried += 1
            run = document.text.encode()[lexemes.starts[at] : lexemes.ends[at + 39]].decode()
            found += document.id in {m.document for m in index.search(run) if m.view == "code"}
    assert found >= 0.95 * tried
