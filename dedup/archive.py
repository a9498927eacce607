"""The members of archives, ``.tar`` and ``.zip``, read where they lie: nothing is unpacked to disk.

A tar is read once from its beginning to its end, so it may be packed itself; a zip is read by its
directory. An archive may come from anyone:

- names are names only; no path is made of them
- links, devices and sparse files hold no text of their own, and are given by their kind
- a zip whose members lie over each other, or that has more of them than fit in memory, is refused
- headers are bounded, and what is damaged ends the reading with a SourceError

How much may be unpacked is for the reader's Allowance.
"""

import io
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from lzma import LZMAError
from typing import TYPE_CHECKING, BinaryIO, Final

from dedup.document import name_of
from dedup.errors import SourceError
from dedup.item import CUT_BYTES, Item, Stretch
from dedup.packing import Allowance, Stream, buffered

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["Member", "cut_zip", "is_tar", "tar_members", "zip_members"]


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an archive.

    Attributes
    ----------
    name : str
        Its path in the archive, without ``..`` and the like; the second of a name ends in ``#2``.
    kind : str
        ``file``, or what it is instead: ``symbolic link``, ``link``, ``device``, ``sparse file``.
    packed_bytes : int
        How much of the archive it takes.
    open : function
        Gives its bytes; of a tar only until the next member is asked for.
    """

    name: str
    kind: str
    packed_bytes: int
    open: Callable[[], Stream]


class _Names:
    """Names told apart, in the order of the archive."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def of(self, path: str) -> str:
        parts = [part for part in path.split("/") if part not in ("", ".", "..")]
        name = "/".join(parts) or "unnamed"
        self._seen[name] += 1
        return name if self._seen[name] == 1 else f"{name}#{self._seen[name]}"


# ---- tar -----------------------------------------------------------------------------------------

_BLOCK: Final = 512
_MAX_HEADER_BYTES: Final = 1 << 20
_KINDS: Final = {
    **dict.fromkeys((b"0", b"\0", b"7"), "file"),
    **{b"1": "link", b"2": "symbolic link", b"5": "folder", b"S": "sparse file"},
    **dict.fromkeys((b"3", b"4", b"6"), "device"),
}


def is_tar(beginning: bytes) -> bool:
    """Whether a file that begins so is a tar, if an empty one."""
    header = beginning[:_BLOCK]
    return len(header) == _BLOCK and (not header.strip(b"\0") or _is_header(header))


def tar_members(stream: Stream) -> Iterator[Member]:
    """The members of a tar, in its order: of the old forms, POSIX and GNU.

    Not by ``tarfile``, which remembers every member and takes headers of any size.

    Raises
    ------
    SourceError
        If it is damaged, cut short, or no tar.
    """
    names = _Names()
    long_name, pax = b"", dict[bytes, bytes]()
    is_first = True
    while header := _block(stream):
        if not header.strip(b"\0"):
            return
        if not _is_header(header):
            said = "is no tar archive" if is_first else "damaged tar (a header is none)"
            raise SourceError(f"{said}; get it again or leave it out")
        is_first = False
        type = header[156:157]
        size = _number(header[124:136])
        if type in b"LKxgX":
            data = _bounded(stream, size)
            if type == b"L":
                long_name = data.rstrip(b"\0")
            elif type in b"xX":
                pax = _pax(data)
            continue
        size = int(pax.get(b"size", size))
        path = pax.get(b"path") or long_name or _own_name(header)
        kind = _KINDS.get(type, "file")
        if any(key.startswith(b"GNU.sparse") for key in pax):
            kind = "sparse file"
        long_name, pax = b"", {}
        if type == b"S":
            _pass_over_map(stream, header)
        if kind in ("link", "symbolic link", "device"):
            size = 0
        content = _Content(stream, size)
        if kind != "folder" and not path.endswith(b"/"):
            name = names.of(path.decode("utf-8", "backslashreplace"))
            yield Member(name, kind, size, lambda content=content: buffered(content))  # type: ignore[misc]
        content.pass_over()


def _block(stream: Stream) -> bytes:
    data = stream.read(_BLOCK)
    if 0 < len(data) < _BLOCK:
        raise SourceError("damaged tar (it ends in a header); get it again or leave it out")
    return data


def _is_header(header: bytes) -> bool:
    """Whether the checksum is right."""
    try:
        stated = int(header[148:156].strip(b"\0 ") or b"x", 8)
    except ValueError:
        return False
    others = header[:148] + b" " * 8 + header[156:]
    if stated == sum(others):
        return True
    # Some old writers took bytes for signed.
    return stated == sum(byte - 256 if byte > 127 else byte for byte in others)


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    try:
        return int(field.strip(b"\0 ") or b"0", 8)
    except ValueError:
        raise SourceError("damaged tar (a size is no number); get it again") from None


def _own_name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _bounded(stream: Stream, size: int) -> bytes:
    if size > _MAX_HEADER_BYTES:
        raise SourceError(f"damaged tar (a header of {size} bytes); get it again or leave it out")
    content = _Content(stream, size)
    data = content.read(size)
    content.pass_over()
    return data


