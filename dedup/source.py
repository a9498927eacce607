"""Files, folders, git repositories, rows, archives and standard input as Documents.

Takes the sources a user names and gives one Document at a time, in an order that depends on names
alone: what ``partition`` cuts them into, read one after the other. What cannot be read or decoded
comes out in its place as a SourceProblem: nothing is skipped in silence and one bad file stops no
other.

What a source may be is listed in ``walk``, what a file may hold in ``forms``, how text is decoded
in ``encoding``.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from itertools import chain, groupby

from dedup.document import READ_ERRORS, Document, SourceNote, SourceProblem, name_of, reason_of
from dedup.encoding import Encoding, NotText
from dedup.errors import SourceError
from dedup.forms import read_document
from dedup.packing import Allowance, unpacked
from dedup.partition import Partition, Piece, partitions
from dedup.reading import Reading
from dedup.remote import is_url
from dedup.tree import File, Kind, Tree, open_regular, open_stdin

__all__ = [
    "Document",
    "SourceNote",
    "SourceProblem",
    "find_documents",
    "is_blank",
    "no_text",
    "read_all",
    "read_sources",
    "read_text",
    "summed",
]


def read_sources(
    sources: Iterable[str | os.PathLike[str]],
    *,
    corpus: str = "",
    licence: str = "",
    owner: str = "",
    url: str = "",
    expires: date | None = None,
    fields: Iterable[tuple[str, str]] = (),
    encoding: str | None = None,
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
    fields : pairs of str
        What a row says and the field that says it, instead of the usual ones; see ``Reading``.
    encoding : str, optional
        The encoding of what is not UTF-8. Nothing is guessed here; see ``encoding``.
    skip : path, optional
        A directory that is no source though it may lie inside one: the index being written.
    revision : str, optional
        Read this commit of the sources, each of which must be a git repository.
    note : function, optional
        Told at the end of a source, once for each tree in it, what was left out of it.

    Raises
    ------
    ValueError
        If ``url`` has an unknown field, a row has nothing of a name in ``fields``, or the encoding
        is unknown. Nothing else: what fails is a SourceProblem.

    Notes
    -----
    Lazy: one document is in memory at a time, and the names of the files of a checked-out
    repository.
    """
    reading = Reading(
        fields=tuple(fields),
        encoding=Encoding(encoding),
        labels=Document("", "", corpus, licence, owner, url, expires),
        skip=() if skip is None else (os.path.abspath(skip),),  # noqa: PTH100 keeps the links
        revision=revision,
    )
    return read_all(partitions(sources, reading), note)


def read_all(
    parts: Iterable[Partition], note: Callable[[SourceNote], object] | None = None
) -> Iterator[Document | SourceProblem]:
    """The documents of partitions, as ``read_sources`` gives those of sources."""
    for source, group in groupby(parts, key=lambda partition: partition.source):
        # A source without any text is a mistake; an empty file among others (every Python package
        # has one) is not.
        is_empty = True
        blank: list[Document] = []
        notes: list[SourceNote] = []
        for item in chain.from_iterable(partition.read() for partition in group):
            if isinstance(item, SourceNote):
                notes.append(item)
            elif is_empty and isinstance(item, Document) and is_blank(item):
                blank.append(item)
            else:
                yield from blank
                blank.clear()
                is_empty = False
                yield item
        if is_empty:
            yield no_text(source)
        if note is not None:
            for one in summed(notes):
                note(one)


def no_text(source: str) -> SourceProblem:
    """What is said of a source that could be read and has nothing to protect."""
    reason = "holds no text, so there is nothing of it to protect; check the path"
    return SourceProblem(name_of(source), "", reason)


def is_blank(document: Document) -> bool:
    """Whether its text is empty but for white space."""
    return not document.text or document.text.isspace()


def summed(notes: Iterable[SourceNote]) -> list[SourceNote]:
    """One note for each name: those on a tree come with each partition of it."""
    counts: dict[str, tuple[Counter[str], Counter[str]]] = {}
    for note in notes:
        left_out, decoded = counts.setdefault(note.name, (Counter(), Counter()))
        left_out.update(note.left_out)
        decoded.update(note.decoded)
    return [
        SourceNote(name, dict(sorted(left_out.items())), dict(sorted(decoded.items())))
        for name, (left_out, decoded) in counts.items()
    ]


def find_documents(
    sources: Iterable[str | os.PathLike[str]],
    ids: Iterable[str],
    reading: Reading | None = None,
) -> dict[str, str]:
    """The texts of documents, by id, that the sources still hold.

    Takes the sources as they were given to ``read_sources``. Where an id begins as the path of a
    file, that file is read; for other rows and the files of a commit the sources are read until all
    are found.
    """
    places = [os.fspath(source) for source in sources]
    reading = Reading() if reading is None else reading
    wanted, found = set(ids), dict[str, str]()

    def look(items: Iterable[Document | SourceProblem | SourceNote]) -> None:
        for item in items:
            if isinstance(item, Document) and item.id in wanted:
                found[item.id] = item.text
                wanted.discard(item.id)
            if not wanted:
                break

    for source in places:
        if is_url(source):
            continue
        for partition in _likely(source, sorted(wanted), reading):
            look(partition.read())
    for partition in partitions(places, reading) if wanted else ():
        look(partition.read())
        if not wanted:
            break
    return found


def _likely(source: str, ids: Iterable[str], reading: Reading) -> Iterator[Partition]:
    """The files of a source on disk that the ids speak of, each once."""
    place = os.path.abspath(source)  # noqa: PTH100 keeps the links
    name = name_of(os.path.basename(place))  # noqa: PTH119
    seen = set[str]()
    for id in ids:
        if (id != name and not id.startswith((f"{name}/", f"{name}#"))) or ".." in id.split("/"):
            continue
        path = id.removeprefix(name).removeprefix("/")
        # An id inside an archive goes on after its name, that of a row after a number sign.
        while path not in seen:
            seen.add(path)
            if os.path.isfile(os.path.join(place, path) if path else place):  # noqa: PTH113, PTH118
                kind: Kind = "folder" if path else "file"
                file = File(Tree(kind, place, name_of(source), name), path)
                yield Partition(0, source, (Piece(file),), reading)
                break
            path = re.sub(r"(?:^|/)[^/]*\Z|#\d+\Z", "", path)


def read_text(source: str | os.PathLike[str], encoding: Encoding | None = None) -> str:
    """The text of one file, unpacked and as it stands, or of standard input for ``-``.

    Raises
    ------
    SourceError
        If it cannot be read or decoded; the message has the file, the byte and the way out.
    """
    place = os.fspath(source)
    name, problem = "standard input" if place == "-" else name_of(place), None
    try:
        opened = open_stdin() if place == "-" else open_regular(place)
        with unpacked(opened, place, Allowance()) as stream:
            return (encoding or Encoding()).decode(read_document(stream))[0]
    except NotText as error:
        problem = SourceProblem(name, error.place, str(error))
    except READ_ERRORS as error:
        problem = SourceProblem(name, "", reason_of(error))
    raise SourceError(str(problem))
