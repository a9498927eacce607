"""The files of a git repository, bare or checked out, listed and read by the ``git`` command.

A checked-out repository is read as it lies on disk: what git tracks, and what it neither tracks
nor ignores unless hidden. Of a bare one, or of a named revision, the files of a commit are read
from the object store, one after the other through one process.

A repository may come from anyone, and git runs programs that the configuration of a repository
names. So only commands that list and print are used, without a network, hooks, filters, watchers of
the file system, a pager or questions, and without the settings of the user and the machine. As git
itself, this refuses a repository of another user, except where ``safe.directory`` names it.
"""

import io
import os
import re
import stat
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, BinaryIO, Final, Self, cast
from urllib.parse import urlsplit

from dedup.errors import SourceError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["Repository", "RepositoryFile", "is_repository"]

_CONFIGURATION: Final = (
    *("-c", "core.fsmonitor=false"),
    *("-c", f"core.hooksPath={os.devnull}"),
    *("-c", "core.pager=cat"),
    *("-c", "core.untrackedCache=false"),  # of no use to one reader, and kept in the index
    *("-c", "protocol.allow=never"),
)
_ENVIRONMENT: Final = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    # An allow list in the environment outranks the protocols that a repository allows itself.
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",  # a commit named by its hash is that commit
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "false",
    "SSH_ASKPASS": "false",
    "GIT_SSH_COMMAND": "false",
    "LC_ALL": "C",  # messages are looked at
}

# Hosts whose pages of a file have a known address; the remote's own path goes between.
_PAGES: Final = {
    "github.com": "https://github.com/{}/blob/",
    "gitlab.com": "https://gitlab.com/{}/-/blob/",
    "bitbucket.org": "https://bitbucket.org/{}/src/",
    "codeberg.org": "https://codeberg.org/{}/src/commit/",
}

_LINK, _SUBMODULE = b"120000", b"160000"


@dataclass(frozen=True, slots=True)
class RepositoryFile:
    """A file of a repository, or what stands in the place of one.

    Attributes
    ----------
    path : str
        Inside the repository, ``/`` between; bytes that are no UTF-8 as ``os.fsdecode`` has them.
    kind : str
        ``file``, ``symbolic link``, or ``submodule``: another repository inside this one.
    is_tracked : bool
        False for a file that was never added to the repository.
    object : str
        The name of its bytes in the object store; empty if they lie on disk.
    bytes : int
        Its size; -1 if unknown.
    modified : int
        When it was last changed on disk, in nanoseconds.
    """

    path: str
    kind: str = "file"
    is_tracked: bool = True
    object: str = ""
    bytes: int = -1
    modified: int = 0


def is_repository(folder: str | os.PathLike[str], names: Collection[str]) -> bool:
    """Whether a folder with these names in it is a repository, as git would see it."""
    if ".git" in names:
        inside = Path(folder, ".git")
        return inside.is_file() or _is_store(inside)
    return {"HEAD", "objects", "refs"} <= set(names) and _is_store(Path(folder))


