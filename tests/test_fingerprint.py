"""Signatures: equal to datasketch's where they say so, and estimates of the Jaccard similarity."""

import builtins
import random
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import datasketch
import numpy as np
import oracle
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup import _core
from dedup.errors import SchemeMismatch
from dedup.fingerprint import (
    Signature,
    SignatureScheme,
    from_datasketch,
    signature,
    signature_of_tokens,
    signatures,
    signatures_of_tokens,
    to_datasketch,
    to_lean,
)

# Every scheme of datasketch with every hash it goes with, and the hash as datasketch takes it.
DATASKETCH = [
    ("affine32", "sha1", None),
    ("affine32", "xxh32", xxhash.xxh32_intdigest),
    ("affine64", "sha1", None),
    ("affine64", "xxh64", xxhash.xxh64_intdigest),
    ("legacy", "sha1", None),
    ("legacy", "xxh32", xxhash.xxh32_intdigest),
]
NAMES = ["dedup32", "affine32", "affine64", "legacy"]
TOKENS = st.lists(st.binary(max_size=80), max_size=40)
TEXTS = st.lists(st.sampled_from(["the", "quick", "Fox_2", "DOG", "déjà", "-"])).map(" ".join)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


def minhash(
    tokens: Sequence[bytes], name: str, hashfunc: Any = None, num_perm: int = 128, seed: int = 1
) -> datasketch.MinHash:
    made = datasketch.MinHash(num_perm=num_perm, seed=seed, hashfunc=hashfunc, scheme=name)
    made.update_batch(tokens)
    return made


def words(count: int, seed: int) -> list[str]:
    drawn = random.Random(seed)
    return [f"w{drawn.randrange(10**9)}" for _ in range(count)]


@pytest.mark.parametrize(("name", "token_hash", "hashfunc"), DATASKETCH)
@given(
    tokens=TOKENS,
    num_perm=st.sampled_from([1, 7, 8, 31, 32, 33, 64, 100, 128, 130]),
    seed=st.sampled_from([0, 1, 42, 2**32 - 1]),
)
@settings(max_examples=60)
def test_token_signature_is_bit_identical_to_datasketch(
    name: Any, token_hash: Any, hashfunc: Any, tokens: list[bytes], num_perm: int, seed: int
) -> None:
    scheme = SignatureScheme(name, num_perm=num_perm, seed=seed, token_hash=token_hash)
    expected = minhash(tokens, name, hashfunc, num_perm, seed).hashvalues
    made = signature_of_tokens(tokens, scheme)
    assert made.values.dtype == expected.dtype
    assert np.array_equal(made.values, expected)


@pytest.mark.parametrize(("name", "token_hash", "hashfunc"), DATASKETCH)
@given(text=ANY_TEXT | TEXTS, shingle_size=st.integers(1, 6))
@settings(max_examples=60)
def test_text_signature_is_bit_identical_to_datasketch_of_its_word_shingles(
    name: Any, token_hash: Any, hashfunc: Any, text: str, shingle_size: int
) -> None:
    scheme = SignatureScheme(name, shingle_size=shingle_size, token_hash=token_hash)
    shingles = [shingle.encode() for shingle in oracle.word_shingles(text, shingle_size)]
    expected = minhash(shingles, name, hashfunc).hashvalues
    assert np.array_equal(signature(text, scheme).values, expected)
    assert np.array_equal(signature(text.encode(), scheme).values, expected)


