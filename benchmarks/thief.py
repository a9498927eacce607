"""What a thief learns who has the index and not its key: which texts are in it?

    python benchmarks/thief.py [TEXTS...] [--probes 10000] [--words 60 250]

The thief has the whole folder, knows the format and this source, and holds the probes: texts of
which half are in the index, each as the whole document or as a passage of it, and half are others
of the same works. He gives each a score by what he can read; the figure is the area under the ROC
curve (AUC), the chance that a text of the index scores above one that is not in it: 0.5 is a guess.
He reads the bytes by himself. Where a section is encrypted he is even told where it lies, from an
index without a key of the same documents, and attacks the bytes that stand there.

Every attack is also made on that index without a key, where it must succeed: one that fails there
shows nothing. Texts are the standard library of the running Python and tests/data/books, and what
is named: text files, source code, JSON lines, also compressed, and folders of them.
"""

import argparse
import gzip
import json
import math
import random
import re
import shutil
import sysconfig
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dedup import Document, Index, Key, _core

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]
Scores = NDArray[np.float64]

ROOT = Path(__file__).resolve().parent.parent
# The owner's, which nothing below that attacks may use.
SECRET = Key(bytes.fromhex("3f9c51e07ad2864bb81e6d05c7f42a93"))

# ---- texts and probes ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Probe:
    """A text the thief asks about; `document` is what it is, or is a passage of."""

    document: Document
    text: str
    is_member: bool
    is_whole: bool


