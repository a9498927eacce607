"""`dedup scan` over sources that are made, or break, to harm: all is told, and all else is found.

Between every two hostile sources stands a good one that holds a copy; whatever the hostile ones
do, each copy has to be found, each hostile source has to be named with a reason, and the exit
status has to say that the scan is incomplete.
"""

import bz2
import gzip
import io
import json
import lzma
import os
import re
import socket
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dedup.document import MAX_DOCUMENT_BYTES

pa = pytest.importorskip("pyarrow")
pytest.importorskip("zstandard")

import pyarrow.feather as feather  # noqa: E402 after the skip
import pyarrow.parquet as pq  # noqa: E402
import zstandard  # noqa: E402

BOOKS = Path(__file__).parent / "data/books"
COPY = (BOOKS / "frankenstein.txt").read_text()[20_000:21_200]
CLEAN = "The ferry leaves at nine and calls at both islands before it turns back at noon.\n"
GOOD = f"{CLEAN}\n{COPY}\n\n{CLEAN}"

# Not what the bombs unpack to, by far.
MOST_BYTES = 2_000_000_000
MOST_S = 120


# ---- hostile sources -----------------------------------------------------------------------------


def _zeros(compress: Callable[[bytes], bytes]) -> bytes:
    """Packed blanks of over the longest document; small pieces of it unpack to as much again."""
    piece = compress(b" " * (1 << 26))
    return piece * (MAX_DOCUMENT_BYTES // (1 << 26) + 1)


def gzip_bomb(path: Path) -> None:
    path.write_bytes(_zeros(lambda data: gzip.compress(data, 1)))


def bzip2_bomb(path: Path) -> None:
    path.write_bytes(_zeros(bz2.compress))


def xz_bomb(path: Path) -> None:
    path.write_bytes(_zeros(lambda data: lzma.compress(data, preset=0)))


def zstd_bomb(path: Path) -> None:
    path.write_bytes(_zeros(zstandard.compress))


def rows_bomb(path: Path) -> None:
    """A row that has no end."""
    path.write_bytes(gzip.compress(b'{"text": "') + _zeros(lambda data: gzip.compress(data, 1)))


def zip_bomb(path: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(b" " * (1 << 26)) + packer.flush(zlib.Z_FULL_FLUSH)
    pieces = MAX_DOCUMENT_BYTES // (1 << 26) + 1
    checksum = 0
    for _ in range(pieces):
        checksum = zlib.crc32(b" " * (1 << 26), checksum)
    _zip_by_hand(path, ["blanks.txt"], piece * pieces + b"\3\0", checksum, pieces << 26)


def zip_of_overlapping_members(path: Path) -> None:
    """A thousand names for the same packed blanks, as in Fifield's "A better zip bomb"."""
    data = b" " * (1 << 24)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush()
    names = [f"{number:04}.txt" for number in range(1000)]
    _zip_by_hand(path, names, packed, zlib.crc32(data), len(data))


def _zip_by_hand(path: Path, names: list[str], packed: bytes, checksum: int, size: int) -> None:
    def fields(name: str) -> bytes:
        sizes = (checksum, len(packed), size, len(name), 0)
        return struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, *sizes)

    local = b"PK\3\4" + fields(names[0]) + names[0].encode() + packed
    directory = b"".join(
        b"PK\1\2"
        + struct.pack("<H", 20)
        + fields(name)
        + struct.pack("<HHHII", 0, 0, 0, 0, 0)
        + name.encode()
        for name in names
    )
    numbers = (0, 0, len(names), len(names), len(directory), len(local), 0)
    path.write_bytes(local + directory + b"PK\5\6" + struct.pack("<HHHHIIH", *numbers))


def nested_zips(path: Path) -> None:
    """Sixteen of sixteen of sixteen ..., eight deep."""
    data = b" " * (1 << 20)
    name = "blanks.txt"
    for depth in range(8):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(16):
                archive.writestr(f"{number:02}-{name}", data)
        data, name = buffer.getvalue(), f"{depth}.zip"
    path.write_bytes(data)


def truncated(make: Callable[[Path], None], share: float) -> Callable[[Path], None]:
    def cut(path: Path) -> None:
        make(path)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])

    return cut


def flipped(make: Callable[[Path], None], place: float) -> Callable[[Path], None]:
    """With a bit turned in each of sixteen bytes in a row."""

    def flip(path: Path) -> None:
        make(path)
        data = bytearray(path.read_bytes())
        start = int(len(data) * place)
        for at in range(start, min(start + 16, len(data))):
            data[at] ^= 0x10
        path.write_bytes(data)

    return flip


