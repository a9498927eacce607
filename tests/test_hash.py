"""Hashes of the core: equal to the published algorithms, on every length and both bodies."""

import hashlib
import random

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from dedup import _core

SEEDS_64 = st.one_of(st.just(0), st.integers(0, 2**64 - 1))

# One past every boundary of the long inputs: stripes of 64 bytes, blocks of 1024.
LONG_LENGTHS = [1023, 1024, 1025, 1087, 1088, 1089, 2048, 2049, 4096, 10_000, 65_537, 1_000_003]


def test_xxh_equals_the_package_for_every_length() -> None:
    drawn = random.Random(1)
    for length in range(1101):
        data = drawn.randbytes(length)
        for seed in (0, drawn.getrandbits(64), drawn.getrandbits(32), 2**64 - 1):
            assert _core.xxh3_64(data, seed) == xxhash.xxh3_64_intdigest(data, seed), length
            assert _core.xxh64(data, seed) == xxhash.xxh64_intdigest(data, seed), length
            seed_32 = seed & 0xFFFFFFFF
            assert _core.xxh32(data, seed_32) == xxhash.xxh32_intdigest(data, seed_32), length


@pytest.mark.parametrize("length", LONG_LENGTHS)
def test_xxh_equals_the_package_for_long_inputs(length: int) -> None:
    data = random.Random(length).randbytes(length)
    for seed in (0, 0x9E3779B97F4A7C15):
        assert _core.xxh3_64(data, seed) == xxhash.xxh3_64_intdigest(data, seed)
        assert _core.xxh64(data, seed) == xxhash.xxh64_intdigest(data, seed)
        assert _core.xxh32(data, 7) == xxhash.xxh32_intdigest(data, 7)


@given(st.binary(max_size=300), SEEDS_64)
def test_xxh_equals_the_package_for_every_seed(data: bytes, seed: int) -> None:
    assert _core.xxh3_64(data, seed) == xxhash.xxh3_64_intdigest(data, seed)
    assert _core.xxh64(data, seed) == xxhash.xxh64_intdigest(data, seed)


@pytest.mark.parametrize("portable", [False, True])
def test_sha1_is_the_start_of_the_digest_for_every_length(portable: bool) -> None:
    for length in range(300):
        data = random.Random(length).randbytes(length)
        first = int.from_bytes(hashlib.sha1(data).digest()[:8], "little")
        assert int(_core.token_hashes([data], "sha1", portable)[0]) == first


def test_siphash_agrees_with_the_reference_vectors() -> None:
    # Key 00 01 .. 0f over the strings "", 00, 00 01, ...: the 15-byte one is in the paper, the
    # others are the first of the authors' list.
    key = bytes(range(16))
    assert _core.siphash(key, bytes(range(15))) == 0xA129CA6149BE45E5
    first = [
        0x726FDB47DD0E0E31,
        0x74F839C593DC67FD,
        0x0D6C8009D9A94F5A,
        0x85676696D7FB7E2D,
        0xCF2794E0277187B7,
        0x18765564CD99A68D,
        0xCBC9466E58FEE3CE,
        0xAB0200F58B01D137,
        0x93F5F5799A932462,
    ]
    assert [_core.siphash(key, bytes(range(length))) for length in range(9)] == first


@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**64 - 1))
def test_siphash_of_a_word_is_that_of_its_bytes(key: bytes, word: int) -> None:
    assert _core.siphash(key, word) == _core.siphash(key, word.to_bytes(8, "little"))


@given(st.binary(min_size=16, max_size=16), st.lists(st.integers(0, 2**64 - 1), max_size=40))
def test_siphash_of_many_words_is_that_of_each(key: bytes, words: list[int]) -> None:
    expected = [_core.siphash(key, word) for word in words]
    for portable in (False, True):
        assert _core.siphash_all(key, np.array(words, "u8"), portable).tolist() == expected


def test_siphash_refuses_a_key_of_the_wrong_size() -> None:
    with pytest.raises(ValueError, match="a key is 16 bytes, got 15"):
        _core.siphash(bytes(15), 1)


def test_fmix_agrees_with_known_values_and_keeps_zero() -> None:
    assert _core.fmix32(np.array([0, 1], np.uint32)).tolist() == [0, 0x514E28B7]
    assert _core.fmix64(np.array([0, 1], np.uint64)).tolist() == [0, 0xB456BCFC34C2CB2C]
