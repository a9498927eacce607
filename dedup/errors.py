"""The exceptions of dedup; imports nothing.

Plain ``ValueError`` and ``TypeError`` serve for bad arguments, ``OSError`` for what the system
refuses. A message says what was expected, what came, where, and the way out.
"""

__all__ = [
    "Blocked",
    "CommitInDoubt",
    "DedupError",
    "FormatError",
    "IndexLocked",
    "SchemeMismatch",
    "SourceError",
    "WrongKey",
]


class DedupError(Exception):
    """Whatever dedup itself refuses to do."""


class FormatError(DedupError, ValueError):
    """A segment or manifest is damaged, or of another version."""


class SchemeMismatch(DedupError, ValueError):
    """Fingerprints made under two schemes meet."""


class WrongKey(DedupError, ValueError):
    """An index was opened with another key than it was made with."""


class IndexLocked(DedupError):
    """Another process is writing to the index."""


class CommitInDoubt(DedupError, OSError):
    """The disk did not say that what was written will last; the writer goes no further."""


class SourceError(DedupError):
    """A document cannot be read or decoded."""


class Blocked(DedupError):
    """Raised by ``Verdict.raise_if_blocked`` and by nothing else."""
