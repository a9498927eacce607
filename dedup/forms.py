"""What a file holds, by the form that its name speaks for: Documents, one at a time.

    ``.jsonl``, ``.ndjson``         a document a line, ``file#line``; see ``rows``
    ``.json``                       an array of rows, a document each, ``file#row``; an object with
                                    a text, one document; rows a line, as above; else one document
    ``.csv``, ``.tsv``              a document a row, ``file#line``, if a column is one of text
    ``.parquet``, ``.arrow``,       a document a row, ``file#row``; see ``columns``
    ``.feather``, ``.ipc``
    ``.ipynb``                      one document, of what was written in its cells; see ``notebook``
    ``.tar``, ``.zip``, ``.whl``    what its members hold, ``file/path/inside``; see ``archive``. In
                                    a tar, ``key.txt`` and ``key.json`` side by side, as WebDataset
                                    has it, are one document with the labels of the second
    anything else                   one document

Any of these may be packed, see ``packing``, and lie in an archive. Whatever its name, a file inside
a tree whose first row is no row is one document, as it stands; so a name promises nothing that has
to be believed.

Of a tree, binary files are left out and counted: images and executables are no mistake there. What
the user named itself is missed if it cannot be read.
"""

import io
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO, Final

from dedup.archive import Member, cut_zip, is_tar, tar_members, zip_members
from dedup.columns import NO_COLUMN, cut_arrow, cut_parquet, read_arrow, read_parquet
from dedup.delimited import read_delimited
from dedup.document import MAX_DOCUMENT_BYTES, READ_ERRORS, Document, SourceProblem, reason_of
from dedup.encoding import NotText, is_binary, recoded
from dedup.errors import SourceError
from dedup.item import Item, Read, Stretch
from dedup.notebook import notebook_text
from dedup.packing import Stream, buffered, counted, inner_name, packing_of, unpacked
from dedup.rows import RowReader, cut_lines, read_array, read_lines

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["cut", "is_long", "read_document", "read_item"]

# Enough to tell a video from a text without reading it all.
_BEGINNING_BYTES: Final = 1 << 16
_PIECE_BYTES: Final = 1 << 20

# What is read by its end, where it lies in something that is read from its beginning, is in memory.
_MAX_HELD_BYTES: Final = 256 << 20

_MAX_DEPTH: Final = 4
_MAX_PAIRED_BYTES: Final = 16 << 20

# What Git LFS leaves in the place of a file it keeps elsewhere.
_LFS_POINTER: Final = re.compile(r"version https://git-lfs\.github\.com/spec/v1\n[^\0]{0,1000}\Z")