def _pax(data: bytes) -> dict[bytes, bytes]:
    """The records of an extended header: ``length key=value`` and a newline each."""
    found: dict[bytes, bytes] = {}
    while data:
        length, is_record, _ = data.partition(b" ")
        if not is_record or not length.isdigit() or not len(length) < int(length) <= len(data):
            raise SourceError("damaged tar (an extended header is none); get it again")
        key, _, value = data[len(length) + 1 : int(length) - 1].partition(b"=")
        found[key] = value
        data = data[int(length) :]
    if not found.get(b"size", b"0").isdigit():
        raise SourceError("damaged tar (a size is no number); get it again")
    return found


def _pass_over_map(stream: Stream, header: bytes) -> None:
    """The blocks after the header of an old GNU sparse file that go on with its map of holes."""
    goes_on = header[482]
    while goes_on:
        block = _block(stream)
        goes_on = block[504] if block else 0


class _Content(io.RawIOBase):
    """The bytes of one member of a tar."""

    def __init__(self, stream: Stream, size: int) -> None:
        self._stream = stream
        self._left = size
        self._padding = -size % _BLOCK

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")[: self._left]
        count = self._stream.readinto(view) if view else 0
        if view and not count:
            self._left = self._padding = 0
            raise SourceError("damaged tar (it ends in this member); get it again or leave it out")
        self._left -= count
        return count

    def pass_over(self) -> None:
        """Go to where the next member begins."""
        left = self._left + self._padding
        self._left = self._padding = 0
        while left:
            data = self._stream.read(min(left, 1 << 20))
            if not data:
                raise SourceError("damaged tar (it ends in a member); get it again or leave it out")
            left -= len(data)


# ---- zip -----------------------------------------------------------------------------------------

# The directory of a zip is held in memory, at some 700 bytes a member.
_MAX_MEMBERS: Final = 1 << 18

_ZIP_ERRORS: Final = (
    *(zipfile.BadZipFile, zlib.error, LZMAError, struct.error, EOFError, ValueError, KeyError),
    *(IndexError, NotImplementedError, RuntimeError, OverflowError, MemoryError),
)


def zip_members(
    stream: BinaryIO, allowance: Allowance, stretch: Stretch | None = None
) -> Iterator[Member]:
    """The members of a zip, or some of them, in the order of its directory.

    What comes out of them is told to the allowance.

    Raises
    ------
    SourceError
        If it is damaged, no zip, or a bomb.
    """
    archive, infos = _directory(stream)
    names = _Names()
    for number, info in enumerate(infos):
        if info.is_dir():
            continue
        name = names.of(name_of(info.filename))
        if stretch is None or stretch.start <= number < stretch.stop:
            is_link = stat.S_ISLNK(info.external_attr >> 16)
            kind = "encrypted file" if info.flag_bits & 1 else "file"
            yield Member(
                name,
                "symbolic link" if is_link else kind,
                info.compress_size,
                lambda info=info: buffered(_Unzipped(archive, info, allowance)),  # type: ignore[misc]
            )


def cut_zip(stream: Stream, item: Item) -> Iterator[tuple[Stretch, int]]:
    """Stretches of members; none if the directory is damaged, which its reader will tell."""
    del item
    try:
        _, infos = _directory(stream)
    except SourceError:
        return
    start = size = 0
    for number, info in enumerate(infos):
        size += info.compress_size
        if size >= CUT_BYTES or number == len(infos) - 1:
            yield Stretch(start, number + 1), size
            start, size = number + 1, 0


def _directory(stream: BinaryIO) -> tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]:
    try:
        size = stream.seek(0, io.SEEK_END)
        if _stated_members(stream, size) > _MAX_MEMBERS:
            raise SourceError(f"a zip of more than {_MAX_MEMBERS} members; split it")
        archive = zipfile.ZipFile(stream)
        infos = archive.infolist()
    except _ZIP_ERRORS as error:
        raise _damaged(error) from None
    if len(infos) > _MAX_MEMBERS:
        raise SourceError(f"a zip of more than {_MAX_MEMBERS} members; split it")
    if sum(info.compress_size for info in infos) > size:
        raise SourceError("its members lie over each other, as those of a bomb do; leave it out")
    return archive, infos


def _stated_members(stream: BinaryIO, size: int) -> int:
    """How many members the end of the file says there are, so that they are not listed to see."""
    stream.seek(max(0, size - (1 << 16) - 22))
    tail = stream.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < 22:
        return 0
    members = int.from_bytes(tail[at + 10 : at + 12], "little")
    wide = tail.rfind(b"PK\6\6", 0, at)
    if members == 0xFFFF and wide >= 0:
        return int.from_bytes(tail[wide + 32 : wide + 40], "little")
    return members


def _damaged(error: Exception) -> SourceError:
    if isinstance(error, NotImplementedError | RuntimeError):
        return SourceError(f"a zip that cannot be read ({error}); unpack it first")
    said = str(error) or type(error).__name__
    return SourceError(f"damaged zip ({said}); get it again or leave it out")


class _Unzipped(io.RawIOBase):
    """The bytes of one member of a zip; what is wrong with it is a SourceError."""

    def __init__(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, allowance: Allowance
    ) -> None:
        self._allowance = allowance
        try:
            self._stream = archive.open(info)
        except _ZIP_ERRORS as error:
            raise _damaged(error) from None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        try:
            data = self._stream.read(len(view))
        except _ZIP_ERRORS as error:
            raise _damaged(error) from None
        self._allowance.gave(len(data))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._stream.close()