def _noise(size: int) -> str:
    """Text that does not pack well."""
    return " ".join(f"{zlib.crc32(str(n).encode()):x}" for n in range(size // 9))


def gzip_text(path: Path) -> None:
    path.write_bytes(gzip.compress(_noise(200_000).encode()))


def zstd_rows(path: Path) -> None:
    rows = "".join(json.dumps({"text": f"{n} {_noise(500)}"}) + "\n" for n in range(400))
    path.write_bytes(zstandard.compress(rows.encode()))


def xz_text(path: Path) -> None:
    path.write_bytes(lzma.compress(_noise(200_000).encode()))


def table() -> Any:
    noise = _noise(500)
    return pa.table({"text": [f"{n} {noise}" for n in range(2000)]})


def parquet(path: Path) -> None:
    pq.write_table(table(), path, row_group_size=200)


def arrow(path: Path) -> None:
    feather.write_feather(table(), path)


def tar(path: Path) -> None:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for number in range(20):
            data = _noise(20_000).encode()
            member = tarfile.TarInfo(f"{number}.txt")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(20):
            archive.writestr(f"{number}.txt", _noise(20_000))


def encrypted_zip(path: Path) -> None:
    """Flagged so, in both places that say it."""
    zipped(path)
    data = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        for found in re.finditer(re.escape(mark), bytes(data)):
            data[found.start() + flags] |= 1
    path.write_bytes(data)


def bytes_of(data: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(data) and None


def deep_json(path: Path) -> None:
    path.write_text('{"text": ' + "[" * 200_000 + "]" * 200_000 + "}\n")


def unreadable(path: Path) -> None:
    """A file whose read fails; root may read what nobody else may."""
    if os.geteuid() == 0:
        path.symlink_to("/proc/self/mem")
    else:
        path.write_text(GOOD)
        path.chmod(0)


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(path.parent)  # its name has room for 108 bytes
        try:
            made.bind(path.name)
        finally:
            os.chdir(here)


def symlink_to(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def folder_loop(path: Path) -> None:
    path.mkdir()
    (path / "a.txt").write_text(CLEAN)
    (path / "in").mkdir()
    (path / "in/out").symlink_to("..")


# By name; what comes out of each is a problem.
HOSTILE: dict[str, Callable[[Path], None]] = {
    "bomb.txt.gz": gzip_bomb,
    "bomb.txt.bz2": bzip2_bomb,
    "bomb.txt.xz": xz_bomb,
    "bomb.txt.zst": zstd_bomb,
    "row-bomb.jsonl.gz": rows_bomb,
    "bomb.zip": zip_bomb,
    "overlapping.zip": zip_of_overlapping_members,
    "nested.zip": nested_zips,
    "cut.txt.gz": truncated(gzip_text, 0.5),
    "flipped.txt.gz": flipped(gzip_text, 0.5),
    "checksum.txt.gz": flipped(gzip_text, 1 - 8 / 100_000),
    "cut.jsonl.zst": truncated(zstd_rows, 0.5),
    "flipped.jsonl.zst": flipped(zstd_rows, 0.5),
    "cut.txt.xz": truncated(xz_text, 0.5),
    "cut.parquet": truncated(parquet, 0.5),
    "pages.parquet": flipped(parquet, 0.3),
    "footer.parquet": flipped(parquet, 0.999),
    "magic.parquet": bytes_of(b"PAR1PAR1"),
    "empty.parquet": bytes_of(b""),
    "cut.feather": truncated(arrow, 0.5),
    "flipped.arrow": flipped(arrow, 0.999),
    "cut.tar": truncated(tar, 0.5),
    "cut.tar.gz": truncated(tar, 0.5),
    "flipped.tar.gz": flipped(tar, 0.5),
    "cut.zip": truncated(zipped, 0.5),
    "flipped.zip": flipped(zipped, 0.5),
    "encrypted.zip": encrypted_zip,
    "no.zip": bytes_of(b"PK\3\4 and no more than that"),
    "deep.jsonl": deep_json,
    "surrogate.jsonl": bytes_of(b'{"text": "\\ud800 alone"}\n'),
    "no-rows.jsonl": bytes_of(b"this is no JSON\n"),
    "binary.txt": bytes_of(bytes(range(256)) * 64),
    "pipe": os.mkfifo,
    "pipe.txt": os.mkfifo,
    "socket": unix_socket,
    "zero.txt": symlink_to("/dev/zero"),
    "stdin.txt": symlink_to("/dev/tty"),
    "self.txt": symlink_to("self.txt"),
    "nowhere.txt": symlink_to("missing"),
    "loop": folder_loop,
    "unreadable.txt": unreadable,
    "missing.txt": lambda path: None,
}


# ---- the scan ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scan:
    """What a scan came to."""

    status: int
    errors: str
    rows: list[dict[str, Any]]
    seconds: float
    peak_bytes: int

    @property
    def copies(self) -> set[str]:
        return {row["document"] for row in self.rows if row["action"] == "block"}

    @property
    def problems(self) -> list[str]:
        return [row["error"] for row in self.rows if row["error"]]


def scan(index: Path, sources: list[Path], out: Path, *options: object) -> Scan:
    """Run the command; its peak memory is the largest of its processes'."""
    arguments = [*sources, "--index", index, "--no-key", "-o", out, *options]
    command = [sys.executable, "-c", _MEASURED, "scan", *map(str, arguments)]
    started = time.monotonic()
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", stdin=subprocess.DEVNULL, timeout=MOST_S * 3
    )
    seconds = time.monotonic() - started
    *errors, last = done.stderr.splitlines()
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    return Scan(done.returncode, "\n".join(errors), rows, seconds, int(last) * 1024)


_MEASURED = """
import resource, subprocess, sys
status = subprocess.run([sys.executable, "-m", "dedup", *sys.argv[1:]]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(status)
"""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index") / "books.idx"
    command = [sys.executable, "-m", "dedup", "index", "add", str(folder), str(BOOKS), "--no-key"]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hostile sources, with a good one before, between and after them."""
    folder = tmp_path_factory.mktemp("hostile")
    for number, (name, make) in enumerate(HOSTILE.items()):
        (folder / f"good-{number:02}.txt").write_text(GOOD)
        make(folder / name)
    (folder / f"good-{len(HOSTILE):02}.txt").write_text(GOOD)
    return folder


@pytest.fixture(scope="module")
def scanned(index: Path, place: Path, tmp_path_factory: pytest.TempPathFactory) -> Scan:
    return scan(index, _sources(place), tmp_path_factory.mktemp("out") / "rows.jsonl", "--jobs", 2)


def _sources(place: Path) -> list[Path]:
    good = [place / f"good-{number:02}.txt" for number in range(len(HOSTILE) + 1)]
    pairs = zip(good, [place / name for name in HOSTILE], strict=False)
    return [path for pair in pairs for path in pair] + good[-1:]


def test_whatever_is_hostile_every_copy_beside_it_is_found(scanned: Scan) -> None:
    good = {f"good-{number:02}.txt" for number in range(len(HOSTILE) + 1)}
    assert scanned.copies >= good


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_source_is_a_problem_with_its_name_and_reason(scanned: Scan, name: str) -> None:
    told = [error for error in scanned.problems if f"/{name}" in error]
    assert told
    assert all(len(error) < 2000 for error in told)
    assert any(re.search(rf"/{re.escape(name)}\b.*: \w", error) for error in told)


def test_exit_status_says_that_the_scan_is_incomplete(scanned: Scan) -> None:
    assert scanned.status == 2


def test_every_problem_is_printed_too(scanned: Scan) -> None:
    assert all(f"/{name}" in scanned.errors for name in HOSTILE)


def test_no_error_is_a_traceback(scanned: Scan) -> None:
    assert "Traceback" not in scanned.errors
    assert not any("Traceback" in problem for problem in scanned.problems)


def test_bombs_take_little_memory_and_time(scanned: Scan) -> None:
    assert scanned.peak_bytes < MOST_BYTES
    assert scanned.seconds < MOST_S


def test_nothing_is_unpacked_to_disk(scanned: Scan, place: Path) -> None:
    assert {path.name for path in place.iterdir()} - set(HOSTILE) == {
        path.name for path in place.glob("good-*.txt")
    }


def test_one_worker_tells_the_same(scanned: Scan, index: Path, place: Path, tmp_path: Path) -> None:
    alone = scan(index, _sources(place), tmp_path / "rows.jsonl", "--jobs", 1)
    assert alone.rows == scanned.rows
    assert alone.status == 2


def test_what_can_be_read_of_a_damaged_archive_is_scanned(index: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "some.zip", "w", zipfile.ZIP_STORED) as archive:
        for name in ("a.txt", "b.txt", "c.txt"):
            archive.writestr(name, f"{name}\n{GOOD}")
    data = (tmp_path / "some.zip").read_bytes()
    (tmp_path / "some.zip").write_bytes(data.replace(b"b.txt\nThe", b"b.txt\nXXX"))
    found = scan(index, [tmp_path / "some.zip"], tmp_path / "rows.jsonl", "--jobs", 1)
    assert found.copies == {"some.zip/a.txt", "some.zip/c.txt"}
    assert len(found.problems) == 1
    assert "b.txt" in found.problems[0]
    assert found.status == 2


def test_a_folder_of_hostile_files_is_scanned_to_its_end(
    index: Path, place: Path, tmp_path: Path
) -> None:
    """Of a folder, packed and binary files may be left out; all else is as above."""
    found = scan(index, [place], tmp_path / "rows.jsonl", "--jobs", 2)
    good = {f"{place.name}/good-{number:02}.txt" for number in range(len(HOSTILE) + 1)}
    assert found.copies >= good
    for name in ("pipe", "socket", "zero.txt", "self.txt", "nowhere.txt", "loop", "unreadable.txt"):
        assert any(f"/{name}" in problem for problem in found.problems), name
    assert found.status == 2


def test_files_that_vanish_or_change_while_scanned_are_problems_or_rows(
    index: Path, tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus"
    names = [f"{number:04}.txt" for number in range(2000)]
    corpus.mkdir()
    for name in names:
        (corpus / name).write_text(GOOD if name.endswith("0.txt") else CLEAN * 50)
    victims = set(names[1::4])
    arguments = [corpus, "--index", index, "--no-key", "--jobs", 2, "-o", tmp_path / "rows.jsonl"]
    with subprocess.Popen(
        [sys.executable, "-m", "dedup", "scan", *map(str, arguments)],
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        time.sleep(0.3)  # it has begun to look around
        for number, name in enumerate(sorted(victims)):
            path = corpus / name
            if number % 2:
                path.unlink()
            else:
                os.truncate(path, 0)
        _, errors = process.communicate(timeout=MOST_S)
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    judged = {row["document"].removeprefix("corpus/"): row["action"] for row in rows}
    assert {name for name in names if name.endswith("0.txt")} <= {
        name for name, action in judged.items() if action == "block"
    }
    assert set(names) - victims <= judged.keys()
    problems = [row["error"] for row in rows if row["error"]]
    assert all(any(name in problem for name in victims) for problem in problems)
    assert process.returncode == (2 if problems else 1)
    assert "Traceback" not in errors


def test_names_of_any_kind_are_told_apart(index: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    names = [
        b"line\nbreak.txt",
        b"not-\xff-utf8.txt",
        "é.txt".encode(),
        b"-o",
        b" .txt",
        b"a" * 250,
    ]
    for name in names:
        with open(os.path.join(os.fsencode(corpus), name), "w") as file:  # noqa: PTH118, PTH123
            file.write(GOOD)
    found = scan(index, [corpus], tmp_path / "rows.jsonl", "--jobs", 1)
    assert len(found.copies) == len(names)
    assert found.problems == []
    assert found.status == 1


@pytest.mark.parametrize("name", ["../outside.txt", "/absolute.txt", "a/../../outside.txt"])
def test_an_archive_cannot_write_outside(index: Path, tmp_path: Path, name: str) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    with zipfile.ZipFile(inside / "slip.zip", "w") as archive:
        archive.writestr(name, GOOD)
    scan(index, [inside / "slip.zip"], inside / "rows.jsonl", "--jobs", 1)
    assert {path.name for path in tmp_path.rglob("*")} == {"in", "slip.zip", "rows.jsonl"}
    assert not Path("/absolute.txt").exists()


def test_an_archive_of_very_many_members_ends(index: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number}.txt", "")
        archive.writestr("last.txt", GOOD)
    found = scan(index, [tmp_path / "many.zip"], tmp_path / "rows.jsonl", "--jobs", 1)
    assert found.copies == {"many.zip/last.txt"} or found.problems
    assert found.seconds < MOST_S


def test_bombs_are_no_documents_of_an_index_either(tmp_path: Path) -> None:
    gzip_bomb(tmp_path / "bomb.txt.gz")
    (tmp_path / "good.txt").write_text(GOOD)
    command = [sys.executable, "-m", "dedup", "index", "add", tmp_path / "i.idx", "--no-key"]
    done = subprocess.run(
        [*command, tmp_path / "bomb.txt.gz", tmp_path / "good.txt"],
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 2
    assert "bomb.txt.gz" in done.stderr
    assert "1 document" in done.stdout
