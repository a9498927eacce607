"""The files of a source, found where it lies: listed once, lazily, in the order of their names.

a file                      itself
a folder                    every file in it; hidden files and what ``.gitignore`` files name
                            are left out, symbolic links are followed
a git repository,           as ``repository`` lists it; symbolic links and submodules are left
also inside a folder        out, and counted
"""

import os
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dedup.document import READ_ERRORS, SourceNote, SourceProblem, name_of, reason_of
from dedup.errors import SourceError
from dedup.gitignore import Ignored
from dedup.reading import Reading
from dedup.remote import Entry, Remote, is_url, name_of_url, split_pattern
from dedup.repository import Repository, is_repository
from dedup.tree import File, Kind, Tree

__all__ = ["files_of", "source_name"]

_NO_REPOSITORY = "is no git repository; leave out --revision"


Listed = Iterator[File | SourceProblem | SourceNote]


def source_name(source: str) -> str:
    """How the ids of the documents of a source begin: its name without the folders above it."""
    if source == "-":
        return "stdin"
    if is_url(source):
        return name_of_url(split_pattern(source)[0])
    path = os.path.abspath(source)  # noqa: PTH100 keeps the links
    return name_of(os.path.basename(path) or path)  # noqa: PTH119


def files_of(source: str, reading: Reading) -> Listed:
    """Every file of the source, and in its place every problem met.

    Parameters
    ----------
    source : str
        As the user named it.
    reading : Reading
        What to skip, and the revision to read.
    """
    name = source_name(source)
    if is_url(source):
        yield from _remote(source, name, reading)
        return
    if source != "-" and os.path.isdir(source):  # noqa: PTH112
        yield from _in_folder(Tree("folder", _place(source), name_of(source), name), reading)
        return
    if source == "-":
        file = File(Tree("stdin", "-", "standard input", name), "")
    else:
        tree = Tree("file", _place(source), name_of(source), name)
        file = File(tree, "", *_size_and_time(source))
    if reading.revision is not None:
        yield SourceProblem(file.shown, "", _NO_REPOSITORY)
    else:
        yield file


def _place(source: str) -> str:
    """The absolute path, which is good anywhere; as given if folders above it are shut."""
    absolute = os.path.abspath(source)  # noqa: PTH100 keeps the links
    is_shut = os.path.lexists(source) and not os.path.lexists(absolute)
    return source if is_shut else absolute


def _size_and_time(path: str) -> tuple[int, int]:
    with suppress(OSError):
        status = os.stat(path)  # noqa: PTH116
        return status.st_size, status.st_mtime_ns
    return -1, 0


def _in_folder(tree: Tree, reading: Reading) -> Listed:
    """Every file below the folder: depth first, names in code point order."""
    # A stack, not recursion: paths can be nested deeper than Python's calls. Of each folder on the
    # way down it has the names still to come, so that memory holds one path of folders.
    stack: list[tuple[str, Iterator[str], Ignored, frozenset[tuple[int, int]]]]
    stack = [("", iter([""]), Ignored(), frozenset())]
    left_out: Counter[str] = Counter()
    is_empty = True
    while stack:
        folder, entries, ignored, above = stack[-1]
        entry = next(entries, None)
        if entry is None:
            stack.pop()
            continue
        path = f"{folder}/{entry}" if folder else entry
        file = File(tree, path)
        place = Path(file.place)
        try:
            status = place.stat()
            if str(place) in reading.skip:
                continue
            if not stat.S_ISDIR(status.st_mode):
                if path in ignored:
                    left_out["ignored file"] += 1
                else:
                    is_empty = False
                    yield File(tree, path, status.st_size, status.st_mtime_ns)
                continue
            here = (status.st_dev, status.st_ino)
            if _is_skipped(reading, status):
                continue
            if f"{path}/" in ignored:
                left_out["ignored folder"] += 1
                continue
            if here in above:
                reason = "a loop of symbolic links: it leads back to a folder above it"
                yield SourceProblem(file.shown, "", reason)
                continue
            names = os.listdir(place)  # noqa: PTH208 keeps names that are no UTF-8
            if is_repository(place, names):
                for item in _in_repository(file, reading):
                    is_empty = False
                    yield item
                continue
            if reading.revision is not None and not path:
                yield SourceProblem(file.shown, "", _NO_REPOSITORY)
                return
            ignored = ignored.below(place, path, names)
            shown = iter(sorted(name for name in names if name[0] != "."))
            stack.append((path, shown, ignored, above | {here}))
        except READ_ERRORS as error:
            is_empty = False
            yield SourceProblem(file.shown, "", reason_of(error))
    if left_out:
        yield SourceNote(tree.shown, dict(sorted(left_out.items())))
    if is_empty:
        reason = "there is no file in it; check the path"
        if left_out:
            reason = (
                "its .gitignore leaves everything out; name the folders inside or remove that file"
            )
        yield SourceProblem(tree.shown, "", f"holds no text, as {reason}")


def _in_repository(folder: File, reading: Reading) -> Listed:
    try:
        with Repository(folder.place, reading.revision) as repository:
            kind: Kind = "checkout" if repository.is_on_disk else "commit"
            tree = Tree(
                kind, folder.place, folder.shown, folder.id, repository.url, repository.commit
            )
            skipped = [_inside(Path(folder.place), skip) for skip in reading.skip]
            prefixes = tuple(path for path in skipped if path)
            left_out: Counter[str] = Counter()
            for item in repository.files():
                if f"{item.path}/".startswith(prefixes):
                    continue
                if item.kind != "file":
                    left_out[item.kind] += 1
                    continue
                yield File(tree, item.path, item.bytes, item.modified, item.object, item.is_tracked)
            if left_out:
                yield SourceNote(tree.shown, dict(left_out))
    except READ_ERRORS as error:
        yield SourceProblem(folder.shown, "", reason_of(error))


def _is_skipped(reading: Reading, status: os.stat_result) -> bool:
    for path in reading.skip:
        with suppress(OSError):
            if os.path.samestat(os.stat(path), status):  # noqa: PTH116
                return True
    return False


def _inside(root: Path, skip: str) -> str:
    """How the paths inside the root begin that are to be skipped; empty if none are."""
    with suppress(OSError, ValueError):
        return f"{Path(skip).resolve().relative_to(root.resolve())}/"
    return ""


def _remote(source: str, name: str, reading: Reading) -> Listed:
    try:
        if reading.revision is not None:
            raise SourceError(_NO_REPOSITORY)
        url, pattern = split_pattern(source)
        remote = Remote(url)
        if remote.local_path is not None and not pattern:
            yield from files_of(remote.local_path, reading)
            return
        tree = Tree("remote", url, url, name)
        if not pattern and not remote.is_folder():
            entry = remote.entry()
            yield File(tree, "", entry.bytes, entry.state)
            return
        is_empty = True
        for entry in remote.matching(pattern) if pattern else _below(remote):
            is_empty = False
            yield File(tree, entry.path, entry.bytes, entry.state)
        if is_empty:
            yield SourceProblem(source, "", "holds no text, as there is no file in it")
    except READ_ERRORS as error:
        yield SourceProblem(source, "", reason_of(error))


def _below(remote: Remote) -> Iterator[Entry]:
    """Every file below the folder: depth first, by name."""
    stack = [iter(remote.entries(""))]
    while stack:
        entry = next(stack[-1], None)
        if entry is None:
            stack.pop()
        elif entry.is_folder:
            stack.append(iter(remote.entries(entry.path)))
        else:
            yield entry
