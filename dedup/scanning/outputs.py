"""The files that a scan writes: partial ones while it goes on, then the outputs, whole.

    OUT.partial       rows so far, JSON lines; held locked by the scan that writes it
    X.partial         the same of the other outputs
    OUT.checkpoint    how much of these is done, see ``checkpoint``

An output appears whole or not at all. Plain JSON lines are the partial file under its last name; a
``.gz`` or ``.zst``, Parquet and reports are made of it, a row at a time, when all is done. The
checkpoint goes last, so a scan that is cut short anywhere can be resumed.
"""

import errno
import fcntl
import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Final, Self, TypeAlias, cast

from dedup.errors import DedupError
from dedup.scanning.checkpoint import Checkpoint
from dedup.scanning.row import Row, row_schema
from dedup.scanning.work import Done

__all__ = ["ROWS", "Outputs", "RowWriter", "StreamOutput", "write_parquet", "writer_of"]

# The outputs, as they are called in Done and in a checkpoint.
ROWS: Final = "rows"

# Of Parquet so many rows and matches are in memory at a time: some tens of megabytes.
_GROUP_ROWS: Final = 10_000
_PART_BYTES: Final = 1 << 20

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# Makes an output of the rows.
RowWriter: TypeAlias = Callable[[Iterator[Row], BinaryIO], None]


