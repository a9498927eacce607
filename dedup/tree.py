"""Tree: a source as the files in it have it in common; and how these are opened where they lie.

    file          one file of this machine
    stdin         standard input
    folder        a folder of this machine
    checkout      the working tree of a git repository
    commit        the files of a commit, in the object store of a repository
    remote        a file or folder that fsspec reads, by its URL

Trees and Files are small values that can be sent anywhere; an Access opens the files of one where
it is made. Nothing that could block (a named pipe, a socket, a device) is opened.
"""

import io
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Final, Literal, Self, cast

from dedup.document import READ_ERRORS, name_of
from dedup.evidence import Licences, is_evidence
from dedup.remote import Remote
from dedup.repository import Repository, RepositoryFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["Access", "File", "Kind", "Tree", "open_regular", "open_stdin"]

# Enough to hold any licence.
_BEGINNING_BYTES: Final = 1 << 16


Kind = Literal["file", "stdin", "folder", "checkout", "commit", "remote"]


@dataclass(frozen=True, slots=True)
class Tree:
    """A source, or a repository inside one.

    Attributes
    ----------
    kind : str
        See above.
    place : str
        Where it is: the path, as absolute as it can be, or the URL.
    shown : str
        The same as the user would open it.
    name : str
        How the ids of its documents begin.
    url : str
        Template of the address of a file, if its host is known.
    revision : str
        The commit that is read or checked out.
    """

    kind: Kind
    place: str
    shown: str
    name: str
    url: str = ""
    revision: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a tree.

    Attributes
    ----------
    tree : Tree
        Where it is.
    path : str
        Inside the tree, ``/`` between; empty if the source is this one file.
    bytes : int
        Its size as it lies there; -1 if unknown.
    modified : int
        When it was last changed, in nanoseconds or what stands for that; 0 if unknown.
    object : str
        The name of its bytes in the object store of a commit.
    is_tracked : bool
        False for a file of a working tree that is no part of the repository.
    """

    tree: Tree
    path: str
    bytes: int = -1
    modified: int = 0
    object: str = ""
    is_tracked: bool = True

    @property
    def id(self) -> str:
        """The id of the document that it is."""
        return f"{self.tree.name}/{name_of(self.path)}" if self.path else self.tree.name

    @property
    def shown(self) -> str:
        """The file as the user would open it."""
        if not self.path:
            return self.tree.shown
        return name_of(_joined(self.tree.shown, self.path))

    @property
    def place(self) -> str:
        """Where it is."""
        return _joined(self.tree.place, self.path) if self.path else self.tree.place


def _joined(root: str, path: str) -> str:
    return f"{root}{path}" if root.endswith("/") else f"{root}/{path}"


class Access:
    """Opens the files of a tree; a context that closes what that took."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._repository: Repository | None = None
        self._remote: Remote | None = None
        self._licences: Licences | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._repository is not None:
            self._repository.__exit__(kind, error, trace)

    def open(self, file: File) -> BinaryIO:
        """The bytes of a file; of a commit, to be closed before the next is opened.

        Raises
        ------
        OSError, SourceError
            If it cannot be read.
        """
        if self._tree.kind == "stdin":
            return open_stdin()
        if self._tree.kind == "remote":
            self._remote = self._remote or Remote(self._tree.place)
            return self._remote.open(file.path)
        if self._tree.kind == "commit":
            return self._objects().open(RepositoryFile(file.path, object=file.object))
        return open_regular(file.place)

    def licence_above(self, path: str) -> str:
        """The licence that the tree states for the file at the path; empty if it says nothing."""
        if self._licences is None:
            self._licences = _licences_of(self._tree, self._objects)
        return self._licences.of(path)

    def _objects(self) -> Repository:
        if self._repository is None:
            self._repository = Repository(self._tree.place, self._tree.revision)
        return self._repository


def open_regular(place: str) -> BinaryIO:
    """A regular file for reading; refuses what could block."""
    mode = os.stat(place).st_mode  # noqa: PTH116 keeps the place as it is
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
    return open(place, "rb")  # noqa: PTH123


def open_stdin() -> BinaryIO:
    """Standard input, which is not ours to close."""
    return cast(BinaryIO, _Kept(sys.stdin.buffer))


class _Kept(io.RawIOBase):
    """A stream that outlives its reader."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        data = self._stream.read(len(view))
        view[: len(data)] = data
        return len(data)


# ---- licences ------------------------------------------------------------------------------------


def _licences_of(tree: Tree, objects: Callable[[], Repository]) -> Licences:
    if tree.kind in ("folder", "checkout"):
        return _licences_on_disk(Path(tree.place))
    if tree.kind == "commit":
        return _licences_of_commit(tree.place, objects())
    return Licences(lambda folder: (), lambda path: "")


def _licences_on_disk(root: Path) -> Licences:
    def names_in(folder: str) -> list[str]:
        with suppress(OSError):
            return os.listdir(root / folder)  # noqa: PTH208
        return []

    def read(path: str) -> str:
        with suppress(*READ_ERRORS), open_regular(str(root / path)) as file:
            return file.read(_BEGINNING_BYTES).decode("utf-8", "replace")
        return ""

    return Licences(names_in, read)


def _licences_of_commit(place: str, repository: Repository) -> Licences:
    def names_in(folder: str) -> list[str]:
        return list(_evidence(place, repository.commit).get(folder, ()))

    def read(path: str) -> str:
        folder, _, name = path.rpartition("/")
        files = _evidence(place, repository.commit)
        with suppress(*READ_ERRORS), repository.open(files[folder][name]) as file:
            return file.read(_BEGINNING_BYTES).decode("utf-8", "replace")
        return ""

    return Licences(names_in, read)


@lru_cache(maxsize=2)  # a commit is read in many partitions, and listed for this only once
def _evidence(place: str, commit: str) -> dict[str, dict[str, RepositoryFile]]:
    """The files of a commit that may say of a licence, and their folders, by folder and name."""
    names: dict[str, dict[str, RepositoryFile]] = {}
    with Repository(place, commit) as repository:
        for file in repository.files():
            folder, _, name = file.path.rpartition("/")
            parent, _, folder_name = folder.rpartition("/")
            if file.kind == "file" and (is_evidence(name) or is_evidence(folder_name)):
                names.setdefault(folder, {})[name] = file
                names.setdefault(parent, {})[folder_name] = file
    return names
