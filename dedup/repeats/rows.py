"""Rows: what was found, as objects of JSON, and as a text for people.

A row has ``schema_version`` and ``kind``:

    cluster   documents that resemble each other
        id          16 hex digits, from the words of the document to keep
        documents   how many members
        keep        id of the document to keep: the first one
        members     each {"document": id, "bytes": n, "jaccard": similarity to the first}
    passage   a run of words that comes again
        id          16 hex digits, from its words: the same in any corpus
        tokens      its length in words
        count       at how many places it is, those aside that overlap another in their document
        documents   in how many documents these are
        excerpt     how it begins
        places      the first few: {"document": id, "span": [start, end]} in bytes of UTF-8
    problem   what could not be read
        error       what, where and why

Clusters come first, the largest one first, then passages, those first that would save the most
words, then problems. A drop list has an object a document, in the order of the corpus: its id as
``document``, and either ``cluster``, of which it is one copy too many, or ``spans`` to cut out.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from dedup.repeats.blocks import Texts
from dedup.repeats.clusters import Clusters
from dedup.repeats.passages import Passage

__all__ = [
    "SCHEMA_VERSION",
    "cluster_id",
    "cluster_rows",
    "passage_line",
    "passage_row",
    "problem_row",
    "text_of",
]

SCHEMA_VERSION: Final = 1

_EXCERPT_CHARACTERS: Final = 160


def cluster_rows(clusters: Clusters, texts: Texts) -> Iterator[dict[str, Any]]:
    """A row for each cluster."""
    for start, end in zip(clusters.starts[:-1].tolist(), clusters.starts[1:].tolist(), strict=True):
        numbers = clusters.members[start:end].tolist()
        jaccards = clusters.jaccards[start:end].tolist()
        yield {
            "schema_version": SCHEMA_VERSION,
            "kind": "cluster",
            "id": cluster_id(clusters, texts, start),
            "documents": end - start,
            "keep": texts.id(numbers[0]),
            "members": [
                {
                    "document": texts.id(number),
                    "bytes": texts.size(number),
                    "jaccard": round(jaccard, 4),
                }
                for number, jaccard in zip(numbers, jaccards, strict=True)
            ],
        }


def cluster_id(clusters: Clusters, texts: Texts, start: int) -> str:
    """The id of the cluster whose members begin there."""
    return f"{texts.content(int(clusters.members[start])):016x}"


def passage_row(passage: Passage, texts: Texts) -> dict[str, Any]:
    """The row of a passage."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "passage",
        "id": f"{passage.id:016x}",
        "tokens": passage.tokens,
        "count": passage.count,
        "documents": passage.documents,
        "excerpt": _excerpt(texts.slice(*passage.places[0])),
        "places": [
            {"document": texts.id(number), "span": [start, end]}
            for number, start, end in passage.places
        ],
    }


def problem_row(problem: str) -> dict[str, Any]:
    """The row of what could not be read."""
    return {"schema_version": SCHEMA_VERSION, "kind": "problem", "error": problem}


def _excerpt(text: bytes) -> str:
    """The beginning of a passage, in one line."""
    # A character has at most four bytes, and one cut off at the end is left out.
    beginning = text[: 8 * _EXCERPT_CHARACTERS].decode("utf-8", "ignore")
    line = " ".join(beginning.split())
    if len(line) <= _EXCERPT_CHARACTERS:
        return line
    return line[: _EXCERPT_CHARACTERS - 1].rstrip() + "…"


def text_of(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The rows for people, a few lines each."""
    for row in rows:
        if row["kind"] == "cluster":
            yield f"{row['documents']:,} near-duplicates; keep {row['keep']}\n"
            for member in row["members"][1:]:
                yield f"  {member['jaccard']:.2f}  {member['document']}\n"
        elif row["kind"] == "passage":
            yield passage_line(row) + "\n"
            yield f"  {row['excerpt']}\n"
            for place in row["places"]:
                start, end = place["span"]
                yield f"  {place['document']}  bytes {start:,}-{end:,}\n"
            if row["count"] > len(row["places"]):
                yield f"  and {row['count'] - len(row['places']):,} more\n"
        else:
            yield f"not read: {row['error']}\n"


def passage_line(row: dict[str, Any]) -> str:
    """What a passage is, in a sentence."""
    documents = row["documents"]
    return (
        f"this {row['tokens']:,}-word passage occurs {row['count']:,} times "
        f"in {documents:,} document{'' if documents == 1 else 's'}"
    )