_OPENS_ARRAY: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*+\[\s*+(?=\{)")


def cut(opened: BinaryIO, item: Item, *, is_near: bool) -> Iterator[tuple[Stretch, int]]:
    """Stretches that make up a file, in order, with the bytes of each; none if it has no such form.

    ``opened`` is the file as it lies there, seekable. One that is not near is not read for it, from
    end to end.
    """
    form = _form_of(item.id)
    if form in _CUTS and not packing_of(item.id) and (is_near or form != "jsonl"):
        yield from _CUTS[form](unpacked(opened, item.id, item.allowance), item)


def is_long(name: str) -> bool:
    """Whether a long file of this name may hold many documents, so that it takes long to read."""
    return bool(_form_of(name))


def read_item(opened: BinaryIO, item: Item, stretch: Stretch | None = None) -> Read:
    """The documents of an item, or of a stretch of it, and in its place every problem met.

    ``opened`` gives its bytes as they lie there, and is closed.
    """
    form = _form_of(item.id)
    # The allowance is for the file: what lies in it gives no more.
    if item.depth == 0 and (form == "tar" or packing_of(item.id)):
        opened = counted(opened, item.allowance)
    try:
        with unpacked(opened, item.id, item.allowance) as stream:
            yield from _FORMS[form](stream, item, stretch)
    except NotText as error:
        yield SourceProblem(item.shown, error.place, str(error))
    except READ_ERRORS as error:
        yield SourceProblem(item.shown, "", reason_of(error))


def _form_of(name: str) -> str:
    """The form that the name of a file speaks for, as its usual ending; empty for text."""
    ending = inner_name(name).rpartition("/")[2].rpartition(".")[2]
    return _ENDINGS.get(ending, "")


# ---- text ----------------------------------------------------------------------------------------


def _text(stream: Stream, item: Item, _: Stretch | None = None) -> Read:
    """The whole as one document; inside a tree, what is no text is counted instead."""
    data = stream.read(_BEGINNING_BYTES)
    if not item.is_named and 0 in data and item.reading.encoding.name is None and is_binary(data):
        item.tally.left_out["binary file"] += 1
        return
    yield from _decoded(read_document(stream, data), item)


def _decoded(data: bytes, item: Item) -> Read:
    try:
        text, encoding = item.reading.encoding.decode(data)
    except NotText:
        if item.is_named or len(data) > MAX_DOCUMENT_BYTES or not is_binary(data):
            raise
        item.tally.left_out["binary file"] += 1
        return
    if encoding:
        item.tally.decoded[encoding] += 1
    if not item.is_named and _LFS_POINTER.match(text):
        item.tally.left_out["Git LFS pointer"] += 1
    else:
        yield item.label(item.id, text)


def read_document(stream: Stream, beginning: bytes = b"") -> bytes:
    """The beginning and what the stream holds after it; of too much, a byte more than a document
    can hold.
    """
    pieces, left = [beginning], MAX_DOCUMENT_BYTES + 1 - len(beginning)
    while data := stream.read(min(left, _PIECE_BYTES)):
        pieces.append(data)
        left -= len(data)
    return b"".join(pieces)


def _notebook(stream: Stream, item: Item, _: Stretch | None) -> Read:
    data = read_document(stream)
    text = notebook_text(data) if len(data) <= MAX_DOCUMENT_BYTES else None
    if text is None:
        yield from _decoded(data, item)
    else:
        yield item.label(item.id, text)


# ---- rows ----------------------------------------------------------------------------------------


def _lines(stream: Stream, item: Item, stretch: Stretch | None) -> Read:
    if stretch is None:
        yield from _rows_or_text(stream, item, lambda stream: read_lines(stream, RowReader(item)))
        return
    stream.seek(stretch.start)
    part = buffered(_Slice(stream, stretch.stop - stretch.start))
    yield from read_lines(part, RowReader(item), stretch.before)


def _table(stream: Stream, item: Item, _: Stretch | None) -> Read:
    yield from _rows_or_text(stream, item, lambda stream: read_delimited(stream, item))


def _rows_or_text(stream: Stream, item: Item, read: Callable[[Stream], Read]) -> Read:
    """The rows, unless the item was not named and the first is none: then the whole as it is."""
    replay = _Replay(stream)
    rows = read(recoded(buffered(replay), item.reading.encoding))
    first = next(rows, None)
    if isinstance(first, SourceProblem) and not item.is_named:
        yield from _text(replay.again(), item)
    elif first is not None:
        replay.forget()
        yield first
        yield from rows


def _json(stream: Stream, item: Item, _: Stretch | None) -> Read:
    replay = _Replay(recoded(stream, item.reading.encoding))
    beginning = buffered(replay)
    if opening := _OPENS_ARRAY.match(beginning.peek(1)):
        beginning.read(opening.end())
        rows = read_array(beginning, RowReader(item, "row"))
        first = next(rows, None)
        if first is None or (isinstance(first, SourceProblem) and not item.is_named):
            yield from _text(replay.again(), item)
            return
        replay.forget()
        yield first
        yield from rows
        return
    # Rows a line go by this name too; it takes two to tell them from one object.
    rows = read_lines(beginning, RowReader(item))
    first, second = next(rows, None), next(rows, None)
    if isinstance(first, Document) and second is not None:
        replay.forget()
        yield first
        yield second
        yield from rows
        return
    data = read_document(replay.again())
    try:
        yield RowReader(item, "row").of_json(data, None)
    except ValueError:
        yield from _decoded(data, item)


def _parquet(stream: Stream, item: Item, stretch: Stretch | None) -> Read:
    if not item.is_named and not stream.peek(4).startswith(b"PAR1"):
        yield from _text(stream, item)
        return
    yield from _columns(read_parquet(_seekable(stream), item, stretch), item)


def _arrow(stream: Stream, item: Item, stretch: Stretch | None) -> Read:
    yield from _columns(read_arrow(_seekable(stream), item, stretch), item)


def _columns(rows: Read, item: Item) -> Read:
    """The rows; inside a tree, a table that has no column for the text is counted instead."""
    first = next(rows, None)
    if isinstance(first, SourceProblem) and first.place == NO_COLUMN and not item.is_named:
        item.tally.left_out["table without text"] += 1
    elif first is not None:
        yield first
        yield from rows


# ---- archives ------------------------------------------------------------------------------------


def _tar(stream: Stream, item: Item, _: Stretch | None) -> Read:
    if not item.is_named and not is_tar(stream.peek(1)):
        yield from _text(stream, item)
        return
    held: _Held | None = None
    for member in _members(item, tar_members(stream)):
        if isinstance(member, SourceProblem):
            yield member
            continue
        inner = _inside(item, member)
        key, ending = _key(member.name)
        if held is not None and held.key != key:
            yield from held.read()
            held = None
        if ending not in ("txt", "json") or member.packed_bytes > _MAX_PAIRED_BYTES:
            yield from read_item(member.open(), inner)
            continue
        try:
            here = _Held(key, ending, inner, member.open().read())
        except READ_ERRORS as error:
            yield SourceProblem(inner.shown, "", reason_of(error))
            continue
        if held is not None and held.ending != ending:
            yield from _paired(*sorted((held, here), key=lambda one: one.ending))
            held = None
        else:
            if held is not None:
                yield from held.read()
            held = here
    if held is not None:
        yield from held.read()


def _zip(stream: Stream, item: Item, stretch: Stretch | None) -> Read:
    if not item.is_named and not stream.peek(2).startswith(b"PK"):
        yield from _text(stream, item)
        return
    members = zip_members(_seekable(stream), item.allowance, stretch)
    for member in _members(item, members):
        if isinstance(member, SourceProblem):
            yield member
            continue
        inner = _inside(item, member)
        try:
            if item.depth == 0:
                item.allowance.read(member.packed_bytes)
            yield from read_item(member.open(), inner)
        except READ_ERRORS as error:
            yield SourceProblem(inner.shown, "", reason_of(error))


def _members(item: Item, members: Iterator[Member]) -> Iterator[Member | SourceProblem]:
    """The members that are files, and what is wrong with the archive after them."""
    if item.depth == _MAX_DEPTH:
        reason = f"an archive in archives, {_MAX_DEPTH} deep; unpack the outer ones first"
        yield SourceProblem(item.shown, "", reason)
        return
    last = ""
    try:
        for member in members:
            if member.kind == "file":
                yield member
            elif member.kind == "encrypted file":
                reason = "is encrypted; unpack it with its password"
                yield SourceProblem(f"{item.shown}/{member.name}", "", reason)
            else:
                item.tally.left_out[member.kind] += 1
            last = member.name
            if item.allowance.is_spent:
                return
    except READ_ERRORS as error:
        yield SourceProblem(item.shown, last and f"after {last}", reason_of(error))


def _inside(item: Item, member: Member) -> Item:
    return replace(
        item,
        shown=f"{item.shown}/{member.name}",
        id=f"{item.id}/{member.name}",
        is_named=False,
        depth=item.depth + 1,
    )


@dataclass(frozen=True, slots=True)
class _Held:
    """A member of a tar that the next may belong to."""

    key: str
    ending: str
    item: Item
    data: bytes

    def read(self) -> Read:
        return read_item(io.BytesIO(self.data), self.item)


def _key(name: str) -> tuple[str, str]:
    """What the members of one sample have in common, and the rest of the name."""
    folder, slash, base = name.rpartition("/")
    key, _, ending = base.partition(".")
    return folder + slash + key, ending.lower()


def _paired(labels: _Held, text: _Held) -> Read:
    """One document of a text and an object that says more of it; two, if it is none."""
    import msgspec  # here, so that `import dedup` stays quick

    item = text.item
    try:
        values = msgspec.json.decode(labels.data, type=dict[str, object])
        words, encoding = item.reading.encoding.decode(text.data)
        said = {**values, item.reading.fields_of("text")[0]: words}
        yield RowReader(item, "row").of_values(said, None)
    except (msgspec.MsgspecError, ValueError, RecursionError, NotText):
        yield from labels.read()
        yield from text.read()
        return
    if encoding:
        item.tally.decoded[encoding] += 1


# ---- streams -------------------------------------------------------------------------------------


def _seekable(stream: Stream) -> BinaryIO:
    """The stream, or what it holds, in memory, if it can only be read from its beginning."""
    if stream.seekable():
        return stream
    data = stream.read(_MAX_HELD_BYTES + 1)
    if len(data) > _MAX_HELD_BYTES:
        raise SourceError(
            f"is read by its end, and with more than {_MAX_HELD_BYTES >> 20} MiB it has to lie on "
            "disk for that; unpack what it lies in"
        )
    return io.BytesIO(data)


class _Slice(io.RawIOBase):
    """So many bytes of a stream, from where it is."""

    def __init__(self, stream: Stream, size: int) -> None:
        self._stream = stream
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")[: self._left]
        count = self._stream.readinto(view)
        self._left -= count
        return count


class _Replay(io.RawIOBase):
    """A stream that keeps what was read of it, until told to forget, and can give it again."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._kept: list[bytes] | None = []
        self._ahead: deque[bytes] = deque()

    def again(self) -> Stream:
        """The stream from its beginning."""
        replay = _Replay(self._stream)
        replay._ahead.extend(self._kept or ())
        replay.forget()
        return buffered(replay)

    def forget(self) -> None:
        """Keep nothing, from now on."""
        self._kept = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        data = self._ahead.popleft() if self._ahead else self._stream.read1(len(view))
        if len(data) > len(view):
            self._ahead.appendleft(data[len(view) :])
            data = data[: len(view)]
        if self._kept is not None:
            self._kept.append(data)
        view[: len(data)] = data
        return len(data)


_Form = Callable[[Stream, Item, Stretch | None], Read]

_ENDINGS: Final = {
    **{"jsonl": "jsonl", "ndjson": "jsonl", "json": "json", "csv": "csv", "tsv": "csv"},
    **{"parquet": "parquet", "arrow": "arrow", "feather": "arrow", "ipc": "arrow"},
    **{"ipynb": "ipynb", "tar": "tar", "zip": "zip", "whl": "zip"},
}
_FORMS: Final[dict[str, _Form]] = {
    "": _text,
    "jsonl": _lines,
    "json": _json,
    "csv": _table,
    "parquet": _parquet,
    "arrow": _arrow,
    "ipynb": _notebook,
    "tar": _tar,
    "zip": _zip,
}
_CUTS: Final[dict[str, Callable[[Stream, Item], Iterator[tuple[Stretch, int]]]]] = {
    "jsonl": cut_lines,
    "parquet": cut_parquet,
    "arrow": cut_arrow,
    "zip": cut_zip,
}
