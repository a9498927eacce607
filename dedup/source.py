"""Files, folders, git repositories, JSON lines and standard input as Documents.

Takes the sources a user names and gives one Document at a time, in an order that depends on names
alone. What cannot be read or decoded comes out in its place as a SourceProblem: nothing is skipped
in silence and one bad file stops no other. Nothing that could block (a named pipe, a socket, a
device) is opened.

    a file                      one document, of the name of the file; a binary file is a problem
    ``.jsonl``, ``.ndjson``     a document a line, see ``rows``; inside a tree a file whose first
                                line is no such row is one document
    a folder                    every file in it; hidden files and what ``.gitignore`` files name
                                are left out, symbolic links are followed
    a git repository,           as ``repository`` lists it; symbolic links and submodules are left
    also inside a folder        out, and counted

Of a folder or a repository, together a tree, binary files are left out and counted: images and
archives are no mistake there. Any file may be gzipped, with a further ``.gz``.
"""

import gzip
import os
import re
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, cast
from urllib.parse import quote

from dedup.document import (
    MAX_DOCUMENT_BYTES,
    READ_ERRORS,
    Document,
    SourceNote,
    SourceProblem,
    decode,
    is_binary,
    name_of,
    reason_of,
)
from dedup.errors import SourceError
from dedup.evidence import Licences, is_evidence
from dedup.gitignore import Ignored
from dedup.licence import of_head
from dedup.repository import Repository, RepositoryFile, is_repository
from dedup.rows import is_rows, read_rows

__all__ = [
    "Document",
    "SourceNote",
    "SourceProblem",
    "find_documents",
    "read_sources",
    "read_text",
]

_URL_FIELDS: Final = ("{id}", "{path}", "{revision}")

# Enough to tell a video from a text without reading it all, and to hold any licence.
_BEGINNING_BYTES: Final = 1 << 16

# What Git LFS leaves in the place of a file it keeps elsewhere.
_LFS_POINTER: Final = re.compile(r"version https://git-lfs\.github\.com/spec/v1\n[^\0]{0,1000}\Z")


def read_sources(
    sources: Iterable[str | os.PathLike[str]],
    *,
    corpus: str = "",
    licence: str = "",
    owner: str = "",
    url: str = "",
    expires: date | None = None,
    text_field: str | None = None,
    skip: str | os.PathLike[str] | None = None,
    revision: str | None = None,
    note: Callable[[SourceNote], object] | None = None,
) -> Iterator[Document | SourceProblem]:
    """Every document of the sources, and in its place every problem met.

    Parameters
    ----------
    sources : iterable of paths
        Files, folders, git repositories, and ``-`` for standard input. The id of a file is its
        path from the parent of the source: ``books/emma.txt`` for ``/data/books``.
    corpus, owner, expires : str, str, date
        Given to every document; what a row says itself goes before.
    licence : str
        Given to every document, whatever the files say. Without it a document gets the licence
        that its file states, or else what is stated beside and above it in its tree; see
        ``licence`` and ``evidence``.
    url : str
        Given to every document, with ``{id}``, ``{path}`` (inside the source) and ``{revision}``
        (the commit of a repository) filled in, percent-encoded; empty where ``{revision}`` is
        unknown. Without it a tracked file of a repository gets its page at the repository's origin,
        if that is on a well-known host.
    text_field : str, optional
        The field of a row that holds the text, instead of the usual ones.
    skip : path, optional
        A directory that is no source though it may lie inside one: the index being written.
    revision : str, optional
        Read this commit of the sources, each of which must be a git repository.
    note : function, optional
        Told once for each tree what was left out of it.

    Raises
    ------
    ValueError
        If ``url`` has an unknown field. Nothing else: what fails is a SourceProblem.

    Notes
    -----
    Lazy: one document is in memory at a time, and the names of the files of a checked-out
    repository.
    """
    unknown = set(re.findall(r"\{.*?\}", url)) - set(_URL_FIELDS)
    if unknown:
        raise ValueError(
            f"unknown field {min(unknown)} in url template {url!r}; "
            f"only {', '.join(_URL_FIELDS)} are known"
        )
    labels = Document("", "", corpus, licence, owner, url, expires)
    return _read_all(sources, _Wishes(labels, text_field, skip, revision, note))


