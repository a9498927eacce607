"""Stops generative models from reproducing protected text and code."""

from dedup.errors import (
    Blocked,
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
from dedup.source import Document

__all__ = [
    "Blocked",
    "DedupError",
    "Document",
    "Filter",
    "FormatError",
    "Index",
    "IndexLocked",
    "Key",
    "Match",
    "Policy",
    "Rule",
    "Scheme",
    "SchemeMismatch",
    "SourceError",
    "Span",
    "Verdict",
    "WrongKey",
    "__version__",
]

__version__ = "0.1.0"