def works(paths: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Name and text of each work: a file, or what a row of JSON lines holds."""
    for folder in paths:
        files = sorted(folder.rglob("*")) if folder.is_dir() else [folder]
        for file in files:
            inner = file.relative_to(folder).as_posix() if folder.is_dir() else file.name
            if re.search(r"(^|/)(site-packages|test|tests|idle_test|__pycache__)(/|$)", inner):
                continue
            if file.name.endswith((".jsonl", ".jsonl.gz")):
                data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else None
                lines = (data or file.read_bytes()).decode().splitlines()
                for number, line in enumerate(lines):
                    for name, text in texts_of(json.loads(line)):
                        yield f"{inner}/{number}{name}", text
            elif file.suffix in (".py", ".txt") and file.is_file():
                yield inner, file.read_text("utf-8", errors="replace")


def texts_of(row: dict[str, object]) -> Iterator[tuple[str, str]]:
    extension = {"python": ".py", "java": ".java", "js": ".js"}.get(str(row.get("lang")), ".txt")
    for name, value in row.items():
        if isinstance(value, list) and value and isinstance(value[0], str):
            value = "\n\n".join(value)
        if isinstance(value, str) and len(value) >= 60:
            yield f"-{name}{extension}", value


def pieces(name: str, text: str, least: int, most: int, rng: random.Random) -> Iterator[Document]:
    """The work cut into documents of `least` to `most` words, at ends of lines."""
    stem, _, extension = name.rpartition(".")
    lines: list[str] = []
    words, number, wanted = 0, 0, rng.randint(least, most)
    for line in text.splitlines(keepends=True):
        lines.append(line)
        words += len(line.split())
        if words >= wanted:
            yield Document(f"{stem}-{number:04}.{extension}", "".join(lines), corpus=stem)
            lines, words, number, wanted = [], 0, number + 1, rng.randint(least, most)


def draw(paths: Sequence[Path], count: int, words: tuple[int, int], seed: int) -> list[Probe]:
    """Half members, half not; of each, half whole documents and half passages of one.

    No document gives two probes, so they are independent of one another but for what the works
    they are cut from have in common.
    """
    rng = random.Random(seed)
    documents, seen = [], set()
    for name, text in works(paths):
        for document in pieces(name, text, *words, rng):
            content = " ".join(_core.normalised_tokens(document.text))
            if content not in seen and len(content) > 100:
                seen.add(content)
                documents.append(document)
    rng.shuffle(documents)
    documents = documents[: min(count, len(documents)) // 4 * 4]
    return [
        Probe(
            document,
            document.text if number % 4 < 2 else passage(document.text, rng),
            number % 2 == 0,
            number % 4 < 2,
        )
        for number, document in enumerate(documents)
    ]


def passage(text: str, rng: random.Random) -> str:
    """A half to the nine tenths of a text, from one space to another."""
    spaces = [found.start() for found in re.finditer(r"\s\S", text)]
    size = int(len(spaces) * rng.uniform(0.5, 0.9))
    first = rng.randrange(max(1, len(spaces) - size))
    return text[spaces[first] + 1 : spaces[min(first + size, len(spaces) - 1)]]


@dataclass
class Probes:
    """All probes, and what the thief makes of them by the public parts of the source."""

    items: list[Probe]

    def __post_init__(self) -> None:
        texts = [probe.text for probe in self.items]
        self.hashes, starts, ends, offsets = _core.tokenize_batch(texts)
        self.offsets = offsets.astype(np.int64)
        self.counts = np.diff(self.offsets)
        self.owner = np.repeat(np.arange(len(texts)), self.counts)
        gaps = starts.astype(np.int64)
        gaps[1:] -= ends[:-1].astype(np.int64)
        firsts = self.offsets[:-1][self.counts > 0]
        gaps[firsts] = starts[firsts]
        self.symbols = symbols_of(gaps, ends.astype(np.int64) - starts)
        self.sizes = np.array([len(text.encode()) for text in texts])
        self.is_member = np.array([probe.is_member for probe in self.items])
        self.is_whole = np.array([probe.is_whole for probe in self.items])

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def own_index(self) -> "Segment":
        """All probes in an index that the thief makes himself, without a key."""
        with tempfile.TemporaryDirectory() as work:
            documents = [
                Document(f"{number:06}-{probe.document.id}", probe.text)
                for number, probe in enumerate(self.items)
            ]
            build(Path(work) / "own", documents, None)
            return Loot.of(Path(work) / "own").segments[0]

    def words(self, number: int) -> Words:
        return self.hashes[self.offsets[number] : self.offsets[number + 1]]

    def mean(self, values: NDArray[np.generic], starts: NDArray[np.int64], size: int) -> Scores:
        """The mean, over each probe's windows of `size` tokens, of a value per window start."""
        inside = starts + size <= self.offsets[1:][self.owner[starts]]
        owners = self.owner[starts[inside]]
        total = np.bincount(owners, values[inside].astype(float), len(self))
        return total / np.maximum(np.bincount(owners, minlength=len(self)), 1)


def symbols_of(gaps: NDArray[np.int64], lengths: NDArray[np.int64]) -> Bytes:
    """Span symbols as csrc/span_map.cpp makes them."""
    clipped = (gaps >= 7) | (lengths >= 16) | (gaps < 0)
    return np.where(clipped, 112, gaps * 16 + lengths).astype(np.uint8)


# ---- what can be read ----------------------------------------------------------------------------

STRINGS, COUNTS, SEEDS, FINGERPRINTS, SPANS = 2, 4, 5, 6, 7
DOCUMENTS = 1
TEXT_VIEW = 0
VIEWS = 3


@dataclass(frozen=True)
class Shape:
    """Of a seed table: csrc/seed_table.h."""

    entries: int
    positions: int
    buckets: int
    total: int
    width: int
    capacity: int


@dataclass(frozen=True)
class Layout:
    """Where the parts of a segment lie, and what is needed to read them."""

    sections: dict[tuple[int, int], tuple[int, int]]
    tokens: tuple[int, ...]
    documents: int
    shapes: tuple[Shape, ...]
    code_lengths: Bytes  # of the text view's span map
    boundaries: NDArray[np.int64]  # first token of each document in each view


@dataclass
class Segment:
    """One stolen file, and the layout that it tells itself or that the thief was told."""

    data: Bytes
    told: Layout | None = None
    layout: Layout = field(init=False)
    nonce: bytes = b""
    key_id: int = 0

    def __post_init__(self) -> None:
        own = self._read_layout()
        if own is None and self.told is None:
            raise ValueError("an encrypted segment; its layout must be told")
        self.layout = own or self.told  # type: ignore[assignment]
        self.is_encrypted = own is None

    def number(self, at: int, size: int) -> int:
        return int.from_bytes(self.data[at : at + size].tobytes(), "little")

    def section(self, kind: int, view: int = 0) -> Bytes:
        offset, size = self.layout.sections.get((kind, view), (0, 0))
        return self.data[offset : offset + size]

    def _read_layout(self) -> Layout | None:
        body = self.number(len(self.data) - 64 + 8, 8)
        header = body - 272
        if self.number(8, 4) == 0:  # format 2 has no prefix but the magic
            self.key_id = self.number(header + 16, 8)
            numbers = np.frombuffer(self.data[header + 24 : header + 80].tobytes(), "<u8")
            sections, documents, tokens = self.number(header + 12, 4), numbers[0], numbers[4:7]
        else:
            self.key_id, self.nonce = self.number(24, 8), self.data[32:40].tobytes()
            if self.key_id:
                return None
            numbers = np.frombuffer(self.data[header + 8 : header + 80].tobytes(), "<u8")
            sections, documents, tokens = int(numbers[0]), numbers[1], numbers[6:9]
        places = {}
        for at in range(header - 24 * sections, header, 24):
            places[self.number(at, 4), self.number(at + 4, 4)] = (
                self.number(at + 8, 8),
                self.number(at + 16, 8),
            )
        shapes = []
        for view in range(VIEWS):
            at = places[SEEDS, view][0]
            shapes.append(
                Shape(
                    *(self.number(at + 8 * i, 8) for i in range(4)),
                    self.number(at + 32, 4),
                    self.number(at + 36, 4),
                )
            )
        at, size = places[DOCUMENTS, 0]
        records = self.data[at : at + size].reshape(int(documents), 88)
        boundaries = records[:, : 8 * VIEWS].copy().view("<u4")[:, ::2].astype(np.int64)
        spans = places[SPANS, TEXT_VIEW][0]
        return Layout(
            places,
            tuple(int(count) for count in tokens),
            int(documents),
            tuple(shapes),
            self.data[spans : spans + 128].copy(),
            boundaries,
        )

    @cached_property
    def fingerprints(self) -> Bytes:
        return self.section(FINGERPRINTS, TEXT_VIEW)[: self.layout.tokens[TEXT_VIEW]]

    @cached_property
    def symbols(self) -> Bytes:
        """The span map decoded; if it is encrypted, by the code that a plain one would have."""
        lengths = self.layout.code_lengths
        section = self.section(SPANS, TEXT_VIEW)
        by_code: dict[tuple[int, int], int] = {}
        code = previous = 0
        for bits in range(1, 57):
            for symbol in np.flatnonzero(lengths == bits):
                if previous:
                    code = (code + 1) << (bits - previous)
                previous = bits
                by_code[bits, code] = int(symbol)
        stream = np.unpackbits(section[128 + 24 :], bitorder="little").tolist()
        found = bytearray()
        at, end, tokens = 0, len(stream) - 200, self.layout.tokens[TEXT_VIEW]
        while len(found) < tokens and at < end:
            code = bits = 0
            while (bits, code) not in by_code and bits < 57:
                code = code << 1 | stream[at + bits]
                bits += 1
            symbol = by_code.get((bits, code), 112)
            at += bits
            found.append(symbol)
            if symbol == 112:
                for _ in range(2):
                    size = sum(stream[at + i] << i for i in range(6))
                    at += 6 + size
        return np.frombuffer(bytes(found), np.uint8)

    def buckets(self, view: int = TEXT_VIEW) -> Bytes:
        """The 64-byte lines at the place of a seed table, and some behind it."""
        offset = self.layout.sections[SEEDS, view][0] + 64
        total = self.layout.shapes[view].total + (64 if self.is_encrypted else 0)
        lines = self.data[offset : offset + 64 * total]
        return lines[: len(lines) // 64 * 64].reshape(-1, 64)

    def heads(self, view: int = TEXT_VIEW) -> NDArray[np.int64]:
        """First slot and number of entries of each bucket, as far as they can be those of a table.

        Entries stand one behind another, so each header but an empty one follows from those
        before it. Nothing is left where they are encrypted, or where no table lies.
        """
        shape = self.layout.shapes[view]
        heads = self.buckets(view)[:, :4].copy().view("<u2").astype(np.int64)
        next_slot = 0
        for bucket, (first, count) in enumerate(heads.tolist()):
            start = max(next_slot, bucket * shape.capacity)
            if first != (start - bucket * shape.capacity if count else 0):
                return heads[:bucket]
            next_slot = start + count if count else next_slot
        return heads

    def shape(self, view: int = TEXT_VIEW) -> Shape:
        """That of the table which the headers tell of; its size need not be the one told."""
        told, entries = self.layout.shapes[view], int(self.heads(view)[:, 1].sum())
        buckets = int(entries / (told.capacity * 0.94)) + 1
        width = (((1 << SEED_BITS) // buckets + 1) * (told.positions + 1)).bit_length()
        return replace(told, entries=entries, buckets=buckets, width=max(width, 9))

    def tags(self, view: int = TEXT_VIEW) -> tuple[NDArray[np.int64], Bytes]:
        """Home bucket and tag of every entry of a seed table, in order."""
        homes, slots = self._slots(view)
        capacity = self.layout.shapes[view].capacity
        return homes, self.buckets(view)[slots // capacity, 4 + slots % capacity]

    def _slots(self, view: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Home bucket of every entry, and its slot counted from the start of the table."""
        capacity, heads = self.layout.shapes[view].capacity, self.heads(view)
        firsts, counts = heads[:, 0], heads[:, 1]
        homes = np.repeat(np.arange(len(heads)), counts)
        rank = np.arange(len(homes)) - np.repeat(np.cumsum(counts) - counts, counts)
        slots = homes * capacity + firsts[homes] + rank
        inside = slots < len(self.buckets(view)) * capacity
        return homes[inside], slots[inside]

    def runs(self, view: int = TEXT_VIEW) -> Counter[int]:
        """How many seeds stand in a table so and so often, as far as tags tell."""
        homes, tags = self.tags(view)
        codes = homes * 256 + tags
        ends = np.flatnonzero(np.append(codes[1:] != codes[:-1], len(codes) > 0))
        return Counter(np.diff(np.append(-1, ends)).tolist())

    def entries(self, view: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Seed and position of every entry of a table that is not encrypted."""
        shape, lines = self.layout.shapes[view], self.buckets(view)
        homes, slots = self._slots(view)
        line, slot = slots // shape.capacity, slots % shape.capacity
        rest = shape.width - 8
        bits = (4 + shape.capacity) * 8 + slot * rest
        byte = np.minimum(bits // 8, 56)
        eight = lines[line[:, None], byte[:, None] + np.arange(8)].copy().view("<u8").ravel()
        low = (eight >> (bits - byte * 8).astype(np.uint64)) & np.uint64((1 << rest) - 1)
        value = lines[line, 4 + slot].astype(np.int64) << rest | low.astype(np.int64)
        first = -(-(homes << SEED_BITS) // shape.buckets)
        return first + value // (shape.positions + 1), value % (shape.positions + 1)


@dataclass
class Loot:
    """A stolen index: its segments, its manifest, and the sizes of its files."""

    segments: list[Segment]
    manifest: bytes = b""

    @classmethod
    def of(cls, folder: Path, twin: "Loot | None" = None) -> "Loot":
        """Read a folder; the twin is the same index without a key, segment by segment."""
        manifest = (folder / "MANIFEST").read_bytes()
        files = sorted(folder.glob("segment-*.dedup"))
        # Their names say nothing of the order; the sizes of twins are alike.
        files.sort(key=lambda file: -file.stat().st_size)
        told = [segment.layout for segment in twin.segments] if twin else [None] * len(files)
        segments = [
            Segment(np.frombuffer(file.read_bytes(), np.uint8), layout)
            for file, layout in zip(files, told, strict=True)
        ]
        return cls(segments, manifest)

    @property
    def data(self) -> Bytes:
        parts = [segment.data for segment in self.segments]
        return np.concatenate([np.frombuffer(self.manifest + bytes(8), np.uint8), *parts])

    @cached_property
    def eights(self) -> Words:
        """Every 8 bytes that stand anywhere, in order."""
        return sliding(self.data, 8)

    @cached_property
    def threes(self) -> NDArray[np.bool_]:
        """Which of all strings of 3 bytes stand anywhere."""
        found = np.zeros(1 << 24, np.bool_)
        found[sliding(self.data, 3)] = True
        return found

    @cached_property
    def numbers(self) -> set[int]:
        """Every number of 4 and 8 bytes at its natural place, those in the manifest, file sizes."""
        found = {int(number) for number in re.findall(rb"\d+", self.manifest)}
        for segment in self.segments:
            data = segment.data[: len(segment.data) // 8 * 8]
            for kind in ("<u4", "<u8"):
                values = data.view(kind)
                found.update(values[values < 1 << 24].tolist())
            found.add(len(segment.data))
        return found


def among(known: NDArray[np.generic], values: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Which values are among the known ones, which are in order."""
    at = np.searchsorted(known, values)
    return known[np.minimum(at, len(known) - 1)] == values if len(known) else at < 0


def sliding(data: Bytes, size: int) -> Words:
    values = np.zeros(max(len(data) - size + 1, 0), np.uint64)
    for i in range(size):
        values |= data[i : len(values) + i].astype(np.uint64) << np.uint64(8 * i)
    return np.unique(values)


# ---- hashes of the source, by the thief's own hand -----------------------------------------------

MULTIPLIER = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1
SEED_BITS = 34
TILE_SIZE, TILE_STRIDE = 5, 8


def fmix64(values: Words) -> Words:
    values = values ^ (values >> np.uint64(33))
    values = values * np.uint64(0xFF51AFD7ED558CCD)
    values = values ^ (values >> np.uint64(33))
    values = values * np.uint64(0xC4CEB9FE1A85EC53)
    return values ^ (values >> np.uint64(33))


def rotated(values: Words, bits: int) -> Words:
    return values << np.uint64(bits) | values >> np.uint64(64 - bits)


def siphash(key: bytes, words: Words) -> Words:
    """SipHash-2-4 of the 8 bytes of each word."""
    low, high = (int.from_bytes(key[i : i + 8], "little") for i in (0, 8))
    v0 = np.full(len(words), low ^ 0x736F6D6570736575, np.uint64)
    v1 = np.full(len(words), high ^ 0x646F72616E646F6D, np.uint64)
    v2 = np.full(len(words), low ^ 0x6C7967656E657261, np.uint64)
    v3 = np.full(len(words), high ^ 0x7465646279746573, np.uint64) ^ words

    def rounds(count: int) -> None:
        nonlocal v0, v1, v2, v3
        for _ in range(count):
            v0 = v0 + v1
            v2 = v2 + v3
            v1 = rotated(v1, 13) ^ v0
            v3 = rotated(v3, 16) ^ v2
            v0 = rotated(v0, 32)
            v2 = v2 + v1
            v0 = v0 + v3
            v1 = rotated(v1, 17) ^ v2
            v3 = rotated(v3, 21) ^ v0
            v2 = rotated(v2, 32)

    rounds(2)
    v0 = v0 ^ words
    length = np.uint64(8 << 56)
    v3 = v3 ^ length
    rounds(2)
    v0 = v0 ^ length
    v2 = v2 ^ np.uint64(0xFF)
    rounds(4)
    return v0 ^ v1 ^ v2 ^ v3


def tile_sums(words: Words) -> Words:
    """Of the tile that begins at each token."""
    sums = np.zeros(max(len(words) - TILE_SIZE + 1, 0), np.uint64)
    power = MULTIPLIER
    for i in range(TILE_SIZE):
        sums = sums + words[i : len(sums) + i] * np.uint64(power)
        power = power * MULTIPLIER & MASK
    return sums


def guesses(loot: Loot) -> list[tuple[str, bytes | None]]:
    """Keys to try: none, those of careless hands, and what the files themselves tell."""
    segment = loot.segments[0]
    name = segment.key_id.to_bytes(8, "little")
    nonce = segment.nonce.ljust(8, b"\0")
    return [
        ("no key", None),
        ("zeros", bytes(16)),
        ("ones", b"\xff" * 16),
        ("counting", bytes(range(16))),
        ("dedup", b"dedup key id".ljust(16, b"\0")),
        ("key id", name + bytes(8)),
        ("key id twice", name + name),
        ("nonce", nonce + nonce),
        ("key id and nonce", name + nonce),
    ]


# ---- attacks: loot and probes -> a score for each probe ------------------------------------------

Attack = Callable[[Loot, Probes], Scores]


def seeds_under_guessed_keys(loot: Loot, probes: Probes) -> Scores:
    """Tiles of the probe, hashed under keys one may guess, looked up by home bucket and tag."""
    best = np.full(len(probes), -np.inf)
    for _, key in guesses(loot):
        words = probes.hashes if key is None else siphash(key, probes.hashes)
        seeds = fmix64(tile_sums(words)) >> np.uint64(64 - SEED_BITS)
        hits = np.zeros(len(seeds))
        for segment in loot.segments:
            shape = segment.shape()
            homes, tags = segment.tags()
            known = np.unique(homes * 256 + tags)
            if not len(known):
                continue
            products = seeds * np.uint64(shape.buckets)
            home = (products >> np.uint64(SEED_BITS)).astype(np.int64)
            rank = (products & np.uint64((1 << SEED_BITS) - 1)) // np.uint64(shape.buckets)
            first = rank * np.uint64(shape.positions + 1)
            rest = np.uint64(shape.width - 8)
            for value in (first >> rest, (first + np.uint64(shape.positions)) >> rest):
                hits = np.maximum(hits, among(known, home * 256 + value.astype(np.int64)))
        # Of a text in the index every 8th tile is there, so the best of 8 ways to count on.
        starts = np.arange(len(seeds))
        owners = probes.owner[starts]
        inside = starts + TILE_SIZE <= probes.offsets[1:][owners]
        ways = owners * TILE_STRIDE + (starts - probes.offsets[owners]) % TILE_STRIDE
        size = len(probes) * TILE_STRIDE
        found = np.bincount(ways[inside], hits[inside], size)
        shares = found / (np.bincount(ways[inside], minlength=size) + 1)
        best = np.maximum(best, shares.reshape(-1, TILE_STRIDE).max(axis=1))
    return best


def windows(values: Bytes, size: int) -> Words:
    sums = np.zeros(max(len(values) - size + 1, 0), np.uint64)
    power = 1
    for i in range(size):
        sums = sums + values[i : len(sums) + i].astype(np.uint64) * np.uint64(power)
        power = power * MULTIPLIER & MASK
    return sums


def spans_of_words(loot: Loot, probes: Probes) -> Scores:
    """Lengths of words and gaps, 4, 8, 12 and 24 in a row, looked for in the span map."""
    score = np.zeros(len(probes))
    for size in (4, 8, 12, 24):
        known = np.unique(np.concatenate([windows(s.symbols, size) for s in loot.segments]))
        found = among(known, windows(probes.symbols, size))
        score += probes.mean(found, np.arange(len(found)), size)
    return score


def pattern_of(words: Words, most: int) -> NDArray[np.int64]:
    """Pairs of places: of the same word, each with the last before it."""
    last: dict[int, int] = {}
    pairs = []
    for place, word in enumerate(words.tolist()):
        if word in last:
            pairs.append((last[word], place))
        last[word] = place
    return np.array(pairs[:most], np.int64).reshape(-1, 2)


def repeated_words_in(bytes_: Bytes, probes: Probes, most: int = 40) -> Scores:
    """The best place to lay the probe at, by which of its repetitions are repeated there.

    The score is the logarithm of how much likelier that is for the text itself than for others;
    neighbours that differ must differ there as well.
    """
    longest = 64
    is_used = bytes_ != 0  # the rest is mostly padding
    at = {
        d: np.flatnonzero((bytes_[d:] == bytes_[:-d]) & is_used[d:]) for d in range(1, longest + 1)
    }
    chance = max(np.mean([len(places) for places in at.values()]) / max(len(bytes_), 1), 1e-6)
    gain, loss = math.log(0.995 / chance), math.log(0.005 / (1 - chance))
    scores = np.zeros(len(probes))
    for number in range(len(probes)):
        pairs = pattern_of(probes.words(number), most)
        near = [pair for pair in pairs.tolist() if pair[1] - pair[0] <= longest]
        if not near:
            continue
        near.sort(key=lambda pair: len(at[pair[1] - pair[0]]))
        starts = np.concatenate([at[j - i] - i for i, j in near[:2]])
        starts = starts[(starts >= 0) & (starts + probes.counts[number] <= len(bytes_))]
        if not len(starts):
            scores[number] = loss * len(pairs)
            continue
        words = probes.words(number)
        rules = [(i, j, gain, loss) for i, j in pairs.tolist()]
        rules += [
            (i, i + 1, -gain, 0.0)
            for i in range(min(len(words) - 1, most))
            if words[i] != words[i + 1]
        ]
        kept = np.zeros(len(starts), np.float32)
        for done, (i, j, equal, unequal) in enumerate(rules, 1):
            kept += np.where(bytes_[starts + i] == bytes_[starts + j], equal, unequal)
            if done % 4 == 0 and len(starts) > 100:
                good = kept >= kept.max() - 2 * gain  # the others hardly catch up
                starts, kept = starts[good], kept[good]
        scores[number] = kept.max()
    return scores


def repeated_words(loot: Loot, probes: Probes) -> Scores:
    """The same word has the same fingerprint: the probe laid at every place of the fingerprints."""
    return np.max([repeated_words_in(s.fingerprints, probes) for s in loot.segments], axis=0)


def repeated_words_anywhere(loot: Loot, probes: Probes) -> Scores:
    """The probe laid at every byte of the files, wherever their sections lie."""
    return repeated_words_in(loot.data, probes, most=12)


def ranked(values: NDArray[np.generic], most: int = 24) -> NDArray[np.int64]:
    """How often the commonest values of each row come, highest first."""
    rows = np.arange(len(values))[:, None] * 256
    counts = np.bincount((rows + values).ravel(), minlength=256 * len(values)).reshape(-1, 256)
    return -np.sort(-counts, axis=1)[:, :most]


def histograms(loot: Loot, probes: Probes) -> Scores:
    """Whole documents: how often the commonest words come, against each document's fingerprints.

    Where documents begin and end is told by their records; where these are encrypted, it can be at
    any multiple of the probe's length as well as anywhere else.
    """
    scores = np.full(len(probes), np.nan)
    sizes = np.where(probes.is_whole, probes.counts, 0)
    for size in np.unique(sizes[sizes > 0]).tolist():
        found = []
        for segment in loot.segments:
            if segment.is_encrypted:
                starts = np.arange(0, len(segment.fingerprints) - size + 1, size)
            else:
                bounds = segment.layout.boundaries[:, TEXT_VIEW]
                bounds = np.append(bounds, segment.layout.tokens[TEXT_VIEW])
                starts = bounds[:-1][np.diff(bounds) == size]
            found.append(ranked(segment.fingerprints[starts[:, None] + np.arange(size)]))
        known = np.concatenate(found)
        for number in np.flatnonzero(sizes == size):
            _, own = np.unique(probes.words(number), return_inverse=True)
            apart = np.abs(known - ranked(own[None, :] % 256)).sum(axis=1)
            scores[number] = -apart.min(initial=2 * size)
    return scores


def records(loot: Loot, probes: Probes) -> Scores:
    """Whole documents: their words and bytes, against all that could be a document's record."""
    known: set[tuple[int, int]] = set()
    for segment in loot.segments:
        words = segment.data[: len(segment.data) // 8 * 8].view("<u8")
        tokens, sizes = words[:-5] >> np.uint64(32), words[5:]  # a record's, if one begins here
        possible = (tokens > 0) & (tokens < 1 << 24) & (sizes > 0) & (sizes < 1 << 30)
        known.update(zip(tokens[possible].tolist(), sizes[possible].tolist(), strict=True))
    scores = np.full(len(probes), np.nan)
    for number in np.flatnonzero(probes.is_whole):
        scores[number] = (int(probes.counts[number]), int(probes.sizes[number])) in known
    return scores


def first_eight(text: bytes) -> int:
    return int.from_bytes(text[:8].ljust(8), "little")


def names(loot: Loot, probes: Probes) -> Scores:
    """Ids as they are, by their last bytes too, and hashed, plain and under guessed keys."""
    scores = np.zeros(len(probes))
    ids = [probe.document.id.encode() for probe in probes.items]
    hashes = np.array([_core.xxh3_64(id) for id in ids], np.uint64)
    forms = [
        np.array([first_eight(id) for id in ids], np.uint64),
        np.array([first_eight(id[-8:]) for id in ids], np.uint64),
        hashes,
        *(siphash(key, hashes) for _, key in guesses(loot) if key),
    ]
    for form in forms:
        scores += among(loot.eights, form)
    threes = [loot.threes[sliding(np.frombuffer(id, np.uint8), 3)].mean() for id in ids]
    return scores + np.array(threes)


def function_names(loot: Loot, probes: Probes) -> Scores:
    """Code: names of functions and classes of at least eight letters, as they are."""
    found = [re.findall(r"(?:def|class) (\w{8,})", probe.text) for probe in probes.items]
    counts = np.array([len(one) for one in found])
    forms = np.array([first_eight(name.encode()) for one in found for name in one], np.uint64)
    owners = np.repeat(np.arange(len(probes)), counts)
    hits = np.bincount(owners, among(loot.eights, forms), len(probes))
    return np.where(counts > 0, hits / np.maximum(counts, 1), np.nan)


def content_hashes(loot: Loot, probes: Probes) -> Scores:
    """Whole documents: the hash of the text, plain and under guessed keys; CRC-32 as well."""
    texts = [probe.text.encode() for probe in probes.items]
    hashes = np.array([_core.xxh3_64(text) for text in texts], np.uint64)
    scores = np.zeros(len(probes))
    for _, key in guesses(loot):
        scores += among(loot.eights, hashes if key is None else siphash(key, hashes))
    scores += np.array([zlib.crc32(text) in loot.numbers for text in texts])
    return np.where(probes.is_whole, scores, np.nan)


def repeated_seeds(loot: Loot, probes: Probes) -> Scores:
    """Whole documents: how often their seeds repeat, against how often tags of the tables do.

    The thief indexes all his probes himself, without a key, and sees how often each seed comes in
    each of them. If N seeds of the probes repeat m times in one, and the stolen table has K that
    do, each of them is in the index with odds of about K to N - K.
    """
    scores = np.where(probes.is_whole, 0.0, np.nan)
    for view in range(VIEWS):
        seeds, positions = probes.own_index.entries(view)
        bounds = probes.own_index.layout.boundaries[:, view]
        owners = np.searchsorted(bounds, positions, "right") - 1
        pairs, counts = np.unique(np.stack([owners, seeds]), axis=1, return_counts=True)
        total = Counter(counts.tolist())
        seen: Counter[int] = sum((segment.runs(view) for segment in loot.segments), Counter())
        most = max([*total, *seen, 1])
        odds = np.zeros(most + 1)
        for m in range(2, most + 1):
            odds[m] = math.log((seen[m] + 0.5) / (max(total[m] - seen[m], 0) + 0.5))
        # Each number of times counts once for a document: its seeds are not independent.
        once = np.unique(np.stack([pairs[0], counts]), axis=1)
        own = np.bincount(once[0], odds[once[1]], len(probes))
        scores += own
    return scores


ATTACKS: list[Attack] = [
    seeds_under_guessed_keys,
    spans_of_words,
    repeated_words,
    repeated_words_anywhere,
    histograms,
    records,
    names,
    function_names,
    content_hashes,
    repeated_seeds,
]


def combined(scores: dict[str, Scores], is_member: NDArray[np.bool_]) -> tuple[Scores, Scores]:
    """A logistic regression over all scores: fitted on one half of the probes, made on the other.

    Returns the scores of the members and of the others of that half.
    """
    table = np.column_stack([np.nan_to_num(score) for score in scores.values()])
    asked = np.column_stack([~np.isnan(score) for score in scores.values()])
    table = np.column_stack([table, asked.astype(float)])
    learn = np.arange(len(table)) % 8 < 4  # as many of each kind in both halves
    spread = table[learn].std(axis=0)
    table = (table - table[learn].mean(axis=0)) / np.where(spread > 0, spread, 1)
    table = np.column_stack([np.clip(table, -5, 5), np.ones(len(table))])
    weights = np.zeros(table.shape[1])
    for _ in range(25):  # Newton's steps, with a ridge
        chance = 1 / (1 + np.exp(-np.clip(table[learn] @ weights, -30, 30)))
        slope = table[learn].T @ (is_member[learn] - chance) - weights
        curve = (table[learn] * (chance * (1 - chance))[:, None]).T @ table[learn]
        weights += np.linalg.solve(curve + np.eye(len(weights)), slope)
    made, truth = table[~learn] @ weights, is_member[~learn]
    return made[truth], made[~truth]


# ---- attacks on more than one state of an index --------------------------------------------------


def build(folder: Path, documents: Sequence[Document], key: Key | None, commits: int = 1) -> None:
    """An index of the documents: one segment, or that of each commit."""
    with Index.create(folder, key=key) as index:
        for number in range(commits):
            index.add(documents[number::commits])
            index.commit()
        if commits == 1:
            index.merge()


def recovered(one: Loot, other: Loot, plain: Loot) -> Loot:
    """What two segments under one keystream would tell, with the plain bytes of the second known.

    The thief may know the other index by heart: it is of public texts, or is an earlier state of
    this one. If both were encrypted by the same keystream, the exclusive or of the two with those
    plain bytes is what the first one hides.
    """
    first, second, third = one.segments[0], other.segments[0], plain.segments[0]
    size = min(len(first.data), len(second.data), len(third.data))
    mixed = first.data[:size] ^ second.data[:size] ^ third.data[:size]
    rest = first.data[size:]
    return Loot([replace_data(first, np.concatenate([mixed, rest]))])


def replace_data(segment: Segment, data: Bytes) -> Segment:
    copy = object.__new__(Segment)
    copy.data, copy.told, copy.layout = data, segment.layout, segment.layout
    copy.nonce, copy.key_id, copy.is_encrypted = segment.nonce, segment.key_id, True
    return copy


def changed(document: Document, **other: str) -> Document:
    values = {name: getattr(document, name) for name in ("id", "text", "corpus", "licence")}
    return Document(**{**values, **other})


def other_states(members: list[Document], others: list[Document]) -> dict[str, list[Document]]:
    """Indexes under the same key whose keystream might be that of the members' index."""
    first = members[0]
    one_word = changed(first, text=first.text.replace(" the ", " a ", 1) + " more")
    return {
        "with one word changed": [one_word, *members[1:]],
        "with an id changed": [changed(first, id="x" + first.id[1:]), *members[1:]],
        "with a licence changed": [changed(first, licence="MIT"), *members[1:]],
        "with a document less": members[:-1],
        "in another order": members[::-1],
        "of other documents": others,
    }


def commits_of_one(folder: Path, documents: Sequence[Document], key: Key | None) -> list[Path]:
    """Copies of the folder after each commit of an index that always has one document."""
    states = []
    with Index.create(folder / "index", key=key) as index:
        for number, document in enumerate(documents):
            index.add([Document("document", document.text)])
            index.commit()
            states.append(folder / f"{number}")
            shutil.copytree(folder / "index", states[-1], ignore=shutil.ignore_patterns("LOCK"))
    return states


def size_of_commit(seen: Loot, expected: Loot) -> float:
    """The size of the new file against that of the candidate's own index."""
    return -abs(len(seen.segments[0].data) - len(expected.segments[0].data))


def manifest_of_commit(seen: Loot, expected: Loot) -> float:
    """Numbers in the manifest that the candidate's own index has as well."""
    own, other = (set(re.findall(rb"\d{2,}", loot.manifest)) for loot in (seen, expected))
    return len(own & other)


def seeds_of_commit(seen: Loot, expected: Loot) -> float:
    """How many seeds the buckets tell of, and how often they repeat."""
    one, other = seen.segments[0], expected.segments[0]
    apart = abs(len(one.tags()[0]) - len(other.tags()[0]))  # words: the others lie behind it
    runs = sum(abs(one.runs()[m] - other.runs()[m]) for m in {*one.runs(), *other.runs()} if m > 1)
    return -apart - runs


def places_of_seeds(segment: Segment) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each entry of the text view's table, between which seeds its bucket and tag put it."""
    shape = segment.shape()
    homes, tags = segment.tags()
    step = 2.0 ** (shape.width - 8) / (shape.positions + 1)  # seeds of one home that share a tag
    first = homes * (2.0**SEED_BITS / shape.buckets)
    return first + tags * step - 1, first + (tags + 1.0) * step + 1


def near(one: Segment, other: Segment) -> NDArray[np.bool_]:
    """Which entries of the first table may be of a seed that the second one has."""
    low, high = places_of_seeds(one)
    others, ends = places_of_seeds(other)
    if not len(others):
        return np.zeros(len(low), np.bool_)
    at = np.searchsorted(others, high) - 1  # both ends grow from entry to entry
    return (at >= 0) & (ends[np.maximum(at, 0)] >= low)


COMMIT_ATTACKS = [size_of_commit, manifest_of_commit, seeds_of_commit]

# ---- figures -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Area:
    """An area under the ROC curve with its 95 % interval, and how many probes it is of."""

    value: float
    low: float
    high: float
    probes: int

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f}-{self.high:.4f})"


def area(members: Scores, others: Scores) -> Area:
    """E. R. DeLong et al., "Comparing the areas under two or more correlated ROC curves", 1988."""

    def above(scores: Scores, than: Scores) -> Scores:
        ordered = np.sort(than)
        low = np.searchsorted(ordered, scores, "left")
        return (low + np.searchsorted(ordered, scores, "right")) / (2 * len(than))

    of_members, of_others = above(members, others), 1 - above(others, members)
    value = float(of_members.mean())
    error = math.sqrt(of_members.var() / len(members) + of_others.var() / len(others))
    low, high = max(value - 1.96 * error, 0.0), min(value + 1.96 * error, 1.0)
    return Area(value, low, high, len(members) + len(others))


def split(scores: Scores, is_member: NDArray[np.bool_]) -> tuple[Scores, Scores]:
    known = ~np.isnan(scores)
    return scores[known & is_member], scores[known & ~is_member]


def sentence(attack: Callable[..., object]) -> str:
    return (attack.__doc__ or "").strip().split("\n")[0].rstrip(".")


THIEF = "A thief who has the index"
WATCHER = "A thief who has it from before and after a commit of one document: is it this one?"
INSIDER = "A thief who also has a document of his own indexed under the key, and that index"


@dataclass(frozen=True)
class Row:
    """One attack, on an index without a key and on one with a key, and who can make it."""

    who: str
    attack: str
    plain: Area
    keyed: Area

    @property
    def can_tell(self) -> bool:
        """Whether it succeeds where it must; if not, its failure elsewhere shows nothing."""
        return self.plain.low > 0.55


def on_one_state(work: Path, probes: Probes) -> Iterator[Row]:
    members = [probe.document for probe in probes.items if probe.is_member]
    build(work / "plain", members, None)
    build(work / "keyed", members, SECRET)
    plain = Loot.of(work / "plain")
    loots = plain, Loot.of(work / "keyed", plain)
    scores: list[dict[str, Scores]] = [{}, {}]
    for attack in ATTACKS:
        for loot, own in zip(loots, scores, strict=True):
            own[attack.__name__] = attack(loot, probes)
        asked = ~np.isnan(scores[0][attack.__name__])
        if min(np.sum(asked & probes.is_member), np.sum(asked & ~probes.is_member)) < 20:
            continue  # too few probes are of the kind it is for
        areas = [area(*split(own[attack.__name__], probes.is_member)) for own in scores]
        yield Row(THIEF, sentence(attack), *areas)
    areas = [area(*combined(own, probes.is_member)) for own in scores]
    yield Row(THIEF, "All of these, by a regression fitted on half of the probes", *areas)


def on_two_states(work: Path, probes: Probes) -> Iterator[Row]:
    members = [probe.document for probe in probes.items if probe.is_member]
    others = [probe.document for probe in probes.items if not probe.is_member]
    plain = Loot.of(work / "plain")
    keyed = Loot.of(work / "keyed", plain)
    for name, documents in other_states(members, others).items():
        for kind, key in (("plain", None), ("keyed", SECRET)):
            build(work / f"{kind} 2", documents, key)
        known = Loot.of(work / "plain 2")
        areas = []
        for one, other in ((plain, known), (keyed, Loot.of(work / "keyed 2", known))):
            mixed = recovered(one, other, known)
            score = names(mixed, probes) + spans_of_words(mixed, probes)
            areas.append(area(*split(score, probes.is_member)))
        yield Row(THIEF, f"Two indexes combined, the other {name}: ids and lengths", *areas)
        for kind in ("plain", "keyed"):
            shutil.rmtree(work / f"{kind} 2")


def on_commits(work: Path, probes: Probes, trials: int) -> Iterator[Row]:
    """Each of the first members is committed alone; is it this one or another?"""
    members = [probe.document for probe in probes.items if probe.is_member][:trials]
    others = [probe.document for probe in probes.items if not probe.is_member][:trials]
    folders = {}
    for name, documents, key in (
        ("expected", [*members, *others], None),
        ("plain", members, None),
        ("keyed", members, SECRET),
    ):
        (work / name).mkdir()
        folders[name] = commits_of_one(work / name, documents, key)
    expected = [Loot.of(folder) for folder in folders["expected"]]
    for attack in COMMIT_ATTACKS:
        areas = []
        for name in ("plain", "keyed"):
            scores = [
                [
                    attack(Loot.of(folder, candidate), candidate)
                    for folder, candidate in zip(folders[name], candidates, strict=True)
                ]
                for candidates in (expected[: len(members)], expected[len(members) :])
            ]
            areas.append(area(np.array(scores[0]), np.array(scores[1])))
        yield Row(WATCHER, sentence(attack), *areas)


def on_own_documents(work: Path, state: Path, probes: Probes, trials: int) -> Iterator[Row]:
    """The thief has the probes put, one by one, into an index of his own under the owner's key.

    What its table has more than before are the seeds of that probe, as buckets and tags tell them,
    to be looked up in the table of the stolen index. Whoever can do this is more than a thief.
    """
    asked = [probe for probe in probes.items if probe.is_whole and probe.is_member][:trials]
    asked += [probe for probe in probes.items if probe.is_whole and not probe.is_member][:trials]
    # Texts of neither, so that his index resolves seeds as finely as the stolen one.
    known = {probe.document.id for probe in asked}
    base = [p.document for p in probes.items if not p.is_member and p.document.id not in known]
    plain = Loot.of(state / "plain")
    stolen = {"plain": plain, "keyed": Loot.of(state / "keyed", plain)}
    areas = []
    for kind, key in (("plain", None), ("keyed", SECRET)):
        scores = []
        own = work / kind
        build(own, base, key)
        build(work / f"{kind} twin", base, None)
        with (
            Index.open(own, key=key or "default", writable=True) as index,
            Index.open(work / f"{kind} twin", writable=True) as twin,
        ):
            before = Loot.of(own, Loot.of(work / f"{kind} twin")).segments[0]
            for probe in asked:
                for each in (index, twin):
                    each.add([Document("document", probe.text)])
                    each.merge()
                after = Loot.of(own, Loot.of(work / f"{kind} twin")).segments[0]
                new = ~near(after, before)
                found = near(after, stolen[kind].segments[0])[new]
                scores.append(float(found.mean()) if len(found) else 0.0)
        truth = np.array([probe.is_member for probe in asked])
        areas.append(area(*split(np.array(scores), truth)))
    yield Row(INSIDER, "The seeds that came with his copy of the probe, looked up", *areas)


def measure(work: Path, probes: Probes, trials: int) -> Iterator[Row]:
    """The rows of all attacks, as they are made."""
    state = work / "state"
    state.mkdir()
    yield from on_one_state(state, probes)
    yield from on_two_states(state, probes)
    commits = work / "commits"
    commits.mkdir()
    yield from on_commits(commits, probes, trials)
    own = work / "own"
    own.mkdir()
    yield from on_own_documents(own, state, probes, min(trials, 50))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("texts", nargs="*", type=Path, help="more texts to draw documents from")
    parser.add_argument("--probes", type=int, default=10_000)
    parser.add_argument("--words", type=int, nargs=2, default=(60, 250), help="of a document")
    parser.add_argument("--commits", type=int, default=1000, help="of one document each")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    paths = [ROOT / "tests/data/books", Path(sysconfig.get_path("stdlib")), *options.texts]
    probes = Probes(draw(paths, options.probes, tuple(options.words), options.seed))
    code = sum(probe.document.id.endswith(".py") for probe in probes.items)
    print(
        f"{len(probes):,} probes of {probes.counts.mean():.0f} words, {code:,} of them Python; "
        "half of them in the index, half of them whole documents. AUC (95 % interval):\n"
    )
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as work:
        for row in measure(Path(work), probes, options.commits):
            if not rows or rows[-1].who != row.who:
                print(f"\n{row.who}\n\n| attack | probes | without key | with the key |")
                print("|---|---|---|---|")
            rows.append(row)
            attack = row.attack + ("" if row.can_tell else " (fails without key: shows nothing)")
            cells = (attack, f"{row.plain.probes:,}", row.plain, row.keyed)
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
    alone = [row for row in rows if row.who == THIEF and row.can_tell]
    best = max(alone, key=lambda row: abs(row.keyed.value - 0.5))
    print(f"\nThe best attack on an index with a key: {best.attack}: {best.keyed}")


if __name__ == "__main__":
    main()