def find_documents(
    sources: Iterable[str | os.PathLike[str]], ids: Iterable[str], text_field: str | None = None
) -> dict[str, str]:
    """The texts of documents, by id, that the sources still hold.

    Takes the sources as they were given to ``read_sources``. A file is opened by what its id says;
    for rows and the files of a commit the sources are read until all are found.
    """
    sources = list(sources)
    wanted, found = set(ids), dict[str, str]()
    for source in sources:
        place = Path(os.path.abspath(source))  # noqa: PTH100 keeps the links
        for id in sorted(wanted):
            inside = id == place.name or id.startswith(f"{place.name}/")
            if inside and ".." not in id.split("/"):
                with suppress(SourceError, ValueError):
                    found[id] = read_text(place.parent / id)
        wanted -= found.keys()
    if wanted:
        for item in read_sources(sources, text_field=text_field):
            if isinstance(item, Document) and item.id in wanted:
                found[item.id] = item.text
                wanted.discard(item.id)
            if not wanted:
                break
    return found


def read_text(source: str | os.PathLike[str]) -> str:
    """The text of one file, or of standard input for ``-``.

    Raises
    ------
    SourceError
        If it cannot be read or is not UTF-8; the message has the file, the byte and the way out.
    """
    path = Path(source)
    name = "standard input" if str(source) == "-" else name_of(str(source))
    try:
        with _open_stdin() if str(source) == "-" else _open(path) as file:
            text = decode(name, file.read(MAX_DOCUMENT_BYTES + 1))
    except READ_ERRORS as error:
        text = SourceProblem(name, "", reason_of(error))
    if isinstance(text, SourceProblem):
        raise SourceError(str(text))
    return text


@dataclass(frozen=True, slots=True)
class _Wishes:
    """What the caller asked for, other than the sources."""

    labels: Document
    text_field: str | None
    skip: str | os.PathLike[str] | None
    revision: str | None
    note: Callable[[SourceNote], object] | None


@dataclass(frozen=True, slots=True)
class _Tree:
    """What the files of a folder or a repository share."""

    shown: str
    licences: Licences
    url: str = ""
    revision: str = ""
    left_out: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _File:
    """A file: its name in messages, its id, its path inside the source, its bytes."""

    shown: str
    id: str
    path: str
    open: Callable[[], AbstractContextManager[BinaryIO]]


# ---- sources -------------------------------------------------------------------------------------


def _read_all(
    sources: Iterable[str | os.PathLike[str]], wishes: _Wishes
) -> Iterator[Document | SourceProblem]:
    roots: dict[str, str] = {}
    for given in sources:
        source = os.fspath(given)
        place = "-" if source == "-" else os.path.abspath(source)  # noqa: PTH100 keeps the links
        name = "stdin" if source == "-" else name_of(os.path.basename(place) or place)  # noqa: PTH119
        if roots.setdefault(name, place) != place:
            reason = (
                f"its documents would replace those of {name_of(roots[name])}, which has the "
                "same name; give the folder above both"
            )
            yield SourceProblem(name_of(source), "", reason)
            continue
        # A source without any text is a mistake; an empty file among others (every Python package
        # has one) is not.
        is_empty = True
        blank: list[Document] = []
        for item in _read_source(source, name, wishes):
            if isinstance(item, Document) and (not item.text or item.text.isspace()):
                blank.append(item)
                continue
            is_empty = False
            yield item
        if is_empty:
            reason = "holds no text, so there is nothing of it to protect; check the path"
            yield SourceProblem(name_of(source), "", reason)
        else:
            yield from blank


def _read_source(source: str, name: str, wishes: _Wishes) -> Iterator[Document | SourceProblem]:
    shown = "standard input" if source == "-" else name_of(source)
    if source != "-" and os.path.isdir(source):  # noqa: PTH112
        yield from _read_folder(source, name, wishes)
    elif wishes.revision is not None:
        yield SourceProblem(shown, "", "is no git repository; leave out --revision")
    else:
        open = _open_stdin if source == "-" else partial(_open, Path(source))
        yield from _read_file(_File(shown, name, name, open), None, wishes)


# ---- trees ---------------------------------------------------------------------------------------


