"""Rows: what a scan says of each document, as a dict of plain JSON types.

    schema_version      1
    document            its id; of what could not be read, its name
    action              allow, flag, redact or block; null if it could not be judged
    rule                the rule that decided; null if none came near
    bytes               of its UTF-8; 0 if it could not be read
    index_generation    the state of the index that was asked
    matches             what counts, each as in ``Verdict.to_dict``: document, corpus, licence,
                        owner, url, view, kind, query_span, document_span, tokens, run, identity,
                        containment, jaccard, sources, owners, language, function, lines,
                        distinct, shared_names, consistency, rule, action; and of
                        ``excerpt.evidence_of``: place, fingerprint
    exempted            what an allow rule, or the background, took out; the same fields
    error               what could not be read or judged, where, and why; else empty
    note                what was judged by less than all views, and why; else empty

Spans are bytes of the document's UTF-8. The same in JSON lines and, by ``row_schema``, in Parquet
and Arrow.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from dedup.document import SourceProblem
from dedup.errors import DedupError
from dedup.excerpt import Place, evidence_of
from dedup.policy import Verdict

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "ROW_SCHEMA_VERSION",
    "Row",
    "encoded",
    "error_row",
    "problem_row",
    "row_of",
    "row_schema",
]

ROW_SCHEMA_VERSION: Final = 1

Row: TypeAlias = dict[str, Any]

# What a terminal may act on, or a reader of lines may take for the end of one.
_UNSAFE: Final = re.compile("[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def row_of(
    document: str, text: str, size: int, verdict: Verdict, note: str = "", *, excerpts: bool = False
) -> Row:
    """The row of a document of that id, text and size in bytes, on which this is the verdict.

    With `excerpts` each match holds its passage too, for reports that show it.
    """
    if verdict.error:
        error = f"{document}: the check could not be made: {verdict.error}"
        return error_row(document, error, size)
    matches: list[dict[str, Any]] = []
    exempted: list[dict[str, Any]] = []
    if verdict.rulings or verdict.exempted:
        told = verdict.to_dict()
        matches, exempted = told["matches"], told["exempted"]
        evidence = evidence_of(text, [*verdict.rulings, *verdict.exempted], excerpts=excerpts)
        for ruling, more in zip([*matches, *exempted], evidence, strict=True):
            ruling.update(more)
    return {
        "schema_version": ROW_SCHEMA_VERSION,
        "document": document,
        "action": verdict.action,
        "rule": verdict.rule,
        "bytes": size,
        "index_generation": verdict.index_generation,
        "matches": matches,
        "exempted": exempted,
        "error": "",
        "note": note,
    }


def problem_row(problem: SourceProblem) -> Row:
    """The row of what could not be read."""
    return error_row(problem.name, str(problem))


def error_row(document: str, error: str, size: int = 0) -> Row:
    """The row of what could not be judged."""
    return {
        "schema_version": ROW_SCHEMA_VERSION,
        "document": document,
        "action": None,
        "rule": None,
        "bytes": size,
        "index_generation": 0,
        "matches": [],
        "exempted": [],
        "error": error,
        "note": "",
    }


def encoded(row: Mapping[str, Any]) -> bytes:
    """The row as a line of JSON; characters that a terminal may act on are escaped."""
    import msgspec  # here, so that `import dedup` stays quick

    line = msgspec.json.encode(row)
    if not line.isascii() or b"\x7f" in line:
        text = line.decode("utf-8")
        line = _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()
    return line + b"\n"


def row_schema() -> "pa.Schema":
    """The columns of rows, in their order; matches are lists of structs.

    Raises
    ------
    DedupError
        If pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # here, as it is optional and slow to load
    except ImportError:
        raise DedupError("Parquet needs pyarrow; run: pip install 'dedup[scan]'") from None

    text, count, share = pa.string(), pa.int64(), pa.float64()
    counts = pa.list_(count)
    match = [
        ("document", text),
        ("corpus", text),
        ("licence", text),
        ("owner", text),
        ("url", text),
        ("view", text),
        ("kind", text),
        ("query_span", counts),
        ("document_span", counts),
        ("tokens", count),
        ("run", count),
        ("identity", share),
        ("containment", share),
        ("jaccard", share),
        ("sources", count),
        ("owners", count),
        ("language", text),
        ("function", text),
        ("lines", counts),
        ("distinct", count),
        ("shared_names", count),
        ("consistency", share),
        ("undone", pa.list_(text)),
        ("rule", text),
        ("action", text),
        ("place", pa.struct([(name, count) for name in Place.__dataclass_fields__])),
        ("fingerprint", text),
    ]
    matches = pa.list_(pa.struct(match))
    return pa.schema(
        [
            ("schema_version", count),
            ("document", text),
            ("action", text),
            ("rule", text),
            ("bytes", count),
            ("index_generation", count),
            ("matches", matches),
            ("exempted", matches),
            ("error", text),
            ("note", text),
        ]
    )
