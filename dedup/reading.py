"""Reading: how sources are read, as the user asked; plain data that goes with every partition."""

from dataclasses import dataclass, field
from typing import Final

from dedup.document import Document
from dedup.encoding import Encoding

__all__ = ["FIELDS", "Reading"]

# What a row may say, and the fields that say it unless the user names one; the first with a value
# counts.
FIELDS: Final = {
    "id": ("id", "_id", "doc_id"),
    "text": ("text", "content", "body", "paragraphs"),
    "corpus": ("corpus",),
    "licence": ("licence", "license"),
    "owner": ("owner",),
    "url": ("url",),
    "expires": ("expires",),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """How sources are read.

    Attributes
    ----------
    fields : pairs of str
        What a row says and the field that says it, instead of those of ``FIELDS``, as in
        ``(("text", "code"), ("licence", "meta.license"))``: after a dot, a field of the object.
    encoding : Encoding
        What text is taken for that is not UTF-8.
    labels : Document, optional
        What every document gets that says nothing else itself. None: no licence is looked for and
        no address made, for those who want texts alone; it is quicker.
    skip : paths, absolute
        Files and folders that are no sources though they may lie inside one: the index being
        written, the rows of a scan.
    revision : str, optional
        The commit to read of sources that are git repositories.
    """

    fields: tuple[tuple[str, str], ...] = ()
    encoding: Encoding = field(default_factory=Encoding)
    labels: Document | None = None
    skip: tuple[str, ...] = ()
    revision: str | None = None

    def __post_init__(self) -> None:
        for name, _ in self.fields:
            if name not in FIELDS:
                raise ValueError(f"a row has no {name!r}; expected one of {', '.join(FIELDS)}")

    def fields_of(self, name: str) -> tuple[str, ...]:
        """The fields that may say it, the first to be looked at first."""
        named = tuple(value for key, value in self.fields if key == name)
        return named or FIELDS[name]