def _read_folder(source: str, name: str, wishes: _Wishes) -> Iterator[Document | SourceProblem]:
    """Every file below the folder: depth first, names in code point order."""
    root = Path(source)
    tree = _Tree(name_of(source), _licences_on_disk(root))
    # A stack, not recursion: paths can be nested deeper than Python's calls.
    pending: list[tuple[str, Ignored, frozenset[tuple[int, int]]]] = [("", Ignored(), frozenset())]
    while pending:
        path, ignored, above = pending.pop()
        place = root / path
        shown, id = name_of(str(place)), f"{name}/{name_of(path)}" if path else name
        try:
            status = place.stat()
            if not stat.S_ISDIR(status.st_mode):
                if path not in ignored:
                    file = _File(shown, id, path, partial(_open, place))
                    yield from _read_file(file, tree, wishes)
                continue
            here = (status.st_dev, status.st_ino)
            if f"{path}/" in ignored or _is_same(wishes.skip, status):
                continue
            if here in above:
                reason = "a loop of symbolic links: it leads back to a folder above it"
                yield SourceProblem(shown, "", reason)
                continue
            names = os.listdir(place)  # noqa: PTH208 keeps names that are no UTF-8
            if is_repository(place, names):
                yield from _read_repository(place, shown, id, wishes)
                continue
            if wishes.revision is not None and not path:
                reason = "is no git repository; leave out --revision"
                yield SourceProblem(shown, "", reason)
                return
            ignored = ignored.below(place, path, names)
            prefix = f"{path}/" if path else ""
            pending += (
                (prefix + entry, ignored, above | {here})
                for entry in sorted(names, reverse=True)
                if entry[0] != "."
            )
        except READ_ERRORS as error:
            yield SourceProblem(shown, "", reason_of(error))
    _tell(tree, wishes)


def _read_repository(
    path: Path, shown: str, name: str, wishes: _Wishes
) -> Iterator[Document | SourceProblem]:
    try:
        with Repository(path, wishes.revision) as repository:
            on_disk = repository.is_on_disk
            licences = _licences_on_disk(path) if on_disk else _licences_of_commit(repository)
            tree = _Tree(shown, licences, repository.url, repository.commit)
            skipped = _inside(path, wishes.skip)
            for item in repository.files():
                if skipped and item.path.startswith(skipped):
                    continue
                if item.kind != "file":
                    tree.left_out[item.kind] += 1
                    continue
                place = path / item.path
                open = partial(_open, place) if on_disk else partial(_open_object, repository, item)
                file = _File(name_of(str(place)), f"{name}/{name_of(item.path)}", item.path, open)
                here = tree if item.is_tracked else replace(tree, url="")
                yield from _read_file(file, here, wishes)
            _tell(tree, wishes)
    except READ_ERRORS as error:
        yield SourceProblem(shown, "", reason_of(error))


def _tell(tree: _Tree, wishes: _Wishes) -> None:
    if wishes.note is not None and tree.left_out:
        wishes.note(SourceNote(tree.shown, dict(sorted(tree.left_out.items()))))


def _is_same(path: str | os.PathLike[str] | None, status: os.stat_result) -> bool:
    try:
        return path is not None and os.path.samestat(os.stat(path), status)  # noqa: PTH116
    except OSError:
        return False


def _inside(root: Path, skip: str | os.PathLike[str] | None) -> str:
    """How the paths inside the root begin that are to be skipped; empty if none are."""
    with suppress(OSError, ValueError):
        if skip is not None:
            return f"{Path(skip).resolve().relative_to(root.resolve())}/"
    return ""


def _licences_on_disk(root: Path) -> Licences:
    def names_in(folder: str) -> list[str]:
        with suppress(OSError):
            return os.listdir(root / folder)  # noqa: PTH208
        return []

    def read(path: str) -> str:
        with suppress(*READ_ERRORS), _open(root / path) as file:
            return file.read(_BEGINNING_BYTES).decode("utf-8", "replace")
        return ""

    return Licences(names_in, read)


