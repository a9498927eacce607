"""Stops generative models from reproducing protected text and code."""

from dedup.contents import IndexedDocument
from dedup.diff import Difference, diff
from dedup.document import Document
from dedup.errors import (
    Blocked,
    CommitInDoubt,
    DedupError,
    FormatError,
    IndexLocked,
    SchemeMismatch,
    SourceError,
    WrongKey,
)
from dedup.filter import Filter
from dedup.index import Index, Scheme
from dedup.key import Key
from dedup.match import Match, Span
from dedup.policy import Policy, Rule, Verdict
from dedup.scan import ScanProgress, ScanSummary, scan
from dedup.snapshot import Snapshot
from dedup.stream import StreamFilter

__all__ = [
    "Blocked",
    "CommitInDoubt",
    "DedupError",
    "Difference",
    "Document",
    "Filter",
    "FormatError",
    "Index",
    "IndexLocked",
    "IndexedDocument",
    "Key",
    "Match",
    "Policy",
    "Rule",
    "ScanProgress",
    "ScanSummary",
    "Scheme",
    "SchemeMismatch",
    "Snapshot",
    "SourceError",
    "Span",
    "StreamFilter",
    "Verdict",
    "WrongKey",
    "__version__",
    "diff",
    "scan",
]

__version__ = "0.1.0"
