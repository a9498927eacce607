"""Files that lie elsewhere, listed and read by fsspec: ``s3://``, ``https://``, ``memory://``.

What a file system needs, as ``s3fs`` for S3, is installed by the user, who also says by its usual
settings how to log in. Whatever it raises is a SourceError here.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self, cast
from urllib.parse import urlsplit

import xxhash

from dedup.errors import SourceError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["Entry", "Remote", "is_url", "name_of_url", "split_pattern"]

_URL: Final = re.compile(r"[A-Za-z][\w+.-]*(?:::[A-Za-z][\w+.-]*)*://")
_WILDCARD: Final = re.compile(r"[*?\[]")

# What file systems say of the state of a file, the first that is there.
_STATES: Final = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "updated", "created")


def is_url(source: str) -> bool:
    """Whether a source is named by a URL."""
    return _URL.match(source) is not None


def split_pattern(url: str) -> tuple[str, str]:
    """The folder above the first wildcard of a URL, and the pattern inside it, empty for none.

    ``?`` begins the query of an http address and is no wildcard there.
    """
    first, chain, rest = url.partition("::")
    wildcard = None if first.startswith("http") and "*" not in first else _WILDCARD.search(first)
    if wildcard is None:
        return url, ""
    root, _, _ = first[: wildcard.start()].rpartition("/")
    return f"{root}/{chain}{rest}", first[len(root) + 1 :]


@dataclass(frozen=True, slots=True)
class Entry:
    """What a folder holds.

    Attributes
    ----------
    path : str
        Inside the Remote.
    is_folder : bool
        Whether it holds others.
    bytes : int
        Its size; -1 if unknown.
    state : int
        What changes when it does; 0 if unknown.
    """

    path: str
    is_folder: bool
    bytes: int
    state: int


class Remote:
    """A file or folder of a file system.

    Raises
    ------
    SourceError
        Here and in each method, if it cannot be reached or read.
    """

    def __init__(self, url: str) -> None:
        with _failing():
            try:
                import fsspec  # here, as it belongs to an extra
            except ImportError:
                raise SourceError("URLs are read by fsspec: pip install 'dedup[scan]'") from None
            self._system, root = fsspec.core.url_to_fs(url)
        self._root = str(root).rstrip("/")

    @property
    def local_path(self) -> str | None:
        """Where it lies on this machine, if it does."""
        protocols = self._system.protocol
        is_local = "file" in ([protocols] if isinstance(protocols, str) else protocols)
        return self._root or "/" if is_local else None

    def is_folder(self) -> bool:
        """Whether it holds files; of the web, everything is a file."""
        protocols = self._system.protocol
        if "http" in ([protocols] if isinstance(protocols, str) else protocols):
            return False
        with _failing():
            return bool(self._system.isdir(self._root))

    def entry(self) -> Entry:
        """What is known of it itself."""
        with _failing():
            return self._entry(self._system.info(self._root))

    def entries(self, folder: str) -> list[Entry]:
        """What a folder inside it holds, by name; hidden files are left out."""
        with _failing():
            found = [self._entry(info) for info in self._system.ls(self._at(folder), detail=True)]
        shown = [one for one in found if one.path != folder and not _name(one.path).startswith(".")]
        return sorted(shown, key=lambda entry: _name(entry.path))

    def matching(self, pattern: str) -> list[Entry]:
        """The files inside it that fit a pattern, by path."""
        with _failing():
            found = self._system.glob(self._at(pattern), detail=True)
            entries = [self._entry(info) for info in found.values()]
        return sorted(
            (one for one in entries if not one.is_folder), key=lambda one: one.path.split("/")
        )

    def open(self, path: str) -> BinaryIO:
        """A file inside it, or with an empty path the file it is."""
        with _failing():
            return cast(BinaryIO, _Opened(self._system.open(self._at(path), "rb")))

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root

    def _entry(self, info: dict[str, Any]) -> Entry:
        name = str(info["name"]).rstrip("/")
        size = info.get("size")
        state = next((info[key] for key in _STATES if info.get(key)), None)
        return Entry(
            name.removeprefix(self._root).lstrip("/"),
            info.get("type") == "directory",
            int(size) if isinstance(size, int) else -1,
            0 if state is None else xxhash.xxh3_64_intdigest(str(state).encode()),
        )


def name_of_url(url: str) -> str:
    """The last part of the path of a URL, or else its host or kind."""
    links = [urlsplit(link) for link in url.split("::") if "://" in link]
    named = (_name(link.path.rstrip("/")) for link in links)
    return next(filter(None, named), links[-1].netloc or links[-1].scheme)


def _name(path: str) -> str:
    return path.rpartition("/")[2]


@contextmanager
def _failing() -> Iterator[None]:
    """Whatever a file system raises, which may be anything, as one of ours."""
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno:
            raise
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        if isinstance(error, FileNotFoundError):
            said = "is not there; check the address"
        raise SourceError(said) from error


class _Opened(io.RawIOBase):
    """A file of a file system."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        with _failing():
            data = self._stream.read(len(view))
        view[: len(data)] = data
        return len(data)

    def seekable(self) -> bool:
        return self._stream.seekable()

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        with _failing():
            return self._stream.seek(place, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._stream.close()
