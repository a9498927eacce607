"""The index: a directory of immutable segments and the manifest that names them.

Takes Documents, gives Matches for a query. On disk::

    MANIFEST              JSON: format version, generation, key id, scheme, segments, checksum
    segment-<hash>.dedup  immutable; the format is told in csrc/segment.h
    LOCK                  held (flock) by the one writer; free when its process is gone

Swapping the manifest is the commit: segments are written and synced first, then the manifest under
a temporary name, then renamed, then the directory is synced. A reader maps the segments that the
manifest named when it opened, and keeps them whatever is committed later. Nothing is ever written
in place. What a writer that died left behind is removed by the next writer.
"""

import fcntl
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, Self, get_args

from dedup import _core
from dedup.errors import FormatError, IndexLocked, WrongKey
from dedup.key import Key, default_key
from dedup.manifest import (
    FORMAT_VERSION,
    MANIFEST,
    Entry,
    Manifest,
    read_manifest,
    sync_directory,
    write_manifest,
)
from dedup.match import Kind, Match, Span, View
from dedup.source import Document

if TYPE_CHECKING:
    from dedup.syntax import Syntax
    from dedup.views import UnitRow

__all__ = ["CorpusInfo", "Index", "IndexInfo", "Scheme", "VerifyReport"]

Scheme = _core.Scheme

LOCK = "LOCK"
# What a writer holds in memory before it writes a segment: some 100 million tokens.
SEGMENT_MEMORY_BYTES = 512 * 1024 * 1024
# What parsing the code of a query may take: some 500 kB of ordinary code, and less than half of the
# 250 ms that a hostile one may cost. Its lexemes are searched whatever comes of it.
QUERY_PARSE_S = 0.1
# A query probes every segment, so a commit that leaves more merges the newest ones.
MAX_SEGMENTS = 8

_SCHEME_FIELDS: Final = (
    "tile_size",
    "tile_stride",
    "gapped_shape",
    "gapped_stride",
    "window_size",
    "window_stride",
    "shingle_size",
    "bands",
    "rows",
    "least_distinct",
)
_VIEWS: Final[tuple[View, ...]] = get_args(View)

