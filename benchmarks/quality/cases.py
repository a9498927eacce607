"""Copies that others made: students, translators of the Bible, a language model.

Each is a set of protected texts and of queries in groups, of which none is a positive or a negative
by itself: the rates by group are the result.
"""

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dedup import Document, Index

from .corpora import rows
from .trials import Cell, Trial, ask_all

__all__ = ["Case", "cases", "run_case"]

_VERSES = 10
_LEXEME = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Case:
    """Protected texts, and queries by group with the document each may be a copy of."""

    title: str
    view: str
    protected: dict[str, str]
    queries: dict[str, list[tuple[str, str]]]


def cases(data: Path) -> Iterator[Case]:
    """Those whose files the folder has."""
    for make in (_short_answers, _bible, _irplag, _gptclone):
        try:
            yield make(data)
        except FileNotFoundError:
            continue


def run_case(index: Index, case: Case) -> list[Cell]:
    """Protects the texts in the empty index, and asks."""
    index.add(Document(id=name, text=text) for name, text in case.protected.items())
    index.commit()
    cells = []
    for group in sorted(case.queries):
        cell = Cell("22" if case.view == "text" else "C10", case.title, 1, group, case.view)
        cell.outcomes = ask_all(
            index,
            [
                Trial(text, frozenset([name]), 0, len(text.encode()))
                for text, name in case.queries[group]
            ],
        )
        cells.append(cell)
    return cells


def _short_answers(data: Path) -> Case:
    every = rows(data / "short-answers" / "dev.jsonl.gz")
    protected = {row["task"]: row["text"] for row in every if row["category"] == "orig"}
    queries: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in every:
        if row["category"] != "orig":
            queries[row["category"]].append((row["text"], row["task"]))
    return Case("short answers of students, by how they were written", "text", protected, queries)


def _bible(data: Path) -> Case:
    """Ten verses of the one translation against the whole of the other."""
    every = rows(data / "bible-verses" / "dev_ot_kjv_asv.jsonl.gz")
    protected: dict[str, list[str]] = defaultdict(list)
    other: dict[str, list[str]] = defaultdict(list)
    for row in every:
        book = row["ref"].rpartition(" ")[0]
        protected[book].append(row["KJV"])
        other[book].append(row["ASV"])
    passages = [
        (" ".join(verses[at : at + _VERSES]), book)
        for book, verses in other.items()
        for at in range(0, len(verses) - _VERSES, 7 * _VERSES)
    ]
    queries = {"ASV against KJV": passages}
    texts = {book: "\n".join(verses) for book, verses in protected.items()}
    return Case("ten verses of the other translation", "text", texts, queries)


def _irplag(data: Path) -> Case:
    every = rows(data / "irplag" / "dev.jsonl.gz")
    protected = {f"{r['case']}.java": r["code"] for r in every if r["role"] == "original"}
    queries: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in every:
        if row["role"] != "original":
            queries[row["level"] or "independent"].append((row["code"], f"{row['case']}.java"))
    return Case("IR-Plag, Java, by level", "code", protected, queries)


def _gptclone(data: Path) -> Case:
    protected: dict[str, str] = {}
    queries: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for language, suffix in (("java", "java"), ("python", "py")):
        for row in rows(data / "gptclone-llm" / f"{language}.dev.jsonl.gz"):
            name = f"{language}/{row['pair']}.{suffix}"
            protected[name] = row["reference"]
            matcher = difflib.SequenceMatcher(
                None,
                _LEXEME.findall(row["reference"]),
                _LEXEME.findall(row["generation"]),
                autojunk=False,
            )
            group = f"{language}, {min(9, int(10 * matcher.ratio())) / 10:.1f} alike"
            queries[group].append((row["generation"], name))
    return Case("GPT-3 asked for the same function, by likeness", "code", protected, queries)
