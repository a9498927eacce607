"""Fingerprints as a single file, which a rights holder can hand over without the text.

The file is a segment of its own: it holds no text, and answers nothing without its key. Exported
by one index, imported by another of the same scheme that is opened with its key too.
"""

from collections.abc import Sequence
from pathlib import Path

from dedup import _core
from dedup.contents import indexed_document, numbers_of
from dedup.errors import SchemeMismatch
from dedup.key import KeyRing
from dedup.manifest import fields_of
from dedup.selection import Selection
from dedup.snapshot import Snapshot
from dedup.tombstones import is_dead, tombstones

__all__ = ["export", "open_exported", "require_schemes"]


def export(snapshot: Snapshot, path: Path, selection: Selection, storage: _core.Storage) -> int:
    """Write the living documents that are meant to a file, whole or not at all; says how many.

    Raises
    ------
    ValueError
        If there are none, or they are under several keys.
    """
    folder = path.absolute().parent
    if folder == snapshot.path.absolute():
        raise ValueError(f"{path}: lies in the index itself; name a file elsewhere")
    segments, left_out, exported = [], [], 0
    for segment, dead in zip(snapshot.segments, snapshot.dead, strict=True):
        chosen = {
            number
            for number in numbers_of(segment, selection)
            if not is_dead(dead, number) and selection.fits(indexed_document(segment, number))
        }
        if chosen:
            segments.append(segment)
            rest = (n for n in range(segment.summary.documents) if n not in chosen)
            left_out.append(tombstones(rest))
            exported += len(chosen)
    keys = sorted({segment.key_id for segment in segments})
    if not keys:
        raise ValueError(f"{snapshot.path}: no document fits, so there is nothing to export")
    if len(keys) > 1:
        raise ValueError(
            f"{snapshot.path}: what fits is under {len(keys)} keys "
            f"({', '.join(f'{key:016x}' if key else 'none' for key in keys)}), and a file has one; "
            "choose fewer documents, or add the sources again to bring all under one key"
        )
    secret = snapshot.secrets[keys[0]]
    _core.merge_segments(segments, left_out, secret, str(folder), path.name, storage)
    storage.sync_folder(str(folder))
    return exported


def open_exported(file: Path, ring: KeyRing, storage: _core.Storage | None = None) -> _core.Segment:
    """An exported file, every byte of it verified, if its key is on the ring.

    Raises
    ------
    FormatError, WrongKey, OSError
        If it is damaged, of another key, or cannot be read.
    """
    key_id = _core.Segment.key_id_of(str(file), storage)
    secret = ring.secrets([key_id], str(file))[key_id]
    segment = _core.Segment(str(file), secret, storage)
    segment.verify()
    return segment


def require_schemes(
    file: Path, theirs: Sequence[_core.Scheme], ours: Sequence[_core.Scheme]
) -> None:
    """Refuse a file whose fingerprints were made in another way than those of an index.

    Raises
    ------
    SchemeMismatch
        Naming the first parameter that differs.
    """
    known = fields_of(theirs)
    for view, fields in fields_of(ours).items():
        for name, value in fields.items():
            if known[view][name] != value:
                raise SchemeMismatch(
                    f"{file}: fingerprints of {view} with {name}={known[view][name]}, the index "
                    f"has {name}={value}; get the file from an index of the same scheme"
                )
