"""A pipeline of datatrove that keeps protected documents out; skipped where it is missing."""

import gzip
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_arrow import BOOK, COPY, KEY, PROSE, path, told

from dedup import Document, Policy

pytest.importorskip("datatrove.pipeline.filters")

from datatrove.data import Document as TroveDocument
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

from dedup.integrations.datatrove import ProtectedFilter

__all__ = ["path"]


def rows_in(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(file, "rt") as lines:
            yield from map(json.loads, lines)


def test_a_pipeline_of_two_workers_removes_what_is_protected(path: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    documents = [
        Document(f"{part}/{n}", COPY if n % 4 == 0 else f"{n} {PROSE}")
        for part in range(4)
        for n in range(10)
    ]
    for part in range(4):
        with gzip.open(raw / f"{part}.jsonl.gz", "wt") as file:
            for document in documents[part * 10 : part * 10 + 10]:
                file.write(json.dumps({"id": document.id, "text": document.text}) + "\n")
    removed = JsonlWriter(str(tmp_path / "removed"))
    LocalPipelineExecutor(
        [
            JsonlReader(str(raw)),
            ProtectedFilter(path, key=KEY, exclusion_writer=removed, batch_size=7),
            JsonlWriter(str(tmp_path / "clean")),
        ],
        tasks=4,
        workers=2,
        logging_dir=str(tmp_path / "logs"),
    ).run()
    expected = {row["document"]: row for row in told(path, documents)}
    blocked = {id for id, row in expected.items() if row["action"] == "block"}
    kept = list(rows_in(tmp_path / "clean"))
    assert {row["id"] for row in kept} == expected.keys() - blocked
    taken = list(rows_in(tmp_path / "removed"))
    assert {row["id"] for row in taken} == blocked and len(taken) == 12
    for row in taken:
        assert row["metadata"]["filter_reason"] == expected[row["id"]]["rule"]
        assert row["metadata"]["dedup"] == expected[row["id"]]
    stats = json.loads((tmp_path / "logs" / "stats.json").read_text())
    assert next(step for step in stats if "dedup" in step["name"])["stats"]["dropped"] == 12


def test_what_is_flagged_is_kept_and_told(path: Path) -> None:
    flagging = Policy.load("balanced")
    some = " ".join(BOOK.split()[200:216])
    doc = TroveDocument(text=f"{PROSE} {some}", id="a")
    assert ProtectedFilter(path, flagging, key=KEY).filter(doc) is True
    assert doc.metadata["dedup"]["action"] == "flag"
    clean = TroveDocument(text="Nothing in here is of any interest.", id="b")
    assert ProtectedFilter(path, flagging, key=KEY).filter(clean) is True
    assert clean.metadata == {}


def test_what_cannot_be_judged_is_removed(path: Path) -> None:
    block = pickle.loads(pickle.dumps(ProtectedFilter(path, key=KEY)))
    docs = [TroveDocument(text="lone \ud800", id="a"), TroveDocument(text=COPY, id="b")]
    (kept, reason), (also_kept, rule) = block.filter_batch(docs)
    assert (kept, reason) == (False, "on_error") and docs[0].metadata["dedup"]["error"]
    assert not also_kept and rule == docs[1].metadata["dedup"]["rule"]