def test_words_of_every_code_point_are_those_of_python() -> None:
    scheme = SignatureScheme("affine32", num_perm=2, token_hash="xxh32")
    # Between two letters, so that it matters whether it joins or parts them: one shingle a text.
    texts = [f"a{chr(code)}Z" for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    texts = texts[:0x24000] + texts[0x24000::97]
    made = signatures(texts, scheme).values
    shingles = [oracle.word_shingles(text, scheme.shingle_size) for text in texts]
    expected = signatures_of_tokens(shingles, scheme).values
    assert [text for text, row in zip(texts, made == expected, strict=True) if not row.all()] == []


@pytest.mark.parametrize(
    "malformed",
    [
        b"\xff",
        b"\xc3",
        b"\xe2\x80",
        b"\x80",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf5\x80\x80\x80",
        b"\xf8",
    ],
)
def test_words_of_bytes_that_are_not_utf8_are_refused(malformed: bytes) -> None:
    with pytest.raises(ValueError, match="utf-8"):
        signature(b"words " + malformed + b" words", SignatureScheme("affine32"))


@pytest.mark.parametrize("name", ["affine32", "affine64", "legacy"])
def test_large_token_set_is_bit_identical_to_datasketch(name: Any) -> None:
    tokens = [word.encode() for word in words(10_000, seed=5)]
    made = signature_of_tokens(tokens, SignatureScheme(name))
    assert np.array_equal(made.values, minhash(tokens, name).hashvalues)


@pytest.mark.parametrize("name", ["affine32", "affine64", "legacy"])
def test_str_tokens_count_as_their_utf8(name: Any) -> None:
    tokens = ["naïve", "中文", "x" * 500, ""]
    scheme = SignatureScheme(name)
    encoded = [token.encode() for token in tokens]
    assert np.array_equal(
        signature_of_tokens(tokens, scheme).values, signature_of_tokens(encoded, scheme).values
    )


@pytest.mark.parametrize("name", ["affine32", "affine64", "legacy"])
def test_datasketch_empty_set_is_ours(name: Any) -> None:
    scheme = SignatureScheme(name)
    empty = signature_of_tokens([], scheme)
    assert to_datasketch(empty).is_empty()
    assert empty.is_empty
    assert np.array_equal(empty.values, datasketch.MinHash(scheme=name).hashvalues)


@pytest.mark.parametrize(("name", "token_hash", "hashfunc"), DATASKETCH)
def test_minhash_round_trips_and_can_be_updated_further(
    name: Any, token_hash: Any, hashfunc: Any
) -> None:
    scheme = SignatureScheme(name, num_perm=64, seed=3, token_hash=token_hash)
    made = signature_of_tokens([b"a", b"b"], scheme)
    converted = to_datasketch(made)
    assert converted == minhash([b"a", b"b"], name, hashfunc, 64, 3)
    back = from_datasketch(converted)
    assert back.scheme == scheme
    assert np.array_equal(back.values, made.values)
    converted.update(b"c")
    assert np.array_equal(
        converted.hashvalues, signature_of_tokens([b"a", b"b", b"c"], scheme).values
    )


@pytest.mark.parametrize("name", ["affine32", "affine64", "legacy"])
def test_lean_minhash_has_the_same_bytes_and_round_trips(name: Any) -> None:
    scheme = SignatureScheme(name, num_perm=100, seed=9)
    tokens = [b"one", b"two", b"three"]
    lean = to_lean(signature_of_tokens(tokens, scheme))
    theirs = datasketch.LeanMinHash(minhash(tokens, name, None, 100, 9))
    ours_bytes, their_bytes = bytearray(lean.bytesize()), bytearray(theirs.bytesize())
    lean.serialize(ours_bytes)
    theirs.serialize(their_bytes)
    assert ours_bytes == their_bytes
    back = from_datasketch(datasketch.LeanMinHash.deserialize(their_bytes))
    assert back.scheme == scheme
    assert np.array_equal(back.values, signature_of_tokens(tokens, scheme).values)


def test_converted_signature_is_found_by_the_lsh_of_datasketch() -> None:
    scheme = SignatureScheme("affine32")
    text = " ".join(words(200, seed=1))
    lsh = datasketch.MinHashLSH(threshold=0.7)
    lsh.insert("stored", to_datasketch(signature(text, scheme)))
    edited = text.rsplit(" ", 1)[0]
    assert lsh.query(to_lean(signature(edited, scheme))) == ["stored"]


def test_from_datasketch_refuses_a_hash_it_cannot_name() -> None:
    made = minhash([b"a"], "affine32", lambda token: len(token))
    with pytest.raises(ValueError, match="say so with token_hash="):
        from_datasketch(made)
    assert from_datasketch(made, token_hash="xxh32").scheme.token_hash == "xxh32"


def test_from_datasketch_refuses_a_hash_that_contradicts_the_minhash() -> None:
    with pytest.raises(SchemeMismatch, match="token_hash=xxh32 was passed, but the MinHash uses"):
        from_datasketch(minhash([b"a"], "affine32"), token_hash="xxh32")


def test_dedup32_cannot_become_a_datasketch_object() -> None:
    with pytest.raises(SchemeMismatch, match="datasketch has no scheme dedup32"):
        to_datasketch(signature("some words"))


def test_absent_datasketch_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without_datasketch(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("datasketch"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_datasketch)
    with pytest.raises(ImportError, match=r"pip install 'dedup\[datasketch\]'"):
        to_lean(signature("some words", SignatureScheme("affine32")))


def test_importing_fingerprint_does_not_import_datasketch() -> None:
    program = "import sys, dedup.fingerprint; sys.exit('datasketch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


@given(
    hashes=st.lists(st.integers(0, 2**64 - 1), max_size=30),
    num_perm=st.integers(1, 70),
    drawn=st.randoms(use_true_random=False),
)
def test_kernels_equal_the_oracle_in_both_bodies(
    hashes: list[int], num_perm: int, drawn: random.Random
) -> None:
    a64 = [drawn.getrandbits(64) for _ in range(num_perm)]
    b64 = [drawn.getrandbits(64) for _ in range(num_perm)]
    a61 = [a % oracle.MERSENNE_61 for a in a64]
    b61 = [b % oracle.MERSENNE_61 for b in b64]
    a32, b32 = [a >> 32 for a in a64], [b >> 32 for b in b64]
    low = [h & oracle.MASK_32 for h in hashes]
    bounds = np.array([0, len(hashes)], dtype=np.uint64)

    def array(values: list[int], dtype: Any) -> Any:
        return np.array(values, dtype=dtype)

    for portable in (False, True):
        made32 = _core.affine32(
            array(low, "u4"), bounds, array(a32, "u4"), array(b32, "u4"), portable
        )
        assert made32[0].tolist() == oracle.affine(low, a32, b32, 32)
        made64 = _core.affine64(
            array(hashes, "u8"), bounds, array(a64, "u8"), array(b64, "u8"), portable
        )
        assert made64[0].tolist() == oracle.affine(hashes, a64, b64, 64)
        old = _core.legacy(array(low, "u4"), bounds, array(a61, "u8"), array(b61, "u8"), portable)
        assert old[0].tolist() == oracle.legacy(low, a61, b61)


def test_legacy_reduces_products_at_the_modulus_exactly() -> None:
    # With h = 0 the slot is b itself: p and the values that fold onto it, on either side.
    edges = [
        (multiple * oracle.MERSENNE_61 + step) & oracle.MASK_64
        for multiple in range(9)
        for step in range(-3, 4)
    ]
    a, b = np.zeros(len(edges), np.uint64), np.array(edges, np.uint64)
    bounds = np.array([0, 1], np.uint64)
    for portable in (False, True):
        made = _core.legacy(np.zeros(1, np.uint32), bounds, a, b, portable)
        assert made[0].tolist() == [b % oracle.MERSENNE_61 % 2**32 for b in edges]


@pytest.mark.parametrize("count", [2047, 2048, 2049, 10_000])
def test_bodies_agree_on_sets_longer_than_a_tile(count: int) -> None:
    drawn = np.random.default_rng(count)
    hashes = drawn.integers(0, 2**64, count, np.uint64)
    a, b = drawn.integers(0, 2**64, (2, 130), np.uint64)
    bounds = np.array([0, count], np.uint64)
    low, a32, b32 = hashes.astype(np.uint32), a.astype(np.uint32), b.astype(np.uint32)
    a61, b61 = a >> np.uint64(3), b >> np.uint64(3)
    assert np.array_equal(
        _core.affine32(low, bounds, a32, b32), _core.affine32(low, bounds, a32, b32, True)
    )
    assert np.array_equal(
        _core.affine64(hashes, bounds, a, b), _core.affine64(hashes, bounds, a, b, True)
    )
    assert np.array_equal(
        _core.legacy(low, bounds, a61, b61), _core.legacy(low, bounds, a61, b61, True)
    )


@given(st.lists(st.text(max_size=150).map(lambda text: text.encode("utf-8", "ignore"))))
def test_token_hashes_equal_their_definitions_in_both_bodies(tokens: list[bytes]) -> None:
    for portable in (False, True):
        sha1 = _core.token_hashes(tokens, "sha1", portable)
        assert sha1.tolist() == [oracle.sha1_64(token) for token in tokens]
    assert _core.token_hashes(tokens, "xxh32").tolist() == [
        xxhash.xxh32_intdigest(token) for token in tokens
    ]
    assert _core.token_hashes(tokens, "xxh64").tolist() == [
        xxhash.xxh64_intdigest(token) for token in tokens
    ]


@given(st.lists(st.integers(0, 2**64 - 1), max_size=40), st.integers(1, 9))
def test_shingle_hash_depends_on_its_own_tokens_alone(tokens: list[int], size: int) -> None:
    whole = _core.shingle_hashes(np.array(tokens, np.uint64), size).tolist()
    assert whole == oracle.shingle_hashes(tokens, size)
    # So that a text cut into chunks gives the same: each shingle is that of its window.
    for start, shingle in enumerate(whole):
        window = np.array(tokens[start : start + size], np.uint64)
        assert _core.shingle_hashes(window, size).tolist() == [shingle]


def test_shingle_hash_tells_order_and_repeats_apart() -> None:
    windows = [[1, 2, 3], [2, 1, 3], [3, 2, 1], [1, 1, 1], [2, 2, 2], [0, 0, 0], [1, 1, 2]]
    made = [_core.shingle_hashes(np.array(window, np.uint64), 3)[0] for window in windows]
    assert len(set(made)) == len(windows)


def test_shingle_hashes_are_spread_over_their_bits() -> None:
    tokens = np.array([xxhash.xxh3_64_intdigest(b"%d" % i) for i in range(20_000)], np.uint64)
    shingles = _core.shingle_hashes(tokens, 5)
    ones = [int(((shingles >> np.uint64(bit)) & np.uint64(1)).sum()) for bit in range(64)]
    # Half of n, give or take six standard errors of sqrt(n) / 2.
    assert all(abs(count - len(shingles) / 2) < 3 * len(shingles) ** 0.5 for count in ones)


def test_text_signature_is_that_of_its_rolled_token_hashes() -> None:
    text = "The quick brown fox jumps over the lazy dog"
    tokens = [xxhash.xxh3_64_intdigest(word.lower().encode()) for word in text.split()]
    low = [shingle & oracle.MASK_32 for shingle in oracle.shingle_hashes(tokens, 5)]
    drawn = np.random.RandomState(1)
    a = drawn.randint(0, 2**31, 128, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    b = drawn.randint(0, 2**32, 128, dtype=np.uint32)
    assert signature(text).values.tolist() == oracle.affine(low, a.tolist(), b.tolist(), 32)
    assert np.array_equal(
        _core.text_signatures([text], 5, a, b, True), _core.text_signatures([text], 5, a, b)
    )


@pytest.mark.parametrize("name", NAMES)
def test_batch_equals_one_at_a_time(name: Any) -> None:
    scheme = SignatureScheme(name)
    texts = ["", "one", "two words", " ".join(words(300, 2)), "naïve café", b"bytes too", ""]
    batch = signatures(texts, scheme)
    assert batch.values.shape == (len(texts), 128)
    for made, text in zip(batch, texts, strict=True):
        assert np.array_equal(made.values, signature(text, scheme).values)
    assert signatures([], scheme).values.shape == (0, 128)


@pytest.mark.parametrize("name", ["affine32", "affine64", "legacy"])
def test_batch_of_token_sets_equals_one_at_a_time(name: Any) -> None:
    scheme = SignatureScheme(name)
    token_sets = [[], [b"a"], ["a", "b", "c"], [], words(500, 3)]
    batch = signatures_of_tokens(token_sets, scheme)
    for made, tokens in zip(batch, token_sets, strict=True):
        assert np.array_equal(made.values, signature_of_tokens(tokens, scheme).values)


@given(TOKENS, st.randoms(use_true_random=False))
def test_signature_ignores_order_and_repeats(tokens: list[bytes], drawn: random.Random) -> None:
    shuffled = tokens + tokens[: len(tokens) // 2]
    drawn.shuffle(shuffled)
    for name in ("affine32", "affine64", "legacy"):
        scheme = SignatureScheme(name)
        assert np.array_equal(
            signature_of_tokens(tokens, scheme).values, signature_of_tokens(shuffled, scheme).values
        )


def test_text_signature_ignores_repeated_passages() -> None:
    passage = " ".join(words(50, 4))
    # Each copy begins with the words the passage ends with, so no new shingle arises at the seam.
    scheme = SignatureScheme(shingle_size=1)
    assert np.array_equal(
        signature(passage, scheme).values, signature(passage + " " + passage, scheme).values
    )


@given(TOKENS, TOKENS)
def test_signature_of_a_union_is_the_elementwise_minimum(
    left: list[bytes], right: list[bytes]
) -> None:
    for name in ("affine32", "affine64", "legacy"):
        scheme = SignatureScheme(name)
        union = signature_of_tokens(left, scheme).union(signature_of_tokens(right, scheme))
        assert np.array_equal(union.values, signature_of_tokens(left + right, scheme).values)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7, 0.95, 1.0])
def test_estimate_is_close_to_the_true_jaccard(name: Any, kept: float) -> None:
    scheme = SignatureScheme(name, num_perm=512)
    original = words(2000, seed=6)
    count = round(kept * len(original))
    edited = original[:count] + words(len(original) - count, seed=7)
    true = oracle.jaccard(
        set(oracle.word_shingles(" ".join(original), 5)),
        set(oracle.word_shingles(" ".join(edited), 5)),
    )
    estimate = signature(" ".join(original), scheme).jaccard(signature(" ".join(edited), scheme))
    # Four standard errors; none at 0 and 1.
    assert abs(estimate - true) <= 4 * (true * (1 - true) / 512) ** 0.5 + 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_estimates_are_unbiased(name: Any) -> None:
    seeds = range(200)
    left, right = words(150, seed=8), words(150, seed=9)
    both = words(100, seed=10)
    true = 100 / 400
    estimates = []
    for seed in seeds:
        scheme = SignatureScheme(name, seed=seed, shingle_size=1)
        made = signatures([" ".join(left + both), " ".join(right + both)], scheme)
        estimates.append(made[0].jaccard(made[1]))
    # Four standard errors of the mean of 200 estimates over 128 slots each.
    assert abs(np.mean(estimates) - true) < 4 * (true * (1 - true) / 128 / len(seeds)) ** 0.5


@pytest.mark.parametrize("name", NAMES)
def test_the_empty_set_is_similar_to_nothing(name: Any) -> None:
    made = signatures(["", "...", "one word"], SignatureScheme(name))
    assert made.is_empty.tolist() == [True, True, False]
    assert made[0].jaccard(made[1]) == 0.0
    assert made[2].jaccard(made[0]) == 0.0
    assert made[2].jaccard(made[2]) == 1.0


def test_a_text_shorter_than_a_shingle_is_one_shingle() -> None:
    assert signature("two words").jaccard(signature("Two  words!")) == 1.0
    assert signature("two words").jaccard(signature("words two")) < 0.1


def test_jaccard_of_a_batch_is_taken_row_by_row() -> None:
    texts = [" ".join(words(40, seed)) for seed in range(3)]
    batch = signatures(texts)
    assert np.array_equal(batch.jaccard(batch[1]), [0.0, 1.0, 0.0])
    assert np.array_equal(batch.jaccard(batch), [1.0, 1.0, 1.0])


@pytest.mark.parametrize(
    "other",
    [
        SignatureScheme(seed=2),
        SignatureScheme(shingle_size=4),
        SignatureScheme(num_perm=64),
        SignatureScheme("affine32"),
        SignatureScheme("affine32", token_hash="xxh32"),
        SignatureScheme("legacy"),
    ],
)
def test_signatures_of_two_schemes_do_not_meet(other: SignatureScheme) -> None:
    left, right = signature("some words here"), signature("some words here", other)
    for meet in (left.jaccard, left.union):
        with pytest.raises(SchemeMismatch, match=r"scheme mismatch: .*; make one of them again"):
            meet(right)


def test_default_signature_never_changes() -> None:
    # Indexes on disk rely on it: these are the first slots of a stored signature.
    text = "It was the best of times, it was the worst of times"
    assert signature(text).values[:4].tolist() == [215887284, 263249445, 526925833, 848717538]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "minhash"}, "scheme is one of dedup32, affine32, affine64, legacy"),
        ({"num_perm": 0}, "num_perm is from 1 to 2147483647, got 0"),
        ({"seed": -1}, "seed is from 0 to 4294967295, got -1"),
        ({"shingle_size": 0}, "shingle_size is from 1 to 65536, got 0"),
        ({"token_hash": "sha1"}, "token_hash of scheme dedup32 is xxh3, got 'sha1'"),
        ({"name": "affine64", "token_hash": "xxh32"}, "is sha1 or xxh64, got 'xxh32'"),
    ],
)
def test_scheme_refuses_what_it_cannot_do(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SignatureScheme(**arguments)


def test_signature_refuses_values_that_are_not_of_its_scheme() -> None:
    with pytest.raises(ValueError, match="slots of scheme dedup32 are uint32, got uint64"):
        Signature(np.zeros(128, np.uint64), SignatureScheme())
    with pytest.raises(ValueError, match=r"shape is \(128,\) or \(n, 128\), got \(64,\)"):
        Signature(np.zeros(64, np.uint32), SignatureScheme())


def test_text_that_is_not_utf8_is_refused_by_its_number() -> None:
    with pytest.raises(ValueError, match="text 1"):
        signatures([b"fine", b"\xff\xfe"])


def test_wrong_items_are_refused() -> None:
    with pytest.raises(TypeError, match="expected str or bytes, got int"):
        signatures(["text", 5])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="for one text call signature"):
        signatures("text")
    with pytest.raises(TypeError, match="got a single one"):
        signature_of_tokens("letters", SignatureScheme("affine32"))
    with pytest.raises(ValueError, match="scheme dedup32 takes text, not tokens"):
        signature_of_tokens(["a"], SignatureScheme())