def _is_store(path: Path) -> bool:
    with suppress(OSError):
        return (
            (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()
        )
    return False


class Repository:
    """The files of a repository: of its working tree, or of a commit.

    Parameters
    ----------
    path : path
        The folder with ``.git`` in it, or the bare repository.
    revision : str, optional
        What names a commit: a hash, a branch, a tag. Without it the working tree is read or, of a
        bare repository, ``HEAD``.

    Attributes
    ----------
    commit : str
        Hash of the commit, of ``HEAD`` for a working tree; empty for one without any commit yet.
    url : str
        Template of the page of a file at the ``origin`` of the repository, with ``{revision}`` and
        ``{path}``; empty for hosts whose addresses are not known.
    is_on_disk : bool
        Whether files are those of the working tree, to be opened there.

    Raises
    ------
    SourceError
        Here and in each method: no git, no repository, no such revision, damage, another's
        repository. The message has the way out.
    """

    def __init__(self, path: str | os.PathLike[str], revision: str | None = None) -> None:
        self.path = Path(path).resolve()
        self._trusted: tuple[str, ...] = ()
        self._objects: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None
        is_checked_out = (self.path / ".git").exists()
        self.is_on_disk = is_checked_out and revision is None
        self._check_owner()
        self.commit = self._commit(revision)
        self.url = self._url()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop_reading()

    # ---- listing

    def files(self) -> Iterator[RepositoryFile]:
        """Every file, link and submodule, in an order that depends on names alone."""
        return self._files_on_disk() if self.is_on_disk else self._files_of_commit()

    def _files_on_disk(self) -> Iterator[RepositoryFile]:
        # All names at once, as git gives those it does not track first.
        tracked: dict[bytes, bool] = {}
        for line in self._lines(
            *("ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard")
        ):
            tracked[line[2:]] = not line.startswith(b"?")
        real: dict[Path, bool] = {}
        for name in sorted(tracked, key=lambda name: name.split(b"/")):
            path = os.fsdecode(name.rstrip(b"/"))
            if not tracked[name] and any(part.startswith(".") for part in path.split("/")):
                continue
            place = self.path / path
            size, modified = -1, 0
            try:
                status = place.lstat()
                mode, size, modified = status.st_mode, status.st_size, status.st_mtime_ns
            except (FileNotFoundError, NotADirectoryError):
                continue  # deleted and not yet committed, or left out by a sparse checkout
            except OSError:
                mode = stat.S_IFREG  # to open it will say what is wrong
            folder = place.parent
            if folder not in real:
                real[folder] = os.path.realpath(folder) == str(folder)
            kind = "submodule" if stat.S_ISDIR(mode) else "file"
            # A folder may have become a link that leads out of the repository.
            is_link = stat.S_ISLNK(mode) or not real[folder]
            kind = "symbolic link" if is_link else kind
            yield RepositoryFile(path, kind, tracked[name], bytes=size, modified=modified)

    def _files_of_commit(self) -> Iterator[RepositoryFile]:
        for line in self._lines("ls-tree", "-r", "-l", "-z", "--full-tree", self.commit):
            about, _, name = line.partition(b"\t")
            mode, _, object, size = about.split()
            kind = {_LINK: "symbolic link", _SUBMODULE: "submodule"}.get(mode, "file")
            bytes = int(size) if size.isdigit() else -1
            yield RepositoryFile(os.fsdecode(name), kind, object=object.decode(), bytes=bytes)

    # ---- reading

    def open(self, file: RepositoryFile) -> BinaryIO:
        """The bytes of a file of a commit; to be closed before the next is opened."""
        process = self._reader()
        questions, answers = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
        try:
            questions.write(file.object.encode() + b"\n")
            questions.flush()
            answer = answers.readline()
        except BrokenPipeError:
            answer = b""
        about = re.fullmatch(rb"[0-9a-f]+ blob (\d+)\n", answer)
        if about is None:
            said = self._stop_reading() if not answer.endswith(b" missing\n") else ""
            raise SourceError(f"{said or f'object {file.object} is missing'}; {self._repair()}")
        return io.BufferedReader(_Blob(answers, int(about[1]), self._repair()), 1 << 16)

    def _reader(self) -> "subprocess.Popen[bytes]":
        if self._objects is None:
            self._said = tempfile.TemporaryFile()  # noqa: SIM115 closed in _stop_reading
            self._objects = self._start(
                *("cat-file", "--batch"), stdin=subprocess.PIPE, stderr=self._said
            )
        return self._objects

    def _stop_reading(self) -> str:
        """End the process that gives objects; what it complained of."""
        process, said = self._objects, self._said
        self._objects = self._said = None
        if process is None or said is None:
            return ""
        with suppress(BrokenPipeError):
            cast(IO[bytes], process.stdin).close()
        cast(IO[bytes], process.stdout).close()
        process.wait()
        with said:
            said.seek(0)
            return _complaint(said.read())

    # ---- git

    def _check_owner(self) -> None:
        try:
            self._run("rev-parse", "--git-dir")
        except SourceError as error:
            if "dubious ownership" not in str(error):
                raise
            # Settings of the user are not those of the repository: these are to be trusted.
            self._trusted = _safe_directories()
            try:
                self._run("rev-parse", "--git-dir")
            except SourceError:
                raise SourceError(
                    "the repository belongs to another user, whose settings git would follow; if "
                    f"you trust it: git config --global --add safe.directory {self.path}"
                ) from None

    def _commit(self, revision: str | None) -> str:
        wanted = f"{'HEAD' if revision is None else revision}^{{commit}}"
        try:
            answer = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", wanted)
        except SourceError as error:
            if revision is not None:
                reason = f"no commit is called {revision!r}; see: git -C {self.path} log --all"
                raise SourceError(reason) from None
            if self.is_on_disk:
                return ""
            if str(error).startswith("git rev-parse failed"):  # it was told to be quiet
                raise SourceError("HEAD names no commit; name one with --revision") from None
            raise
        return answer.decode().strip()

    def _url(self) -> str:
        try:
            remote = self._run("config", "--get", "remote.origin.url").decode().strip()
        except (SourceError, UnicodeDecodeError):
            return ""
        if secure := re.fullmatch(r"(?:[\w.-]+@)?([\w.-]+):(?!//)/?(.+)", remote):
            host, path = secure[1], secure[2]  # git@github.com:owner/repository.git
        else:
            try:
                parts = urlsplit(remote)
                host, path = parts.hostname or "", parts.path
            except ValueError:
                return ""
        path = path.strip("/").removesuffix(".git")
        page = _PAGES.get(host.lower())
        if page is None or not self.commit or not re.fullmatch(r"[\w.-]+(?:/[\w.-]+)+", path, re.A):
            return ""
        return page.format(path) + "{revision}/{path}"

    def _repair(self) -> str:
        return f"see what is damaged with: git -C {self.path} fsck"

    def _run(self, *arguments: str) -> bytes:
        return b"".join(self._pieces(*arguments))

    def _lines(self, *arguments: str) -> Iterator[bytes]:
        """What git prints, at its NUL bytes."""
        rest = b""
        for piece in self._pieces(*arguments):
            *lines, rest = (rest + piece).split(b"\0")
            yield from lines

    def _pieces(self, *arguments: str) -> Iterator[bytes]:
        with tempfile.TemporaryFile() as said:
            process = self._start(*arguments, stdin=subprocess.DEVNULL, stderr=said)
            printed = cast(IO[bytes], process.stdout)
            try:
                while piece := printed.read(1 << 16):
                    yield piece
            finally:
                printed.close()
                status = process.wait()
            if status:
                said.seek(0)
                complaint = _complaint(said.read())
                if not complaint:
                    raise SourceError(f"git {arguments[0]} failed with status {status}")
                raise SourceError(f"git: {complaint}; {self._repair()}")

    def _start(self, *arguments: str, stdin: int, stderr: IO[bytes]) -> "subprocess.Popen[bytes]":
        own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        environment = {**own, **_ENVIRONMENT, "GIT_CEILING_DIRECTORIES": str(self.path.parent)}
        if (self.path / ".git").exists():
            environment["GIT_WORK_TREE"] = str(self.path)  # whatever core.worktree says
        trusted = [word for value in self._trusted for word in ("-c", f"safe.directory={value}")]
        command = ["git", "-C", str(self.path), "--no-pager", *_CONFIGURATION, *trusted, *arguments]
        try:
            return subprocess.Popen(  # noqa: S603 a list, no shell
                command, env=environment, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr
            )
        except FileNotFoundError:
            raise SourceError(
                "a git repository, and the git command that reads it is missing; install git"
            ) from None
        except OSError as error:
            raise SourceError(f"git cannot be run: {error.strerror}") from None


class _Blob(io.RawIOBase):
    """One object in the stream of many; closing it passes over the rest and the newline after."""

    def __init__(self, stream: IO[bytes], size: int, repair: str) -> None:
        self._stream = stream
        self._left = size
        self._repair = repair

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)[: self._left]
        piece = self._stream.read(len(view)) if view else b""
        if len(piece) < len(view):
            self._left = 0
            raise SourceError(f"git ended in the middle of it; {self._repair}")
        view[:] = piece
        self._left -= len(piece)
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            while self._left:
                piece = self._stream.read(min(self._left, 1 << 20))
                self._left = self._left - len(piece) if piece else 0
            self._stream.read(1)
        super().close()


def _safe_directories() -> tuple[str, ...]:
    values: list[str] = []
    for level in ("--global", "--system"):
        with suppress(OSError):
            done = subprocess.run(  # noqa: S603
                ["git", "config", level, "-z", "--get-all", "safe.directory"],  # noqa: S607
                capture_output=True,
            )
            values += [os.fsdecode(value) for value in done.stdout.split(b"\0") if value]
    return tuple(values)


def _complaint(said: bytes) -> str:
    """The first line of what git said, without its ``fatal:``; hints follow it."""
    for line in said.decode("utf-8", "replace").splitlines():
        if text := re.sub(r"^(?:fatal|error): ", "", line.strip()):
            return text
    return ""