class StreamOutput:
    """Rows to a stream, as they come; nothing is kept of them."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.lengths: dict[str, int] = {}
        self._stream = stream

    def add(self, done: Done) -> None:
        """Write what a task adds."""
        self._stream.write(done.rows)
        self._stream.flush()


class Outputs:
    """The files of one scan, locked against another that would write the same.

    Parameters
    ----------
    paths : dict of Path
        Where each output goes, by its name; the rows first.

    Raises
    ------
    DedupError
        If another scan writes them.
    """

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self.paths = dict(paths)
        self.checkpoint_path = paths[ROWS].with_name(f"{paths[ROWS].name}.checkpoint")
        self.lengths = dict.fromkeys(paths, 0)
        self._files: dict[str, int] = {}
        self._placed: set[str] = set()
        self._new: set[str] = set()
        self._is_begun = False
        try:
            for name, path in paths.items():
                if not _partial(path).exists():
                    self._new.add(name)
                self._files[name] = _locked(path)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def files(self) -> list[Path]:
        """All that is written, partial files and the checkpoint too."""
        outputs = list(self.paths.values())
        return [*outputs, *map(_partial, outputs), self.checkpoint_path]

    def close(self) -> None:
        """Let go of the files; of those that were never begun none stays that was not there."""
        for name, descriptor in self._files.items():
            if not self._is_begun and name in self._new:
                _partial(self.paths[name]).unlink(missing_ok=True)
            os.close(descriptor)
        self._files.clear()

    def begin(self, checkpoint: Checkpoint) -> None:
        """Keep what of each partial file is told by the checkpoint, and write on behind it.

        Raises
        ------
        DedupError
            If one is shorter.
        """
        for name, descriptor in self._files.items():
            length = checkpoint.lengths.get(name, 0)
            is_short = os.fstat(descriptor).st_size < length
            if is_short and checkpoint.is_finished and self.paths[name].exists():
                self._placed.add(name)
                continue
            if is_short:
                raise DedupError(
                    f"{_partial(self.paths[name])}: shorter than its checkpoint says; remove "
                    f"{self.checkpoint_path}, and start again"
                )
            os.ftruncate(descriptor, length)
            self.lengths[name] = length
        self._is_begun = True

    def add(self, done: Done) -> None:
        """Write what a task adds; all of it counts, or none.

        Raises
        ------
        DedupError
            If the disk is full or fails.
        """
        for name, descriptor in self._files.items():
            data = memoryview(getattr(done, name))
            try:
                while data:
                    data = data[os.write(descriptor, data[:_PART_BYTES]) :]
            except OSError as error:
                raise _failed(_partial(self.paths[name]), error) from error
        for name in self._files:
            self.lengths[name] += len(getattr(done, name))

    def save(self, checkpoint: Checkpoint) -> None:
        """Make what was written so far last, and say so."""
        try:
            for descriptor in self._files.values():
                os.fsync(descriptor)
            checkpoint.write(self.checkpoint_path)
        except OSError as error:
            raise _failed(self.checkpoint_path, error) from error

    def rows(self) -> Iterator[Row]:
        """All rows, once they are written."""
        path = self.paths[ROWS]
        with (path if ROWS in self._placed else _partial(path)).open("rb") as lines:
            yield from map(json.loads, lines)

    def finish(self, write: RowWriter | None = None) -> None:
        """Give each output its name, the rows last; `write` makes it of the rows.

        Raises
        ------
        DedupError
            If the disk is full or fails. It can be tried again.
        """
        for name, path in reversed(self.paths.items()):
            if name in self._placed:
                continue
            try:
                if name == ROWS and write is not None:
                    with _replacing(path) as file:
                        write(self.rows(), file)
                elif packer := _packer_of(path):
                    with (
                        _partial(path).open("rb") as plain,
                        _replacing(path) as file,
                        packer(file) as packed,
                    ):
                        shutil.copyfileobj(plain, packed, _PART_BYTES)
                else:
                    _partial(path).replace(path)
                _sync_folder(path)
            except OSError as error:
                raise _failed(path, error) from error
        # Those of the rows go last: what made the report may be asked of them once more.
        for path in list(self.paths.values())[1:]:
            _partial(path).unlink(missing_ok=True)
        self.checkpoint_path.unlink()
        _partial(self.paths[ROWS]).unlink(missing_ok=True)


def writer_of(path: Path) -> RowWriter | None:
    """What makes an output of that name; None if it is JSON lines, packed or not.

    Raises
    ------
    DedupError
        If what it takes is not installed: at the end of a long scan would be late.
    """
    _packer_of(path)
    if path.suffix.lower() != ".parquet":
        return None
    row_schema()
    return write_parquet


def write_parquet(rows: Iterator[Row], file: BinaryIO) -> None:
    """The RowWriter of Parquet."""
    import pyarrow as pa  # here, as it is optional and slow to load
    import pyarrow.parquet as pq

    schema = row_schema()
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for group in _groups(rows):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _groups(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """The rows, as many at a time as may be in memory together."""
    group: list[Row] = []
    weight = 0
    for row in rows:
        group.append(row)
        weight += 1 + len(row["matches"]) + len(row["exempted"])
        if weight >= _GROUP_ROWS:
            yield group
            group, weight = [], 0
    if group:
        yield group


_Packer: TypeAlias = Callable[[BinaryIO], AbstractContextManager[BinaryIO]]


def _packer_of(path: Path) -> _Packer | None:
    """What packs an output of that name."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        # Without a name and a time in it: the same rows are the same bytes.
        return lambda file: cast(BinaryIO, gzip.GzipFile("", "wb", 6, file, mtime=0))
    if suffix == ".zst":
        try:
            import zstandard  # here, as it is optional
        except ImportError:
            raise DedupError(
                f"{path}: .zst needs zstandard; run: pip install 'dedup[scan]'"
            ) from None
        return lambda file: cast(
            BinaryIO, zstandard.ZstdCompressor().stream_writer(file, closefd=False)
        )
    return None


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the name when it is whole."""
    temporary = path.with_name(f".{path.name}.writing")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _locked(path: Path) -> int:
    """The partial file, made if it is missing, for this process alone."""
    descriptor = os.open(_partial(path), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise DedupError(f"{path}: another scan is writing it; wait until it is done") from None
    return descriptor


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


def _failed(path: Path, error: OSError) -> DedupError:
    way_out = "free some, then go on with --resume" if error.errno in _FULL else "see to the disk"
    return DedupError(f"{path}: {error.strerror}; {way_out}")