def test_core_refuses_offsets_that_leave_the_hashes() -> None:
    hashes, parameters = np.zeros(4, np.uint32), np.ones(8, np.uint32)
    for bounds in ([], [0, 5], [1, 4], [0, 3, 2, 4], [0, 2]):
        with pytest.raises(ValueError, match="offsets rise from 0 to the number of hashes"):
            _core.affine32(hashes, np.array(bounds, np.uint64), parameters, parameters)


@pytest.mark.parametrize("name", NAMES)
def test_bands_agree_exactly_where_their_slots_do(name: Any) -> None:
    scheme = SignatureScheme(name)
    text = " ".join(words(300, seed=11))
    left, right = signatures([text, text.rsplit(" ", 20)[0]], scheme)
    agree = (left.values == right.values)[: 14 * 9].reshape(14, 9).all(axis=1)
    keys = left.band_keys(14, 9)
    assert keys.shape == (14,)
    assert 0 < agree.sum() < 14
    assert np.array_equal(keys == right.band_keys(14, 9), agree)
    batch = signatures([text], scheme).band_keys(14, 9)
    assert np.array_equal(batch, keys[None, :])


def test_equal_slots_in_two_bands_do_not_share_a_bucket() -> None:
    keys = Signature(np.full(128, 7, np.uint32), SignatureScheme()).band_keys(16, 8)
    assert len(set(keys.tolist())) == 16


def test_bands_that_need_more_slots_than_there_are_are_refused() -> None:
    with pytest.raises(ValueError, match="bands x rows is from 1 x 1 to 128 slots, got 16 x 9"):
        signature("some words").band_keys(16, 9)
