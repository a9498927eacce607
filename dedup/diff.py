"""What one index or generation holds and another does not: two Snapshots in, a Difference out."""

from dataclasses import dataclass

from dedup.contents import IndexedDocument
from dedup.snapshot import Snapshot

__all__ = ["Change", "Difference", "diff"]

_LABELS = ("corpus", "licence", "owner", "url", "expires")


@dataclass(frozen=True, slots=True)
class Change:
    """A document that both have, and what of it differs.

    ``fields`` are of ``text``, ``corpus``, ``licence``, ``owner``, ``url``, ``expires``.
    """

    id: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """How two indexes, or two generations of one, differ; true if they do.

    Attributes
    ----------
    added, removed : tuple of str
        Ids of documents that only the new one has, or only the old one, sorted.
    changed : tuple of Change
        By id.
    uncompared : tuple of str
        Ids of documents whose texts have as many bytes and words, and count as the same, though no
        one can say so, as the two have them under different keys.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[Change, ...]
    uncompared: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def diff(old: Snapshot, new: Snapshot) -> Difference:
    """What is to be done to `old` so that it protects what `new` does."""
    before = {document.id: document for document in old.documents()}
    after = {document.id: document for document in new.documents()}
    both = sorted(before.keys() & after.keys())
    changes = [Change(id, _changed(before[id], after[id])) for id in both]
    return Difference(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(change for change in changes if change.fields),
        uncompared=tuple(
            change.id
            for change in changes
            if before[change.id].key_id != after[change.id].key_id and "text" not in change.fields
        ),
    )


def _changed(old: IndexedDocument, new: IndexedDocument) -> tuple[str, ...]:
    sizes = (old.text_bytes, old.tokens) == (new.text_bytes, new.tokens)
    same = sizes and (old.key_id != new.key_id or old.content_hash == new.content_hash)
    labels = tuple(name for name in _LABELS if getattr(old, name) != getattr(new, name))
    return labels if same else ("text", *labels)
