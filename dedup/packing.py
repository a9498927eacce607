"""Packed files as streams of what was packed: gzip, Zstandard, bzip2, xz.

    ``.gz`` ``.zst`` ``.bz2`` ``.xz``          after any other ending
    ``.tgz`` ``.tzst`` ``.tbz2`` ``.txz``      a packed ``.tar``

Memory is constant, and a packed file that is out to fill it or the reader's time is refused: an
Allowance holds what comes out against what went in, over everything unpacked from one file, however
deep one packed thing lies in another.
"""

import bz2
import gzip
import io
import lzma
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from dedup.errors import SourceError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["Allowance", "Stream", "buffered", "counted", "inner_name", "packing_of", "unpacked"]

Stream = io.BufferedReader

_ENDINGS: Final = {".gz": "gzip", ".zst": "zstd", ".bz2": "bzip2", ".xz": "xz"}
_TARS: Final = {".tgz": ".gz", ".tzst": ".zst", ".tbz2": ".bz2", ".tbz": ".bz2", ".txz": ".xz"}

# Text packs to a third or a tenth, a log of one line over and over to a fiftieth; gzip's most is
# 1,032, which bombs come close to, Zstandard's and bzip2's are far over it.
_MAX_RATIO: Final = 200
_FREE_BYTES: Final = 64 << 20

# xz -9 needs 65 MB; what a file says it needs may be 4 GB.
_XZ_BYTES: Final = 256 << 20

_BUFFER_BYTES: Final = 1 << 18


class Allowance:
    """How much may still come out of a packed file, by what of it was read."""

    def __init__(self) -> None:
        self._packed = 0
        self._unpacked = 0

    @property
    def is_spent(self) -> bool:
        """Whether too much came out."""
        return self._unpacked > _FREE_BYTES + _MAX_RATIO * self._packed

    def read(self, packed_bytes: int) -> None:
        """So much was read of the file."""
        self._packed += packed_bytes

    def gave(self, unpacked_bytes: int) -> None:
        """So much came out.

        Raises
        ------
        SourceError
            If that is more than anything but a bomb holds.
        """
        self._unpacked += unpacked_bytes
        if self.is_spent:
            raise SourceError(
                f"unpacks to more than {_MAX_RATIO} times its size, as a bomb does; if it is "
                "meant, unpack it and name what comes out"
            )


def packing_of(name: str) -> str:
    """``gzip``, ``zstd``, ``bzip2`` or ``xz``, by the ending of the name; empty if it has none."""
    return _ENDINGS.get(_split(name)[1], "")


def inner_name(name: str) -> str:
    """The name, in lower case, without the endings of packings; ``a.tgz`` is ``a.tar``."""
    base, ending = _split(name)
    while ending in _ENDINGS:
        base, ending = _split(base)
    return base + ending


def _split(name: str) -> tuple[str, str]:
    """What stands before the last ending of a name, in lower case, and the ending."""
    lowered = name.lower()
    base, dot, last = lowered.rpartition(".")
    ending = dot + last
    if ending in _TARS:
        return f"{base}.tar", _TARS[ending]
    # A hidden file ``.gz`` has no ending.
    return (base, ending) if dot and base and not base.endswith("/") else (lowered, "")


def counted(stream: BinaryIO, allowance: Allowance) -> Stream:
    """The stream of a file, what is read of it being told to the allowance."""
    return buffered(_Counted(stream, allowance))


def unpacked(stream: BinaryIO, name: str, allowance: Allowance) -> Stream:
    """The content of a file of that name; the stream itself if the name says nothing of a packing.

    Raises
    ------
    SourceError
        Here or when read: damaged, cut short, a bomb.
    """
    packing = packing_of(name)
    if not packing:
        return stream if isinstance(stream, Stream) else buffered(stream)
    return buffered(_Unpacked(stream, packing, allowance))


def buffered(stream: io.RawIOBase | BinaryIO) -> Stream:
    """The stream with a buffer, by which small reads are quick; seekable if it is."""
    return io.BufferedReader(cast(io.RawIOBase, stream), _BUFFER_BYTES)


class _Wrapped(io.RawIOBase):
    """A stream that is read through another, and closed with it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        data = self._read(len(view))
        view[: len(data)] = data
        return len(data)

    def _read(self, size: int) -> bytes:
        return self._stream.read(size)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._stream.close()


class _Counted(_Wrapped):
    """A packed stream that says how much of it was read."""

    def __init__(self, stream: BinaryIO, allowance: Allowance) -> None:
        super().__init__(stream)
        self._allowance = allowance

    def _read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._allowance.read(len(data))
        return data


class _Unpacked(_Wrapped):
    """What was packed, within the allowance; what is wrong with it is a SourceError."""

    def __init__(self, packed: BinaryIO, packing: str, allowance: Allowance) -> None:
        super().__init__(_opened(packed, packing))
        self._packed = packed
        self._packing = packing
        self._allowance = allowance

    def _read(self, size: int) -> bytes:
        try:
            data = self._stream.read(size)
        except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, MemoryError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            reason = f"damaged {self._packing} ({error or 'out of memory'}); get it again"
            raise SourceError(f"{reason} or leave it out") from None
        self._allowance.gave(len(data))
        return data

    def close(self) -> None:
        super().close()
        self._packed.close()


def _opened(packed: BinaryIO, packing: str) -> BinaryIO:
    if packing == "gzip":
        return cast(BinaryIO, gzip.GzipFile(fileobj=packed, mode="rb"))
    if packing == "zstd":
        return _zstd(packed)
    return cast(BinaryIO, _Streams(packed, packing))


def _zstd(packed: BinaryIO) -> BinaryIO:
    try:
        import pyarrow as pa  # here, so that `import dedup` stays quick
    except ImportError:
        raise SourceError("Zstandard is read by pyarrow: pip install 'dedup[scan]'") from None
    # Not by zstandard, whose reader takes a file cut short for a whole one.
    source = pa.PythonFile(packed, mode="r")
    return cast(BinaryIO, pa.CompressedInputStream(source, "zstd"))


class _Streams:
    """The bzip2 or xz streams of a file, one after the other.

    Not ``lzma.LZMAFile``, which takes as much memory as the file says it wants.
    """

    def __init__(self, packed: BinaryIO, packing: str) -> None:
        self._packed = packed
        self._packing = packing
        self._left = b""
        self._decompressor = self._new()

    def _new(self) -> "bz2.BZ2Decompressor | lzma.LZMADecompressor":
        if self._packing == "bzip2":
            return bz2.BZ2Decompressor()
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_BYTES)

    def read(self, size: int) -> bytes:
        while True:
            if self._decompressor.eof:
                self._left = self._decompressor.unused_data.lstrip(b"\0")
                while not self._left:  # between xz streams there may be zeros
                    data = self._packed.read(_BUFFER_BYTES)
                    if not data:
                        return b""
                    self._left = data.lstrip(b"\0")
                self._decompressor = self._new()
            elif self._decompressor.needs_input and not self._left:
                self._left = self._packed.read(_BUFFER_BYTES)
                if not self._left:
                    raise EOFError("it ends before its end-of-stream marker")
            data, self._left = self._decompressor.decompress(self._left, size), b""
            if data:
                return data

    def close(self) -> None:
        """Nothing of its own to close."""
