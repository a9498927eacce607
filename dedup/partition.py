"""Partitions of the sources: each can be read by itself, wherever it is sent.

Takes the sources that a user names, gives Partitions in an order that depends on names alone; read
one after the other they give the documents of ``read_sources``. A source is listed once and lazily:
what is held in memory is one partition and the names of one path of folders.

    small files                         together, to some 8 MB
    ``.jsonl``, ``.ndjson``             cut at ends of lines, to some 8 MB
    what is packed, standard input      not cut; long, if many documents may come out
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

import xxhash

from dedup.document import READ_ERRORS, Document, SourceNote, SourceProblem, name_of, reason_of
from dedup.forms import cut, is_long, read_item
from dedup.item import Item, Label, Stretch, Tally
from dedup.licence import of_head
from dedup.reading import Reading
from dedup.remote import is_url
from dedup.tree import Access, File
from dedup.walk import files_of, source_name

__all__ = ["Partition", "Piece", "partitions"]

# Enough work for a worker that the way there is nothing, little enough for many workers and for
# a progress bar that moves.
_GROUP_BYTES: Final = 8 << 20
_GROUP_FILES: Final = 2048

_URL_FIELDS: Final = ("{id}", "{path}", "{revision}")


@dataclass(frozen=True, slots=True)
class Piece:
    """A file, or a stretch of one."""

    file: File
    stretch: Stretch | None = None


@dataclass(frozen=True, slots=True)
class Partition:
    """Some documents of one source; a small value that can be pickled and read anywhere.

    Attributes
    ----------
    number : int
        Its place in the order of all, from 0.
    source : str
        The source it belongs to, as the user named it.
    pieces : tuple
        What it is made of, and in their place the problems and notes of listing them.
    reading : Reading
        How it is read.
    bytes : int
        About how much there is to read, packed as it is; 0 if unknown.
    is_long : bool
        It could not be cut: a long packed file or standard input. Whoever has many workers reads
        it once and hands its documents on.
    """

    number: int
    source: str
    pieces: tuple[Piece | SourceProblem | SourceNote, ...]
    reading: Reading
    bytes: int = 0
    is_long: bool = False

    @property
    def stamp(self) -> str:
        """What changes when its files do, by their names, sizes and times, or how it is read."""
        told = repr((self.source, self.pieces, self.reading))
        return xxhash.xxh3_128_hexdigest(told.encode("utf-8", "surrogatepass"))

    def read(self) -> Iterator[Document | SourceProblem | SourceNote]:
        """Its documents, and in its place each problem met; what was left out comes as notes.

        Lazy: one document is in memory at a time.
        """
        at = 0
        while at < len(self.pieces):
            piece = self.pieces[at]
            if not isinstance(piece, Piece):
                yield piece
                at += 1
                continue
            tree, tally = piece.file.tree, Tally()
            with Access(tree) as access:
                while isinstance(piece, Piece) and piece.file.tree == tree:
                    yield from _read(piece, access, self.reading, tally)
                    at += 1
                    if at == len(self.pieces):
                        break
                    piece = self.pieces[at]
            if tally.left_out or tally.decoded:
                left_out, decoded = (
                    dict(sorted(c.items())) for c in (tally.left_out, tally.decoded)
                )
                yield SourceNote(tree.shown, left_out, decoded)


def partitions(
    sources: Iterable[str | os.PathLike[str]], reading: Reading | None = None
) -> Iterator[Partition]:
    """The partitions of the sources; lazy.

    Parameters
    ----------
    sources : iterable of paths
        Files, folders, git repositories, ``-`` for standard input.
    reading : Reading, optional
        How they are read; it goes with each partition.

    Raises
    ------
    ValueError
        If the url of the labels has an unknown field. What fails otherwise is a SourceProblem.
    """
    reading = Reading() if reading is None else reading
    template = reading.labels.url if reading.labels else ""
    unknown = set(re.findall(r"\{.*?\}", template)) - set(_URL_FIELDS)
    if unknown:
        raise ValueError(
            f"unknown field {min(unknown)} in url template {template!r}; "
            f"only {', '.join(_URL_FIELDS)} are known"
        )
    return _all(sources, reading)


# ---- planning ------------------------------------------------------------------------------------


def _all(sources: Iterable[str | os.PathLike[str]], reading: Reading) -> Iterator[Partition]:
    roots: dict[str, str] = {}
    number = 0
    for given in sources:
        source = os.fspath(given)
        is_path = source != "-" and not is_url(source)
        place = os.path.abspath(source) if is_path else source  # noqa: PTH100 keeps the links
        name = source_name(source)
        groups: Iterable[_Group]
        if roots.setdefault(name, place) != place:
            reason = (
                f"its documents would replace those of {name_of(roots[name])}, which has the "
                "same name; give the folder above both"
            )
            groups = [_Group([SourceProblem(name_of(source), "", reason)])]
        else:
            groups = _groups(source, reading)
        for group in groups:
            yield Partition(
                number, source, tuple(group.pieces), reading, group.bytes, group.is_long
            )
            number += 1


@dataclass(slots=True)
class _Group:
    """What becomes a partition."""

    pieces: list[Piece | SourceProblem | SourceNote]
    bytes: int = 0
    is_long: bool = False


def _groups(source: str, reading: Reading) -> Iterator[_Group]:
    """What a source is made of: small things together, long ones cut."""
    group = _Group([])
    for item in files_of(source, reading):
        if isinstance(item, File) and (item.bytes > _GROUP_BYTES or item.tree.kind == "stdin"):
            if group.pieces:
                yield group
                group = _Group([])
            yield from _cut(item, reading)
            continue
        group.pieces.append(Piece(item) if isinstance(item, File) else item)
        group.bytes += max(0, item.bytes) if isinstance(item, File) else 0
        if group.bytes >= _GROUP_BYTES or len(group.pieces) >= _GROUP_FILES:
            yield group
            group = _Group([])
    if group.pieces:
        yield group


def _cut(file: File, reading: Reading) -> Iterator[_Group]:
    """A long file in stretches, if its form can be cut where it lies."""
    item = _item(file, reading, Document, Tally())
    is_whole = True
    if file.tree.kind not in ("stdin", "commit"):
        try:
            with Access(file.tree) as access, access.open(file) as stream:
                is_near = file.tree.kind != "remote"
                for stretch, size in cut(stream, item, is_near=is_near):
                    yield _Group([Piece(file, stretch)], size)
                    is_whole = False
        except READ_ERRORS as error:
            yield _Group([SourceProblem(file.shown, "", reason_of(error))])
            return
    if is_whole:
        yield _Group(
            [Piece(file)], max(0, file.bytes), file.tree.kind == "stdin" or is_long(file.id)
        )


# ---- reading -------------------------------------------------------------------------------------


def _read(
    piece: Piece, access: Access, reading: Reading, tally: Tally
) -> Iterator[Document | SourceProblem]:
    file = piece.file
    try:
        # Before the file is opened: of a commit, one object is read at a time.
        item = _item(file, reading, _labelling(file, access, reading.labels), tally)
        yield from read_item(access.open(file), item, piece.stretch)
    except READ_ERRORS as error:
        yield SourceProblem(file.shown, "", reason_of(error))


def _item(file: File, reading: Reading, label: Label, tally: Tally) -> Item:
    is_named = not file.path
    return Item(file.shown, file.id, is_named, label, reading, tally)


def _labelling(file: File, access: Access, given: Document | None) -> Label:
    """What makes a Document of an id and a text of this file."""
    if given is None:
        return Document
    tree = file.tree
    template = given.url or (tree.url if file.is_tracked else "")
    if "{revision}" in template and not tree.revision:
        template = ""
    # In one pass, so that no name of a file is taken for a field.
    path = quote(os.fsencode(file.path or tree.name), safe="/")
    above = "" if given.licence or not file.path else access.licence_above(file.path)

    def label(id: str, text: str) -> Document:
        values = {"{id}": quote(id, safe="/"), "{path}": path, "{revision}": tree.revision}
        return replace(
            given,
            id=id,
            text=text,
            licence=given.licence or of_head(text) or above,
            url=re.sub(r"\{\w+\}", lambda field: values[field[0]], template),
        )

    return label
