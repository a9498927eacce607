"""The index: a directory of immutable segments and the manifest that names them.

Takes Documents, gives Matches for a query. On disk::

    MANIFEST              what the last commit holds, see ``manifest``; swapping it is the commit
    segment-<hash>.dedup  immutable; the format is told in csrc/segment.h
    LOCK                  held by the one writer, see ``lock``; free when its process is gone

``snapshot`` reads one generation, ``writer`` makes the next. Nothing is ever written in place, and
reading takes no lock and writes nothing, so read-only media serve. All file I/O goes through one
``Storage``. On a network file system write from one machine, and only where it has flock; readers
may be anywhere.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from dedup import _core
from dedup.builder import Built, Readable
from dedup.contents import CorpusInfo, IndexedDocument, IndexInfo, VerifyReport
from dedup.document import Document
from dedup.engine import Engine
from dedup.exchange import export
from dedup.key import Key, KeyRing, default_key
from dedup.lock import LOCK, take_lock
from dedup.manifest import MANIFEST, Manifest, fields_of, is_temporary, write_manifest
from dedup.match import Match
from dedup.parsers import Parsers
from dedup.selection import Selection
from dedup.snapshot import Snapshot
from dedup.writer import SEGMENT_MEMORY_BYTES, Writer

__all__ = ["CorpusInfo", "Index", "IndexInfo", "Scheme", "VerifyReport"]

Scheme = _core.Scheme

# One value or several; of patterns, one has to fit.
Several = str | Iterable[str] | None


class Index:
    """A protected corpus on disk; made by ``Index.create`` or ``Index.open``.

    One writer at a time, any number of readers. What is added, removed or imported is searchable,
    or gone, at ``commit``; what is not committed is lost. Any number of threads may search while
    one of them writes or reloads.
    """

    def __init__(
        self, snapshot: Snapshot, ring: KeyRing, storage: _core.Storage, parsers: Parsers
    ) -> None:
        self._snapshot = snapshot
        self._ring = ring
        self._storage = storage
        self._parsers = parsers
        self._writer: Writer | None = None

    # ---- create, open, close

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        key: Key | Iterable[Key] | Literal["default"] | None = "default",
        scheme: Scheme | None = None,
        storage: _core.Storage | None = None,
    ) -> Self:
        """Make an empty index, open for writing.

        Parameters
        ----------
        path : path
            A directory that does not exist yet, is empty, or in which making one was cut short.
        key : Key, iterable of Key, or None
            The default is the user's key, made on first use. None builds an index that anyone who
            holds its files can query. Of several the first is that of new documents, the others
            are those of files to import.
        scheme : Scheme
            Shapes the fingerprints of words; can't be changed later. Those of code are shaped by
            ``Scheme.code()`` and ``Scheme.ast()``.
        storage : Storage
            Makes the system calls; tests put faults in.

        Raises
        ------
        FileExistsError
            If something else is there.
        IndexLocked
            If another process is making one there.
        """
        path, storage = Path(path), storage or _core.Storage()
        storage.make_folder(str(path))
        _check_free(path, storage)  # before anything is put there
        keys = [default_key(create=True)] if key == "default" else _listed(key)
        lock = take_lock(path, storage)
        try:
            _check_free(path, storage)  # again, as another may have been quicker
            fields = fields_of([scheme or Scheme(), Scheme.code(), Scheme.ast()])
            key_id = keys[0].id if keys else 0
            write_manifest(path, Manifest(0, key_id, fields, ()), storage)
            return cls._opened(path, KeyRing(keys), storage, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        key: Key | Iterable[Key] | Literal["default"] | None = "default",
        writable: bool = False,
        storage: _core.Storage | None = None,
    ) -> Self:
        """Open the index as its last commit left it.

        Parameters
        ----------
        path : path
            The index directory.
        key : Key, iterable of Key, or None
            The key it was made with, or all that it is under since ``rotate`` or ``import_``; by
            default the user's key, if it needs one.
        writable : bool
            Take the writer's lock, so that it can be changed.
        storage : Storage
            Makes the system calls; tests put faults in.

        Raises
        ------
        FileNotFoundError
            If there is no index.
        FormatError
            If the manifest or a segment is damaged or of another version.
        WrongKey
            If a key that it is under was not given.
        IndexLocked
            If `writable` and another process writes to it.
        """
        path, storage, ring = Path(path), storage or _core.Storage(), KeyRing(key)
        if not writable or not storage.exists(str(path / MANIFEST)):
            return cls._opened(path, ring, storage, None)
        lock = take_lock(path, storage)
        try:
            # The commit before may be in doubt: what it left must last before more builds on it.
            storage.sync_folder(str(path))
            return cls._opened(path, ring, storage, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _opened(
        cls, path: Path, ring: KeyRing, storage: _core.Storage, lock: _core.StorageLock | None
    ) -> Self:
        parsers = Parsers()
        index = cls(Snapshot.read(path, ring, storage, parsers), ring, storage, parsers)
        if lock is not None:
            index._writer = Writer(index._snapshot, ring, lock, storage, parsers)
        return index

    def close(self) -> None:
        """Give up the lock and whatever was not committed."""
        self._parsers.close()
        if self._writer is not None:
            self._snapshot, writer = self._writer.snapshot, self._writer
            self._writer = None
            writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ---- properties

    @property
    def path(self) -> Path:
        """The index directory."""
        return self._snapshot.path

    @property
    def snapshot(self) -> Snapshot:
        """The newest generation it knows of, which no commit and no ``reload`` changes."""
        writer = self._writer
        return self._snapshot if writer is None else writer.snapshot

    @property
    def generation(self) -> int:
        """How many commits led here; a verdict tells the generation it was made with."""
        return self.snapshot.generation

    @property
    def scheme(self) -> Scheme:
        """The parameters its fingerprints of words were made with."""
        return self.snapshot.schemes[0]

    @property
    def parses(self) -> dict[str, int]:
        """How many parses of code came to what: ``parsed``, or why there was none.

        A document or query whose code could not be parsed is fingerprinted and searched by its
        lexemes and words all the same.
        """
        return self._parsers.counts

    # ---- writing

    def add(self, documents: Iterable[Document], memory_bytes: int = SEGMENT_MEMORY_BYTES) -> int:
        """Fingerprint documents.

        A document whose id is in the index already replaces the one that is there. One that is
        there with the same text, labels and expiry, under the key of new documents, is left alone.

        Parameters
        ----------
        documents : iterable of Document
            Consumed one at a time.
        memory_bytes : int
            How much is held in memory before it is written as a segment; beside it one document.

        Returns
        -------
        int
            How many documents were added or replaced.

        Raises
        ------
        ValueError
            If a text holds lone surrogates or an id is empty; earlier documents stay added.
        """
        return self._require_writer().add(documents, memory_bytes)

    def add_tasks(
        self,
        tasks: Iterable[Readable],
        engine: Engine,
        memory_bytes: int = SEGMENT_MEMORY_BYTES,
        tell: Callable[[Built], object] = lambda built: None,
    ) -> int:
        """Fingerprint documents with many workers: ``add`` of what the tasks read, in their order.

        Parameters
        ----------
        tasks : iterable of Partition, Batch, or what reads like them
            Taken as workers get to them. A task may be read twice.
        engine : Engine
            Whose workers write segments into the folder of the index, which all machines share.
        memory_bytes : int
            As in ``add``, for each worker.
        tell : function
            Told what became of each task, in order.

        Returns
        -------
        int
            How many documents were added or replaced.

        Raises
        ------
        ValueError
            As in ``add``; earlier tasks stay added.
        DedupError
            If a worker does not see the index, or its segments are not to be seen from here.

        Notes
        -----
        The commit leaves what it would after ``add``, byte for byte, if that is one segment in
        which no id came twice; after ``merge``, always.
        """
        return self._require_writer().add_tasks(tasks, engine, memory_bytes, tell)

    def remove(
        self,
        *,
        document: Several = None,
        corpus: Several = None,
        owner: Several = None,
        licence: Several = None,
    ) -> int:
        """Take documents away, those added and not yet committed too.

        Parameters
        ----------
        document : str or iterable of str
            Ids, exact.
        corpus, owner, licence : str or iterable of str
            Shell patterns, letter case aside, as in policies. A document has to fit every
            parameter that is given, and of each one value.

        Returns
        -------
        int
            How many. The next merge leaves no trace of them in the files.

        Raises
        ------
        ValueError
            If nothing is given.
        """
        selection = Selection.of(document=document, corpus=corpus, owner=owner, licence=licence)
        if not selection.is_given:
            raise ValueError("nothing says what to remove; pass document, corpus, owner or licence")
        return self._require_writer().remove(selection)

    def import_(self, path: str | Path) -> int:
        """Take in a file that ``export`` made, as ``add`` would its documents.

        Returns
        -------
        int
            How many documents were added or replaced; none if all are here already.

        Raises
        ------
        FormatError
            If a byte of the file is damaged.
        WrongKey
            If it is under a key that was not given to ``open``.
        SchemeMismatch
            If its fingerprints were made under another scheme.
        """
        return self._require_writer().take(Path(path))

    def commit(self) -> int:
        """Make all changes durable and searchable; returns the generation.

        Raises
        ------
        CommitInDoubt
            If the disk may not have kept it; the index has to be opened again.
        OSError
            If it could not be written. The old generation stands, and what was to be committed
            still waits.

        Warns
        -----
        RuntimeWarning
            If it is committed, but merging segments afterwards failed.
        """
        self._require_writer().commit()
        return self.generation

    def rotate(self, key: Key | None) -> int:
        """Commit, and put new documents under another key from now on; returns the generation.

        What is there stays under its old key, so both are needed to open the index until every
        source was added again, which moves its documents to the new key.
        """
        self._require_writer().rotate(key)
        return self.generation

    def merge(self) -> int:
        """Make one segment per key, without the documents that are gone; returns the generation.

        Commits first. The segment is the one that adding the living documents to an empty index
        would have made, byte for byte.
        """
        self._require_writer().merge()
        return self.generation

    # ---- reading

    def search(self, text: str, prompt: str | None = None) -> list[Match]:
        """Every passage of `text` that is found in the index, whatever a policy would say.

        Passages that `text` repeats from `prompt` are matches of their own, marked ``supplied``.

        Returns
        -------
        list of Match
            By where they begin in the query, the best first.

        Raises
        ------
        ValueError
            If `text` holds lone surrogates.
        FormatError
            If a damaged part of the index is met.
        """
        return self.snapshot.search(text, prompt)

    def search_batch(self, texts: list[str], threads: int = 1) -> list[list[Match]]:
        """``search`` of many texts on `threads` threads; the same answers in the same order."""
        return self.snapshot.search_batch(texts, threads)

    def documents(
        self,
        *,
        document: Several = None,
        corpus: Several = None,
        owner: Several = None,
        licence: Several = None,
    ) -> Iterator[IndexedDocument]:
        """The documents that are protected, or those of them that are meant, as in ``remove``."""
        return self.snapshot.documents(
            Selection.of(document=document, corpus=corpus, owner=owner, licence=licence)
        )

    def holds(self, id: str, text: str) -> bool:
        """Whether the document of this id is protected, with this very text."""
        return self.snapshot.holds(id, text)

    def export(
        self,
        path: str | Path,
        *,
        document: Several = None,
        corpus: Several = None,
        owner: Several = None,
        licence: Several = None,
    ) -> int:
        """Write the fingerprints of committed documents to one file, for ``import_`` elsewhere.

        The file holds no text, and answers nothing without the key. It appears whole or not at
        all, in the place of one that was there.

        Returns
        -------
        int
            How many documents; chosen as in ``remove``, all if nothing is given.

        Raises
        ------
        ValueError
            If no document fits, or they are under several keys.
        """
        selection = Selection.of(document=document, corpus=corpus, owner=owner, licence=licence)
        return export(self.snapshot, Path(path), selection, self._storage)

    def reload(self) -> bool:
        """Take up the newest committed generation; false if it is the one in use.

        Raises what ``open`` does, and then goes on with the generation it had.
        """
        before = self.snapshot
        now = Snapshot.read(self.path, self._ring, self._storage, self._parsers, before)
        if self._writer is None:
            self._snapshot = now
        else:  # a commit in doubt was made: shown, but nothing is built on it
            self._writer.snapshot = now
        return now is not before

    def info(self) -> IndexInfo:
        """What the last commit holds."""
        return self.snapshot.info()

    def verify(self) -> VerifyReport:
        """Read every byte and check it against its checksum.

        Raises
        ------
        FormatError
            Naming the file and the bytes that are damaged.
        """
        return self.snapshot.verify()

    def _require_writer(self) -> Writer:
        if self._writer is None:
            raise ValueError(f"{self.path}: open for reading; pass writable=True to change it")
        return self._writer


def _listed(keys: Key | Iterable[Key] | None) -> list[Key]:
    return [] if keys is None else [keys] if isinstance(keys, Key) else list(keys)


def _check_free(path: Path, storage: _core.Storage) -> None:
    names = sorted(storage.list(str(path)))
    if MANIFEST in names:
        raise FileExistsError(f"{path}: there is an index already; open it instead")
    foreign = [name for name in names if name != LOCK and not is_temporary(name)]
    if foreign:
        raise FileExistsError(f"{path}: not empty (has {foreign[0]!r}) and no index")