# A match of code is `renamed` from this share of its names on; fewer are edits.
_RENAMED_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True)
class CorpusInfo:
    """Living documents and tokens of one corpus."""

    documents: int
    tokens: int


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """What an index holds.

    Attributes
    ----------
    key_id : str
        16 hexadecimal digits, or ``""`` for an index without key.
    schemes : dict
        View to the parameters of its fingerprints.
    tokens : int
        Words; lexemes and nodes are not counted.
    bytes, bytes_per_token : int, float
        Of all segment files; per living token.
    corpora : dict
        Corpus name to CorpusInfo; documents without a corpus are under ``""``.
    """

    path: str
    format_version: int
    generation: int
    key_id: str
    schemes: dict[str, dict[str, int]]
    segments: int
    documents: int
    tokens: int
    bytes: int
    bytes_per_token: float
    corpora: dict[str, CorpusInfo]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What ``Index.verify`` read and found whole."""

    segments: int
    documents: int
    bytes: int


class Index:
    """A protected corpus on disk; made by ``Index.create`` or ``Index.open``.

    One writer at a time, any number of readers; see the module's text for what a crash leaves.
    Documents added become searchable at ``commit``.
    """

    def __init__(self, path: Path, manifest: Manifest, key: Key | None, lock: int | None) -> None:
        self._path = path
        self._key = key
        self._secret = key.secret if key else None
        self._schemes = [Scheme(**manifest.schemes[view]) for view in _VIEWS]
        self._parsers: dict[str, Syntax] = {}  # of documents and of queries
        self._lock = lock
        self._manifest = manifest
        self._segments = self._open_segments(manifest)
        self._searcher: _core.Searcher | None = None
        self._reset_pending()

    # ---- create, open, close

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        key: Key | Literal["default"] | None = "default",
        scheme: Scheme | None = None,
    ) -> Self:
        """Make an empty index, open for writing.

        Parameters
        ----------
        path : path
            A directory that does not exist yet, or is empty.
        key : Key or None
            The default is the user's key, made on first use. None builds an index that anyone who
            holds its files can query.
        scheme : Scheme
            Shapes the fingerprints of words; can't be changed later. Those of code are shaped by
            ``Scheme.code()`` and ``Scheme.ast()``.

        Raises
        ------
        FileExistsError
            If something else is there.
        """
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        if (path / MANIFEST).exists():
            raise FileExistsError(f"{path}: there is an index already; open it instead")
        foreign = sorted(p.name for p in path.iterdir() if not _is_ours(p.name))
        if foreign:
            raise FileExistsError(f"{path}: not empty (has {foreign[0]!r}) and no index")
        if key == "default":
            key = default_key(create=True)
        lock = _take_lock(path)
        try:
            schemes = dict(
                zip(_VIEWS, (scheme or Scheme(), Scheme.code(), Scheme.ast()), strict=True)
            )
            fields: dict[str, dict[str, int]] = {
                view: _scheme_fields(scheme) for view, scheme in schemes.items()
            }
            manifest = Manifest(0, key.id if key else 0, fields, ())
            write_manifest(path, manifest)
            sync_directory(path.absolute().parent)
            return cls(path, manifest, key, lock)
        except BaseException:
            os.close(lock)
            raise

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        key: Key | Literal["default"] | None = "default",
        writable: bool = False,
    ) -> Self:
        """Open the index as its last commit left it.

        Parameters
        ----------
        path : path
            The index directory.
        key : Key or None
            The key it was made with; by default the user's key if the index has one.
        writable : bool
            Take the writer's lock, so that ``add``, ``commit`` and ``merge`` work.

        Raises
        ------
        FileNotFoundError
            If there is no index.
        FormatError
            If the manifest or a segment is damaged or of another version.
        WrongKey
            If the key is not the one the index was made with.
        IndexLocked
            If `writable` and another process writes to it.
        """
        path = Path(path)
        lock = _take_lock(path) if writable and (path / MANIFEST).exists() else None
        try:
            manifest = read_manifest(path)
            return cls(path, manifest, _check_key(path, manifest, key), lock)
        except BaseException:
            if lock is not None:
                os.close(lock)
            raise

    def close(self) -> None:
        """Give up the lock and whatever was added but not committed."""
        self._discard_pending()
        for parser in self._parsers.values():
            parser.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

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
        return self._path

    @property
    def generation(self) -> int:
        """How many commits led here; a verdict tells the generation it was made with."""
        return self._manifest.generation

    @property
    def scheme(self) -> Scheme:
        """The parameters its fingerprints of words were made with."""
        return self._schemes[0]

    @property
    def parses(self) -> dict[str, int]:
        """How many parses of code came to what: ``parsed``, or why there was none.

        A document or query whose code could not be parsed is fingerprinted and searched by its
        lexemes and words all the same.
        """
        counts: Counter[str] = Counter()
        for parser in self._parsers.values():
            counts.update(parser.counts)
        return dict(counts)

    # ---- writing

    def add(self, documents: Iterable[Document]) -> int:
        """Fingerprint documents; they become searchable at ``commit``.

        A document whose id is in the index already replaces the one that is there. One that is
        there with the same text and metadata is left alone.

        Parameters
        ----------
        documents : iterable of Document
            Consumed one at a time; memory stays under `SEGMENT_MEMORY_BYTES` and one document.

        Returns
        -------
        int
            How many documents were added or replaced.

        Raises
        ------
        ValueError
            If a text holds lone surrogates or an id is empty; earlier documents stay added.
        """
        self._require_writer()
        added = 0
        for document in documents:
            added += self._add_one(document)
            if self._writer.memory_bytes > SEGMENT_MEMORY_BYTES:
                self._flush()
        return added

    def commit(self) -> int:
        """Make everything added durable and searchable; returns the generation."""
        self._require_writer()
        self._flush()
        entries = [
            entry.without(self._replaced.get(number, ()))
            for number, entry in enumerate(self._manifest.segments)
        ]
        if not self._fresh and not self._replaced:
            return self.generation
        self._swap([*entries, *self._fresh])
        if len(self._manifest.segments) > MAX_SEGMENTS:
            self._merge_from(_tail_to_merge([entry.tokens for entry in self._manifest.segments]))
        return self.generation

    def merge(self) -> int:
        """Make one segment of all, without the documents that are gone; returns the generation.

        Commits first. The segment is the one that adding the living documents to an empty index
        would have made, byte for byte.
        """
        self.commit()
        entries = self._manifest.segments
        if len(entries) > 1 or any(entry.dead for entry in entries):
            self._merge_from(0)
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
        searcher = self._search()
        ast, units = self._parsed(searcher, text)
        return [self._as_match(found) for found in searcher.search(text, prompt, ast, units)]

    def search_batch(self, texts: list[str], threads: int = 1) -> list[list[Match]]:
        """``search`` of many texts on `threads` threads; the same answers in the same order."""
        searcher = self._search()
        parsed = [self._parsed(searcher, text) for text in texts]
        found = searcher.search_batch(texts, parsed, threads)
        return [[self._as_match(match) for match in matches] for matches in found]

    def holds(self, id: str, text: str) -> bool:
        """Whether the document of this id is in the index with this very text."""
        content = _core.content_hash(text, self._secret)
        return any(
            self._segments[number].document(document)[-1] == content
            for number, document in self._committed(id)
        )

    def reload(self) -> bool:
        """Take up the newest committed generation; false if it is the one in use."""
        manifest = read_manifest(self._path)
        if manifest.generation == self._manifest.generation:
            return False
        _check_key(self._path, manifest, self._key)
        self._segments = self._open_segments(manifest)
        self._manifest, self._searcher = manifest, None
        return True

    def info(self) -> IndexInfo:
        """What the last commit holds."""
        corpora: dict[str, CorpusInfo] = {}
        for segment, entry in zip(self._segments, self._manifest.segments, strict=True):
            for corpus, (documents, tokens) in segment.corpora(sorted(entry.dead)).items():
                before = corpora.get(corpus, CorpusInfo(0, 0))
                corpora[corpus] = CorpusInfo(before.documents + documents, before.tokens + tokens)
        tokens = sum(corpus.tokens for corpus in corpora.values())
        size = sum(entry.bytes for entry in self._manifest.segments)
        return IndexInfo(
            path=str(self._path),
            format_version=FORMAT_VERSION,
            generation=self.generation,
            key_id=f"{self._manifest.key_id:016x}" if self._manifest.key_id else "",
            schemes={view: dict(scheme) for view, scheme in self._manifest.schemes.items()},
            segments=len(self._segments),
            documents=sum(corpus.documents for corpus in corpora.values()),
            tokens=tokens,
            bytes=size,
            bytes_per_token=size / tokens if tokens else 0.0,
            corpora=corpora,
        )

    def verify(self) -> VerifyReport:
        """Read every byte and check it against its checksum.

        Raises
        ------
        FormatError
            Naming the file and the bytes that are damaged.
        """
        for segment in self._segments:
            segment.verify()
        return VerifyReport(
            segments=len(self._segments),
            documents=sum(e.documents - len(e.dead) for e in self._manifest.segments),
            bytes=sum(e.bytes for e in self._manifest.segments),
        )

    # ---- inside

    def _search(self) -> _core.Searcher:
        if self._searcher is None:
            dead = [sorted(entry.dead) for entry in self._manifest.segments]
            self._searcher = _core.Searcher(self._segments, dead, self._secret)
        return self._searcher

    def _syntax(self, of: Literal["documents", "queries"]) -> "Syntax":
        if of not in self._parsers:
            from dedup.syntax import Syntax  # here, so that `import dedup` stays quick

            self._parsers[of] = Syntax.offline() if of == "documents" else Syntax()
        return self._parsers[of]

    def _parsed(
        self, searcher: _core.Searcher, text: str
    ) -> tuple[_core.Lexemes | None, "list[UnitRow]"]:
        """The syntax nodes of a query and its units, if it has code and so has the index."""
        if not searcher.has_code:
            return None, []
        from dedup.views import query_views

        views = query_views(text.encode(), self._syntax("queries"), budget_s=QUERY_PARSE_S)
        return (None, []) if views is None else (views.ast, views.units)

    def _as_match(self, found: _core.Found) -> Match:
        segment = self._segments[found.segment]
        id, corpus, licence, owner, url, language, *_ = segment.document(found.document)
        view = _VIEWS[found.view]
        kind = _kind_of(found)
        return Match(
            document=id,
            corpus=corpus,
            licence=licence,
            owner=owner,
            url=url,
            view=view,
            kind=kind,
            query_span=Span(found.query_start, found.query_end),
            document_span=Span(found.document_start, found.document_end),
            tokens=found.tokens,
            run=found.run if view == "text" or kind == "renamed" else found.same_run,
            identity=found.matched / found.columns,
            containment=found.containment,
            jaccard=found.matched / (found.tokens + found.document_tokens - found.matched),
            sources=found.sources,
            owners=found.owners,
            supplied=found.supplied,
            language=language,
            function=found.unit,
            lines=(found.first_line, found.last_line),
            distinct=found.distinct,
            shared_names=found.telling,
            consistency=found.consistency,
        )

    def _open_segments(self, manifest: Manifest) -> list[_core.Segment]:
        segments = []
        for entry in manifest.segments:
            try:
                segment = _core.Segment(str(self._path / entry.name))
            except FileNotFoundError:
                raise FormatError(
                    f"{self._path / entry.name}: the manifest names this segment but it is "
                    "missing; restore it from a copy or build the index again"
                ) from None
            summary = segment.summary
            if (summary.bytes, summary.documents, summary.tokens) != (
                entry.bytes,
                entry.documents,
                entry.tokens,
            ) or segment.key_id != manifest.key_id:
                raise FormatError(
                    f"{self._path / entry.name}: not the segment the manifest names; restore it "
                    "from a copy or build the index again"
                )
            segments.append(segment)
        return segments

    def _require_writer(self) -> None:
        if self._lock is None:
            raise ValueError(f"{self._path}: open for reading; pass writable=True to change it")

    def _reset_pending(self) -> None:
        self._writer = _core.SegmentWriter(self._schemes, self._secret)
        self._writer_ids: dict[str, int] = {}
        self._writer_dead: set[int] = set()
        # Written and not yet committed, with the ids they hold; documents they or committed
        # segments lose to newer ones.
        self._fresh: list[Entry] = []
        self._fresh_segments: list[_core.Segment] = []
        self._replaced: dict[int, set[int]] = {}

    def _discard_pending(self) -> None:
        if self._lock is not None:
            committed = {entry.name for entry in self._manifest.segments}
            for entry in self._fresh:
                if entry.name not in committed:
                    (self._path / entry.name).unlink(missing_ok=True)
        self._reset_pending()

    def _add_one(self, document: Document) -> int:
        if not document.id:
            raise ValueError("a document needs an id that is not empty")
        same = (document.id, document.corpus, document.licence, document.owner, document.url)
        try:
            content = self._writer.content_hash(document.text)
        except UnicodeEncodeError as error:
            raise ValueError(
                f"document {document.id!r}: lone surrogate at character {error.start}; "
                "decode the text before adding it"
            ) from None
        olds = list(self._committed(document.id))
        for number, old in olds:
            known = self._segments[number].document(old)
            if (*known[: len(same)], known[-1]) == (*same, content):
                return 0
        from dedup.views import document_views

        views = document_views(document.text.encode(), document.id, self._syntax("documents"))
        if views is None:
            self._writer.add(document.text, *same)
        else:
            self._writer.add(
                document.text, *same, views.language, views.code, views.ast, views.units
            )
        for number, old in olds:
            self._replaced.setdefault(number, set()).add(old)
        for number, segment in enumerate(self._fresh_segments):
            self._fresh[number] = self._fresh[number].without(segment.find_id(document.id))
        if document.id in self._writer_ids:
            self._writer_dead.add(self._writer_ids[document.id])
        self._writer_ids[document.id] = self._writer.documents - 1
        return 1

    def _committed(self, id: str) -> Iterator[tuple[int, int]]:
        """Segment and number of the living committed document that bears this id."""
        for number, segment in enumerate(self._segments):
            gone = self._manifest.segments[number].dead
            replaced = self._replaced.get(number, ())
            for document in segment.find_id(id):
                if document not in gone and document not in replaced:
                    yield number, document

    def _flush(self) -> None:
        if not self._writer.documents:
            return
        summary = self._writer.write(str(self._path))
        self._fresh.append(
            Entry(
                summary.name,
                summary.bytes,
                summary.documents,
                summary.tokens,
                frozenset(self._writer_dead),
            )
        )
        self._fresh_segments.append(_core.Segment(str(self._path / summary.name)))
        self._writer = _core.SegmentWriter(self._schemes, self._secret)
        self._writer_ids, self._writer_dead = {}, set()

    def _swap(self, entries: list[Entry]) -> None:
        """Commit these segments, then forget and remove those that are no longer named."""
        entries = [entry for entry in entries if len(entry.dead) < entry.documents]
        manifest = Manifest(
            self.generation + 1, self._manifest.key_id, self._manifest.schemes, tuple(entries)
        )
        segments = self._open_segments(manifest)
        write_manifest(self._path, manifest)
        self._manifest, self._segments, self._searcher = manifest, segments, None
        self._reset_pending()
        _remove_strays(self._path, manifest)

    def _merge_from(self, start: int) -> None:
        entries = self._manifest.segments
        dead = [sorted(entry.dead) for entry in entries[start:]]
        summary = _core.merge_segments(self._segments[start:], dead, str(self._path))
        merged = Entry(summary.name, summary.bytes, summary.documents, summary.tokens, frozenset())
        self._swap([*entries[:start], merged])


def _tail_to_merge(sizes: list[int]) -> int:
    """Where the newest segments begin that together outweigh the next older one.

    Merging them keeps sizes roughly doubling from newest to oldest, so a document is rewritten
    O(log n) times over the life of an index of n commits.
    """
    start = len(sizes) - 2
    while start > 0 and sizes[start - 1] < 2 * sum(sizes[start:]):
        start -= 1
    return start


def _kind_of(found: _core.Found) -> Kind:
    equal = found.matched == found.columns == found.tokens == found.document_tokens
    if found.view == 0:
        return "verbatim" if equal else "near"
    if equal and found.same == found.matched:
        return "verbatim"
    return "renamed" if found.renamed > _RENAMED_SHARE * found.names else "near"


def _scheme_fields(scheme: Scheme) -> dict[str, int]:
    return {name: getattr(scheme, name) for name in _SCHEME_FIELDS}


def _is_ours(name: str) -> bool:
    return name in (MANIFEST, LOCK, f".{MANIFEST}.writing", ".segment.writing") or (
        name.startswith("segment-") and name.endswith(".dedup")
    )


def _remove_strays(path: Path, manifest: Manifest) -> None:
    """Remove what no manifest names; readers that still map it keep it until they let go."""
    named = {entry.name for entry in manifest.segments} | {MANIFEST, LOCK}
    for file in path.iterdir():
        if _is_ours(file.name) and file.name not in named:
            file.unlink(missing_ok=True)


def _take_lock(path: Path) -> int:
    descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise IndexLocked(
            f"{path}: another process is writing to this index; wait for it, or stop it"
        ) from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_key(path: Path, manifest: Manifest, key: Key | Literal["default"] | None) -> Key | None:
    if manifest.key_id == 0:
        return None
    if key is None:
        raise WrongKey(f"{path}: this index is keyed; pass the key it was made with")
    if key == "default":
        key = default_key()
    if key.id != manifest.key_id:
        raise WrongKey(
            f"{path}: made with key {manifest.key_id:016x}, this one is {key.id:016x}; "
            "pass the key it was made with (--key FILE, key=Key.load(FILE))"
        )
    return key
