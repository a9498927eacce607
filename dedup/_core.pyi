"""Types of the compiled core; csrc/bindings.cpp mirrors this file line for line."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

# ---- hashes and signatures

def avx2() -> bool: ...
def sha_ni() -> bool: ...
def xxh32(data: bytes, seed: int = 0) -> int: ...
def xxh64(data: bytes, seed: int = 0) -> int: ...
def xxh3_64(data: bytes, seed: int = 0) -> int: ...
@overload
def siphash(key: bytes, data: bytes) -> int: ...
@overload
def siphash(key: bytes, word: int) -> int: ...
def siphash_all(
    key: bytes, words: NDArray[np.uint64], portable: bool = False
) -> NDArray[np.uint64]: ...
def fmix32(hashes: NDArray[np.uint32]) -> NDArray[np.uint32]: ...
def fmix64(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]: ...
def token_hashes(
    tokens: Sequence[str | bytes], token_hash: str, portable: bool = False
) -> NDArray[np.uint64]: ...
def word_shingle_hashes(
    texts: Sequence[str | bytes],
    shingle_size: int,
    token_hash: str,
    table: NDArray[np.uint32],
    portable: bool = False,
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]: ...
def shingle_hashes(tokens: NDArray[np.uint64], shingle_size: int) -> NDArray[np.uint64]: ...
def affine32(
    hashes: NDArray[np.uint32],
    offsets: NDArray[np.uint64],
    a: NDArray[np.uint32],
    b: NDArray[np.uint32],
    portable: bool = False,
) -> NDArray[np.uint32]: ...
def affine64(
    hashes: NDArray[np.uint64],
    offsets: NDArray[np.uint64],
    a: NDArray[np.uint64],
    b: NDArray[np.uint64],
    portable: bool = False,
) -> NDArray[np.uint64]: ...
def legacy(
    hashes: NDArray[np.uint32],
    offsets: NDArray[np.uint64],
    a: NDArray[np.uint64],
    b: NDArray[np.uint64],
    portable: bool = False,
) -> NDArray[np.uint32]: ...
def text_signatures(
    texts: Sequence[str | bytes],
    shingle_size: int,
    a: NDArray[np.uint32],
    b: NDArray[np.uint32],
    portable: bool = False,
) -> NDArray[np.uint32]: ...
@overload
def band_keys(signatures: NDArray[np.uint32], bands: int, rows: int) -> NDArray[np.uint64]: ...
@overload
def band_keys(signatures: NDArray[np.uint64], bands: int, rows: int) -> NDArray[np.uint64]: ...

# ---- tokens

def tokenize(
    text: str | bytes, portable: bool = False
) -> tuple[NDArray[np.uint64], NDArray[np.uint32], NDArray[np.uint32]]: ...
def tokenize_batch(
    texts: Sequence[str | bytes],
) -> tuple[NDArray[np.uint64], NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint64]]: ...
def normalised_tokens(text: str | bytes) -> list[str]: ...
def unicode_version() -> str: ...

# ---- readings

class Vocabulary:
    def __init__(self, words: Sequence[str | bytes]) -> None: ...
    def knows(self, normalised: str) -> bool: ...

def read_as(
    stage: Literal["rendered", "decoded", "deciphered", "respelled", "thinned"],
    text: str | bytes,
    vocabulary: Vocabulary,
) -> tuple[str, NDArray[np.uint32]] | None: ...

# ---- lexemes

class Lexemes:
    classes: NDArray[np.uint8]
    symbols: NDArray[np.uint64]
    raws: NDArray[np.uint64]
    starts: NDArray[np.uint32]
    ends: NDArray[np.uint32]
    def __init__(self) -> None: ...
    def __len__(self) -> int: ...
    def relocate(self, offsets: NDArray[np.uint32]) -> None: ...
    def shift(self, by: int) -> None: ...
    def extend(self, other: Lexemes) -> None: ...

def lex(text: str | bytes, language: str = "") -> Lexemes: ...
def lex_chunks(chunks: Sequence[str | bytes], language: str = "") -> Lexemes: ...
def syntax_lexemes(
    text: str | bytes,
    classes: NDArray[np.uint8],
    symbols: NDArray[np.uint64],
    starts: NDArray[np.uint32],
    ends: NDArray[np.uint32],
) -> Lexemes: ...

# ---- segments, search

class Scheme:
    tile_size: int
    tile_stride: int
    gapped_shape: int
    gapped_stride: int
    window_size: int
    window_stride: int
    shingle_size: int
    bands: int
    rows: int
    least_distinct: int
    guaranteed_tokens: int
    def __init__(
        self,
        *,
        tile_size: int = ...,
        tile_stride: int = ...,
        gapped_shape: int = ...,
        gapped_stride: int = ...,
        window_size: int = ...,
        window_stride: int = ...,
        shingle_size: int = ...,
        bands: int = ...,
        rows: int = ...,
        least_distinct: int = ...,
    ) -> None: ...
    @staticmethod
    def code() -> Scheme: ...
    @staticmethod
    def ast() -> Scheme: ...

class StorageLock:
    def release(self) -> None: ...

class Storage:
    def __init__(self, hook: Callable[[str, str, Any], int | None] | None = None) -> None: ...
    def read(self, path: str, limit: int) -> bytes: ...
    def write(self, path: str, data: bytes) -> None: ...
    def rename(self, source: str, target: str) -> None: ...
    def sync_folder(self, path: str) -> None: ...
    def remove(self, path: str) -> None: ...
    def list(self, path: str) -> list[str]: ...
    def make_folder(self, path: str) -> None: ...
    def exists(self, path: str) -> bool: ...
    def lock(self, path: str) -> StorageLock | None: ...

class SegmentSummary:
    name: str
    bytes: int
    documents: int
    tokens: int
    seeds: int

def key_id(key: bytes | None) -> int: ...
def content_hash(text: str | bytes, key: bytes | None) -> int: ...

Unit = tuple[str, int, int, int, int, int, int]

class SegmentWriter:
    tokens: int
    documents: int
    memory_bytes: int
    def __init__(
        self, schemes: list[Scheme], key: bytes | None, storage: Storage | None = None
    ) -> None: ...
    def add(
        self,
        text: str | bytes,
        id: str,
        corpus: str,
        licence: str,
        owner: str,
        url: str,
        expires: int = 0,
        language: str = "",
        code: Lexemes | None = None,
        ast: Lexemes | None = None,
        units: Sequence[Unit] = (),
    ) -> int: ...
    def content_hash(self, text: str | bytes) -> int: ...
    def write(self, folder: str, temporary: str = "segment") -> SegmentSummary: ...

class Segment:
    path: str
    schemes: list[Scheme]
    key_id: int
    summary: SegmentSummary
    tokens: list[int]
    is_filtered: list[bool]
    def __init__(
        self, path: str, key: bytes | None = None, storage: Storage | None = None
    ) -> None: ...
    @staticmethod
    def key_id_of(path: str, storage: Storage | None = None) -> int: ...
    def verify(self) -> None: ...
    def document(
        self, index: int
    ) -> tuple[str, str, str, str, str, str, int, int, int, int, int, int, int]: ...
    def corpora(self, dead: bytes) -> dict[str, tuple[int, int]]: ...
    def find_id(self, id: str) -> list[int]: ...
    def shared_ids(self, other: Segment) -> list[tuple[int, int]]: ...
    def expired(self, day: int) -> list[int]: ...
    def next_expiry(self, day: int) -> int: ...

def merge_segments(
    segments: list[Segment],
    dead: list[bytes],
    key: bytes | None,
    folder: str,
    name: str = "",
    storage: Storage | None = None,
) -> SegmentSummary: ...

# ---- kernels of the search

def query_seeds(
    text: str | bytes, scheme: Scheme, lexemes: bool = False, portable: bool = False
) -> NDArray[np.uint64]: ...
def single_seeds(
    text: str | bytes, scheme: Scheme, lexemes: bool = False
) -> NDArray[np.uint64]: ...
def window_minima(
    text: str | bytes, scheme: Scheme, stride: int, portable: bool = False
) -> NDArray[np.uint32]: ...
def screen(
    query: bytes, document: bytes, q: int, d: int, reach: int, portable: bool = False
) -> tuple[bool, int, int]: ...
def align(
    query: bytes,
    document: bytes,
    q: int,
    d: int,
    cost: int,
    portable: bool = False,
    gain: int = 2,
    extra: int = -1,
) -> tuple[int, list[tuple[int, int, int]], bool, bool]: ...

class Found:
    view: int
    segment: int
    document: int
    query_start: int
    query_end: int
    document_start: int
    document_end: int
    tokens: int
    document_tokens: int
    matched: int
    run: int
    columns: int
    containment: float
    sources: int
    owners: int
    supplied: bool
    same: int
    same_run: int
    names: int
    renamed: int
    consistency: float
    telling: int
    distinct: int
    undone: tuple[str, ...]
    unit: str
    first_line: int
    last_line: int

class Hit:
    view: int
    segment: int
    token: int
    start: int
    clue: str
    postings: int
    is_common: bool
    bits: float

class Place:
    view: int
    segment: int
    document: int
    token: int
    start: int
    clue: str
    fate: str
    score: int
    needed: int

class Passage:
    view: int
    segment: int
    document: int
    start: int
    end: int
    tokens: int
    matched: int
    parts: int
    score: int
    needed: int
    distinct: int
    needed_distinct: int
    outcome: str

class TracedSeeds:
    tokens: int
    made: int
    held: int
    gate: float

class TracedReading:
    undone: tuple[str, ...]
    matches: int

class Trace:
    seeds: list[TracedSeeds]
    readings: list[TracedReading]
    hits: list[Hit]
    places: list[Place]
    passages: list[Passage]
    all_hits: int
    all_places: int
    all_passages: int

class Supply: ...

class Searcher:
    has_code: bool
    vocabulary: Vocabulary
    def __init__(self, segments: list[Segment], dead: list[bytes], key: bytes | None) -> None: ...
    def search(
        self,
        text: str | bytes,
        supply: Supply | None = None,
        ast: Lexemes | None = None,
        units: Sequence[Unit] = (),
    ) -> list[Found]: ...
    def explain(
        self,
        text: str | bytes,
        supply: Supply | None = None,
        ast: Lexemes | None = None,
        units: Sequence[Unit] = (),
    ) -> Trace: ...
    def is_disguised(self, text: str | bytes) -> bool: ...
    def has_fillers(self, text: str | bytes) -> bool: ...
    def without_fillers(self, text: str | bytes) -> list[tuple[str, NDArray[np.uint32]]]: ...
    def supply(self, prompt: str | bytes) -> Supply: ...
    def search_batch(
        self,
        texts: Sequence[str],
        parsed: Sequence[tuple[Lexemes | None, Sequence[Unit]]] = (),
        threads: int = 1,
    ) -> list[list[Found]]: ...

class StreamSearch:
    certain: int
    def __init__(self, searchers: Sequence[Searcher]) -> None: ...
    def feed(self, text: str | bytes) -> None: ...
    def finish(self) -> None: ...
    def start_of(self, token: int) -> int: ...
    def next(self, until: int = 0, until_byte: int = 0) -> tuple[bool, int, int, int] | None: ...

# ---- what repeats in a corpus

def print_texts(
    texts: NDArray[np.uint8],
    offsets: NDArray[np.uint64],
    min_tokens: int,
    gram_tokens: int,
    shingle_size: int,
    rows: int,
    a: NDArray[np.uint32],
    b: NDArray[np.uint32],
) -> tuple[
    NDArray[np.uint32],
    NDArray[np.uint64],
    NDArray[np.uint64],
    NDArray[np.uint64],
    NDArray[np.uint32],
    NDArray[np.uint32],
]: ...
def equal_groups(hashes: NDArray[np.uint64]) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]: ...
def bucket_groups(
    hashes: NDArray[np.uint64], buckets: int
) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]: ...
def find_windows(
    texts: NDArray[np.uint8],
    offsets: NDArray[np.uint64],
    tokens: NDArray[np.uint32],
    starts: NDArray[np.uint32],
    counts: NDArray[np.uint32],
    min_tokens: int,
) -> tuple[NDArray[np.uint64], NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]]: ...
def group_windows(
    hashes: NDArray[np.uint64],
    at: NDArray[np.uint32],
    before: NDArray[np.uint32],
    after: NDArray[np.uint32],
    is_dropped: NDArray[np.uint8],
    by: NDArray[np.uint64],
    max_copies: int,
) -> tuple[
    NDArray[np.uint32],
    NDArray[np.uint8],
    NDArray[np.uint32],
    NDArray[np.uint64],
    NDArray[np.uint32],
    NDArray[np.uint64],
    NDArray[np.uint64],
    NDArray[np.uint64],
]: ...
def find_passages(
    tokens: NDArray[np.uint32],
    at: NDArray[np.uint32],
    flags: NDArray[np.uint8],
    counts: NDArray[np.uint32],
    shapes: NDArray[np.uint64],
    min_tokens: int,
    with_variants: bool = False,
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]]: ...
def find_spans(
    texts: NDArray[np.uint8],
    offsets: NDArray[np.uint64],
    numbers: NDArray[np.uint32],
    starts: NDArray[np.uint32],
    counts: NDArray[np.uint32],
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint64]]: ...
def jaccards(
    texts: Sequence[str | bytes],
    left: NDArray[np.uint32],
    right: NDArray[np.uint32],
    shingle_size: int,
) -> NDArray[np.float64]: ...
