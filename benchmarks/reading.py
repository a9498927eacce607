"""How quickly each form of a corpus is read, and in how much memory, beside the obvious Python.

    python benchmarks/reading.py TEXTS... [--megabytes 64] [--rounds 3]

The texts, repeated to the size asked for and cut into documents of 2,000 characters, are written in
every form. Each is read by dedup (documents with ids, problems told, bounds kept) and by a loop on
the standard library or pyarrow that does the least: the same texts, nothing checked. Both run in
processes of their own, taking turns; the best round counts, in MB of text a second of CPU time.
Memory is the peak over that of the same process before it reads.
"""

import argparse
import bz2
import csv
import gzip
import itertools
import json
import lzma
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from dedup.document import Document
from dedup.partition import partitions
from dedup.source import read_sources

DOCUMENT = 2000


def documents(sources: list[str], size: int) -> Iterator[tuple[str, str]]:
    """Ids and texts, ``size`` bytes of them."""
    texts = [item.text for item in read_sources(sources) if isinstance(item, Document)]
    numbers = itertools.count()
    given = 0
    while True:
        for text in texts:
            for start in range(0, len(text), DOCUMENT):
                part = text[start : start + DOCUMENT]
                given += len(part.encode())
                yield f"{next(numbers):08}", part
                if given >= size:
                    return


# ---- forms: how each is written, and the obvious way to read it ----------------------------------

Items = Iterable[tuple[str, str]]


def json_lines(items: Items) -> bytes:
    return b"".join(json.dumps({"id": id, "text": text}).encode() + b"\n" for id, text in items)


def write_folder(path: Path, items: Items) -> None:
    for id, text in items:
        place = path / id[:5] / f"{id}.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def read_folder(path: Path) -> Iterator[str]:
    for file in sorted(path.rglob("*")):
        if file.is_file():
            yield file.read_text()


def read_lines(stream: Iterable[bytes]) -> Iterator[str]:
    for line in stream:
        yield json.loads(line)["text"]


def read_zst(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        stream = zstandard.ZstdDecompressor().stream_reader(file)
        yield from read_lines(TextIOWrapper(stream, "utf-8"))  # type: ignore[arg-type]


def write_csv(path: Path, items: Items) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows(items)


def read_csv(path: Path) -> Iterator[str]:
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            yield row["text"]


def write_parquet(path: Path, items: Items) -> None:
    ids, texts = zip(*items, strict=True)
    pq.write_table(pa.table({"id": ids, "text": texts}), path, row_group_size=5000)


def read_parquet(path: Path) -> Iterator[str]:
    for batch in pq.ParquetFile(path).iter_batches(columns=["text"]):
        yield from batch.column("text").to_pylist()


def write_arrow(path: Path, items: Items) -> None:
    ids, texts = zip(*items, strict=True)
    table = pa.table({"id": ids, "text": texts})
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=1000)


def read_arrow(path: Path) -> Iterator[str]:
    with pa.ipc.open_file(str(path)) as reader:
        for number in range(reader.num_record_batches):
            yield from reader.get_batch(number).column("text").to_pylist()


def write_tar(path: Path, items: Items) -> None:
    with tarfile.open(path, "w") as archive:
        for id, text in items:
            info = tarfile.TarInfo(f"{id}.txt")
            info.size = len(data := text.encode())
            archive.addfile(info, BytesIO(data))


def read_tar(path: Path) -> Iterator[str]:
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            if file := archive.extractfile(member):
                yield file.read().decode()


def write_zip(path: Path, items: Items) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for id, text in items:
            archive.writestr(f"{id}.txt", text)


def read_zip(path: Path) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            yield archive.read(name).decode()


def packed(pack: Callable[[bytes], bytes]) -> Callable[[Path, Items], None]:
    return lambda path, items: (path.write_bytes(pack(json_lines(items))), None)[1]


FORMS: dict[str, tuple[Callable[[Path, Items], None], Callable[[Path], Iterator[str]]]] = {
    "folder": (write_folder, read_folder),
    "jsonl": (packed(bytes), lambda path: read_lines(path.open("rb"))),
    "jsonl.gz": (packed(gzip.compress), lambda path: read_lines(gzip.open(path))),  # noqa: SIM115
    "jsonl.zst": (packed(zstandard.compress), read_zst),
    "jsonl.bz2": (packed(bz2.compress), lambda path: read_lines(bz2.open(path))),  # noqa: SIM115
    "jsonl.xz": (
        packed(lambda data: lzma.compress(data, preset=1)),
        lambda p: read_lines(lzma.open(p)),  # noqa: SIM115
    ),
    "json": (
        lambda path, items: (
            path.write_text(json.dumps([{"id": id, "text": text} for id, text in items])),
            None,
        )[1],
        lambda path: (row["text"] for row in json.loads(path.read_bytes())),
    ),
    "csv": (write_csv, read_csv),
    "parquet": (write_parquet, read_parquet),
    "arrow": (write_arrow, read_arrow),
    "tar": (write_tar, read_tar),
    "zip": (write_zip, read_zip),
}


# ---- measuring -----------------------------------------------------------------------------------


def texts_of(path: Path) -> Iterator[str]:
    for part in partitions([path]):
        for item in part.read():
            assert isinstance(item, Document), item
            yield item.text


def measure(path: Path, form: str, reader: str) -> None:
    """Prints what reading took: bytes, documents, seconds of CPU, bytes of memory."""
    # What is loaded once is no part of the rate.
    sum(map(len, itertools.islice(texts_of(path), 3)))
    before = peak_memory()
    start = time.process_time()
    texts = texts_of(path) if reader == "dedup" else FORMS[form][1](path)
    size = count = 0
    for text in texts:
        size += len(text)
        count += 1
    seconds = time.process_time() - start
    print(json.dumps([size, count, seconds, peak_memory() - before]))


def peak_memory() -> int:
    """The most this process held so far, in bytes; getrusage would count what began it, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10


def main() -> None:
    if sys.argv[1:2] == ["measure"]:
        measure(Path(sys.argv[2]), sys.argv[3], sys.argv[4])
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--megabytes", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--forms", nargs="+", default=list(FORMS))
    options = parser.parse_args()
    print("| form | MB/s | of the plain loop | peak memory | of the plain loop |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for form in options.forms:
            path = Path(folder, "corpus" if form == "folder" else f"corpus.{form}")
            FORMS[form][0](path, list(documents(options.texts, options.megabytes * 1_000_000)))
            best: dict[str, tuple[float, int]] = {}
            counts = set()
            for _ in range(options.rounds):
                for reader in ("dedup", "plain"):
                    command = [sys.executable, __file__, "measure", str(path), form, reader]
                    done = subprocess.run(command, capture_output=True, text=True, check=True)
                    size, count, seconds, memory = json.loads(done.stdout)
                    counts.add((size, count))
                    best[reader] = min(best.get(reader, (1e9, 0)), (seconds, memory))
            assert len(counts) == 1, counts
            (ours, held), (theirs, plain) = best["dedup"], best["plain"]
            print(
                f"| {form} | {size / ours / 1e6:.0f} | {theirs / ours:.2f} x | "
                f"{held / 1e6:.0f} MB | {plain / 1e6:.0f} MB |",
                flush=True,
            )


if __name__ == "__main__":
    main()
