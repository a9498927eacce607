"""What is added to a generation of an index and not committed: in memory, and in segments that no
manifest names.

A Writer has one and commits it; the workers of a parallel add have one each and hand over what
they built. Both see documents in an order, so an id that comes again replaces what it named, and a
document that is there is left alone.
"""

from collections.abc import Iterator, Sequence

from dedup import _core, expiry
from dedup.document import Document
from dedup.errors import DedupError
from dedup.key import KeyRing
from dedup.manifest import Entry
from dedup.merging import Part
from dedup.parsers import Parsers
from dedup.snapshot import Snapshot
from dedup.tombstones import Tombstones

__all__ = ["Draft"]


class Draft:
    """The segments of a snapshot and those that are added to them; ``parts`` are all, in order.

    Parameters
    ----------
    temporary : str
        Names the file being written; no other draft of the same folder may have it.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        ring: KeyRing,
        storage: _core.Storage,
        parsers: Parsers,
        temporary: str = "segment",
    ) -> None:
        manifest = snapshot.manifest
        self.parts = [
            Part(entry, segment)
            for entry, segment in zip(manifest.segments, snapshot.segments, strict=True)
        ]
        self._path = snapshot.path
        self._schemes = snapshot.schemes
        self._key_id = manifest.key_id
        self._ring = ring
        self._storage = storage
        self._parsers = parsers
        self._temporary = temporary
        self._committed = len(self.parts)
        self._start_segment()

    @property
    def added(self) -> list[Part]:
        """The parts that the snapshot does not have."""
        return self.parts[self._committed :]

    @property
    def memory_bytes(self) -> int:
        """What the documents take that are in memory."""
        return self._segment.memory_bytes

    # ---- documents

    def add(self, document: Document) -> bool:
        """Take a document into memory; false if it is there already, as it is.

        Raises
        ------
        ValueError
            If its text holds a lone surrogate or its id is empty.
        """
        if not document.id:
            raise ValueError("a document needs an id that is not empty")
        labels = (document.id, document.corpus, document.licence, document.owner, document.url)
        day = expiry.day_of(document.expires)
        try:
            content = self._segment.content_hash(document.text)
        except UnicodeEncodeError as error:
            raise ValueError(
                f"document {document.id!r}: lone surrogate at character {error.start}; "
                "decode the text before adding it"
            ) from None
        row = (*labels, content, day)
        if self.has(row):
            return False
        views = self._parsers.of_document(document.text, document.id)
        if views is None:
            self._segment.add(document.text, *labels, day)
        else:
            code = (views.language, views.code, views.ast, views.units)
            self._segment.add(document.text, *labels, day, *code)
        self.supersede(document.id)
        self._ids[document.id] = (self._segment.documents - 1, hash(row))
        return True

    def has(self, row: Sequence[object]) -> bool:
        """Whether this very document is there already, under the same key.

        The hash of its content is a keyed one: under another key it is another.
        """
        id = str(row[0])
        _, in_memory = self._ids.get(id, (0, None))
        if in_memory is not None:
            return in_memory == hash(_identity(row))
        rows = (part.segment.document(number) for part, number in self._find(id))
        return any(_identity(known) == _identity(row) for known in rows)

    def supersede(self, id: str) -> None:
        """Take the document of this id away, as another comes in its place."""
        for part, number in self._find(id):
            part.gone.add(number)
        if id in self._ids:
            self._gone.add(self._ids.pop(id)[0])

    def stands(self, id: str) -> bool:
        """Whether the committed document of this id is neither removed nor replaced."""
        return any(
            part.has(number)
            for part in self.parts[: self._committed]
            for number in part.segment.find_id(id)
        )

    def _find(self, id: str) -> Iterator[tuple[Part, int]]:
        """Where the document of this id is, but for the one in memory."""
        for part in self.parts:
            for number in part.segment.find_id(id):
                if part.has(number):
                    yield part, number

    # ---- segments

    def flush(self) -> None:
        """Write what is in memory as a segment."""
        if self._segment.documents:
            summary = self._segment.write(str(self._path), self._temporary)
            part = self._part(summary, self._key_id)
            part.gone = self._gone
            self.parts.append(part)
            self._start_segment()

    def adopt(self, entries: Sequence[Entry]) -> int:
        """Take up segments that another draft of the same generation wrote into the folder.

        Returns
        -------
        int
            How many of their documents are new or changed. The others are marked as gone.

        Raises
        ------
        DedupError
            If one is not to be seen from here.
        """
        added = 0
        for entry in entries:
            try:
                part = Part(entry, self._segment_of(entry.name, entry.key_id))
            except FileNotFoundError:
                raise DedupError(
                    f"{self._path / entry.name}: a worker wrote it, but it is not to be seen from "
                    "here; the index has to be in a folder that all machines share"
                ) from None
            is_known = self._make_room(part)
            part.gone |= is_known
            added += entry.documents - len(is_known)
            if part.as_of_now().living:
                self.parts.append(part)
        return added

    def _make_room(self, new: Part) -> set[int]:
        """Which documents of a part are here already, as they are; what the others replace goes."""
        same_id: dict[int, list[tuple[Part, int]]] = {}
        for part in self.parts:
            for number, other in new.segment.shared_ids(part.segment):
                same_id.setdefault(number, []).append((part, other))
        is_known: set[int] = set()
        for number in sorted(same_id):
            wanted = _identity(new.segment.document(number))
            living = [(part, other) for part, other in same_id[number] if part.has(other)]
            if any(_identity(part.segment.document(other)) == wanted for part, other in living):
                is_known.add(number)
                continue
            for part, other in living:
                part.gone.add(other)
        return is_known

    def merged(self, living: list[tuple[_core.Segment, Tombstones]], key_id: int) -> Part:
        """Segments as one, without the documents that are gone; not among the parts yet."""
        segments, dead = [segment for segment, _ in living], [dead for _, dead in living]
        secret, folder = self._secret(key_id), str(self._path)
        summary = _core.merge_segments(segments, dead, secret, folder, "", self._storage)
        return self._part(summary, key_id)

    def _start_segment(self) -> None:
        secret = self._secret(self._key_id)
        self._segment = _core.SegmentWriter(self._schemes, secret, self._storage)
        # By id the number of the document in memory, and the hash of what makes it the same.
        self._ids: dict[str, tuple[int, int]] = {}
        self._gone: set[int] = set()

    def _part(self, summary: _core.SegmentSummary, key_id: int) -> Part:
        entry = Entry(summary.name, summary.bytes, summary.documents, key_id)
        return Part(entry, self._segment_of(entry.name, key_id))

    def _segment_of(self, name: str, key_id: int) -> _core.Segment:
        return _core.Segment(str(self._path / name), self._secret(key_id), self._storage)

    def _secret(self, key_id: int) -> bytes | None:
        return self._ring.secrets([key_id], str(self._path))[key_id]


def _identity(row: Sequence[object]) -> tuple[object, ...]:
    """What of a document's row makes it the same: labels, content, expiry."""
    return (*row[:5], *row[-2:])