def _licences_of_commit(repository: Repository) -> Licences:
    names: dict[str, dict[str, RepositoryFile]] = {}

    def list_names() -> None:
        for file in repository.files():
            folder, _, name = file.path.rpartition("/")
            parent, _, folder_name = folder.rpartition("/")
            if file.kind == "file" and (is_evidence(name) or is_evidence(folder_name)):
                names.setdefault(folder, {})[name] = file
                names.setdefault(parent, {})[folder_name] = file

    def names_in(folder: str) -> list[str]:
        if not names:
            names[""] = {}
            list_names()
        return list(names.get(folder, ()))

    def read(path: str) -> str:
        folder, _, name = path.rpartition("/")
        with suppress(*READ_ERRORS), repository.open(names[folder][name]) as file:
            return file.read(_BEGINNING_BYTES).decode("utf-8", "replace")
        return ""

    return Licences(names_in, read)


# ---- files ---------------------------------------------------------------------------------------


def _read_file(
    file: _File, tree: _Tree | None, wishes: _Wishes
) -> Iterator[Document | SourceProblem]:
    """The documents of one file; inside a tree, what is no text is counted there instead."""
    try:
        # Before the file is opened: of a commit, one object is read at a time.
        label = _labelling(file, tree, wishes.labels)
        if is_rows(file.path):
            with file.open() as stream:
                rows = read_rows(stream, file.shown, file.id, label, wishes.text_field)
                first = next(rows, None)
                if first is None:
                    return
                if tree is None or isinstance(first, Document):
                    yield first
                    yield from rows
                    return
        with file.open() as stream:
            data = stream.read(_BEGINNING_BYTES)
            if tree is not None and 0 in data and is_binary(data):
                tree.left_out["binary file"] += 1
                return
            data += stream.read(MAX_DOCUMENT_BYTES + 1 - len(data))
        text = decode(file.shown, data)
        if isinstance(text, str):
            if tree is not None and _LFS_POINTER.match(text):
                tree.left_out["Git LFS pointer"] += 1
            else:
                yield label(file.id, text)
        elif tree is not None and len(data) <= MAX_DOCUMENT_BYTES and is_binary(data):
            tree.left_out["binary file"] += 1
        else:
            yield text
    except READ_ERRORS as error:
        yield SourceProblem(file.shown, "", reason_of(error))


def _labelling(file: _File, tree: _Tree | None, given: Document) -> Callable[[str, str], Document]:
    """What makes a Document of an id and a text of this file."""
    template = given.url or (tree.url if tree else "")
    revision = tree.revision if tree else ""
    if "{revision}" in template and not revision:
        template = ""
    # In one pass, so that no name of a file is taken for a field.
    path = quote(os.fsencode(file.path), safe="/")
    above = "" if given.licence or tree is None else tree.licences.of(file.path)

    def label(id: str, text: str) -> Document:
        values = {"{id}": quote(id, safe="/"), "{path}": path, "{revision}": revision}
        return replace(
            given,
            id=id,
            text=text,
            licence=given.licence or of_head(text) or above,
            url=re.sub(r"\{\w+\}", lambda field: values[field[0]], template),
        )

    return label


def _open(path: Path) -> BinaryIO:
    """A regular file for reading, unpacked if it ends in ``.gz``; refuses what could block."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kinds = {
            stat.S_IFDIR: "a directory",
            stat.S_IFIFO: "a named pipe",
            stat.S_IFSOCK: "a socket",
            stat.S_IFCHR: "a device",
            stat.S_IFBLK: "a device",
        }
        kind = kinds.get(stat.S_IFMT(mode), "no regular file")
        raise OSError(f"is {kind}, not a regular file; pass its text on standard input, as -")
    if path.suffix.lower() == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    return path.open("rb")


def _open_object(repository: Repository, file: RepositoryFile) -> BinaryIO:
    stream = repository.open(file)
    return cast(BinaryIO, _Unpacked(stream)) if file.path.lower().endswith(".gz") else stream


class _Unpacked(gzip.GzipFile):
    """A gzip stream that closes what it reads from."""

    def __init__(self, packed: BinaryIO) -> None:
        super().__init__(fileobj=packed, mode="rb")
        self._packed = packed

    def close(self) -> None:
        super().close()
        self._packed.close()


def _open_stdin() -> AbstractContextManager[BinaryIO]:
    return nullcontext(sys.stdin.buffer)  # not ours to close
