"""Signatures: a text or a set of tokens as ``num_perm`` numbers that keep its Jaccard similarity.

Takes text (or tokens, or datasketch's objects), gives Signatures, each with the scheme it was made
under: only signatures of one scheme can be compared. The work is done in the core, in batches and
without the GIL.

=========== ============================================ ============= ====================
scheme      shingle of a text                            token hash    slot
=========== ============================================ ============= ====================
dedup32     ``shingle_size`` tokens of the text view     xxh3, rolling a*h + b mod 2**32
affine32    ``shingle_size`` words, one space between    sha1, xxh32   datasketch >= 2.0
affine64    the same                                     sha1, xxh64   datasketch >= 2.0
legacy      the same                                     sha1, xxh32   datasketch < 2.0
=========== ============================================ ============= ====================

The last three equal datasketch's, bit for bit. Their words are
``re.findall(r"\\w+", text.lower())``. A text of fewer words than a shingle is one shingle; a text
of none is the empty set.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, cast

import numpy as np
import xxhash
from numpy.typing import NDArray

from dedup import _core
from dedup.errors import SchemeMismatch

if TYPE_CHECKING:
    from datasketch import LeanMinHash, MinHash

__all__ = [
    "DEFAULT_SCHEME",
    "SchemeName",
    "Signature",
    "SignatureScheme",
    "TokenHash",
    "from_datasketch",
    "maps_of",
    "signature",
    "signature_of_tokens",
    "signatures",
    "signatures_of_tokens",
    "to_datasketch",
    "to_lean",
]

SchemeName = Literal["dedup32", "affine32", "affine64", "legacy"]
TokenHash = Literal["xxh3", "sha1", "xxh32", "xxh64"]
Slots: TypeAlias = NDArray[np.uint32] | NDArray[np.uint64]

_MERSENNE_61 = 2**61 - 1


class _Arithmetic(NamedTuple):
    slot: type[np.uint32] | type[np.uint64]
    empty: int  # the slot of the empty set
    token_hashes: tuple[TokenHash, ...]  # the first is the default


_ARITHMETIC = {
    "dedup32": _Arithmetic(np.uint32, 2**32 - 1, ("xxh3",)),
    "affine32": _Arithmetic(np.uint32, 2**32 - 1, ("sha1", "xxh32")),
    "affine64": _Arithmetic(np.uint64, 2**64 - 1, ("sha1", "xxh64")),
    "legacy": _Arithmetic(np.uint64, 2**32 - 1, ("sha1", "xxh32")),
}

# As csrc/word_shingles.h has it: the core does words of the first two planes of Unicode by a table,
# except the letters whose lower case their neighbours decide, or is several letters.
_TABLE_SIZE = 0x20000
_UNKNOWN = 2**32 - 1
_CAPITAL_SIGMA = 0x3A3
_NO_TABLE = np.empty(0, np.uint32)


@dataclass(frozen=True, slots=True)
class SignatureScheme:
    """Every number that decides a signature.

    Attributes
    ----------
    name : {"dedup32", "affine32", "affine64", "legacy"}
        ``dedup32`` is the fastest; the others equal datasketch's schemes of that name.
    num_perm : int
        Slots. The standard error of an estimate is ``sqrt(J * (1 - J) / num_perm)``.
    seed : int
        Draws the maps, from 0 to 2**32 - 1.
    shingle_size : int
        Tokens in a shingle when a text is given; tokens given as such are not shingled.
    token_hash : {"xxh3", "sha1", "xxh32", "xxh64"}
        Left out, it is the first one of the scheme in the table above.

    Raises
    ------
    ValueError
        If a number is out of its range, or the scheme does not go with ``token_hash``.
    """

    name: SchemeName = "dedup32"
    num_perm: int = 128
    seed: int = 1
    shingle_size: int = 5
    token_hash: TokenHash | Literal[""] = ""

    def __post_init__(self) -> None:
        if self.name not in _ARITHMETIC:
            raise ValueError(f"scheme is one of {', '.join(_ARITHMETIC)}, got {self.name!r}")
        allowed = _ARITHMETIC[self.name].token_hashes
        if not self.token_hash:
            object.__setattr__(self, "token_hash", allowed[0])
        if self.token_hash not in allowed:
            raise ValueError(
                f"token_hash of scheme {self.name} is {' or '.join(allowed)}, "
                f"got {self.token_hash!r}"
            )
        # The core keeps a window of shingle_size hashes, and datasketch counts slots in 32 bits.
        for field, least, most in (
            ("num_perm", 1, 2**31 - 1),
            ("seed", 0, 2**32 - 1),
            ("shingle_size", 1, 2**16),
        ):
            value = getattr(self, field)
            if not least <= value <= most:
                raise ValueError(f"{field} is from {least} to {most}, got {value}")


DEFAULT_SCHEME = SignatureScheme()


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """One signature, or a batch of them, with the scheme they were made under.

    Attributes
    ----------
    values : uint32 or uint64 array, shape (num_perm,) or (n, num_perm)
        Slots; uint64 for ``affine64`` and, as in datasketch, ``legacy``. The empty set has the
        largest value in every slot.
    scheme : SignatureScheme
    """

    values: Slots
    scheme: SignatureScheme

    def __post_init__(self) -> None:
        expected = np.dtype(_ARITHMETIC[self.scheme.name].slot)
        if self.values.dtype != expected:
            raise ValueError(
                f"slots of scheme {self.scheme.name} are {expected}, got {self.values.dtype}"
            )
        if self.values.ndim not in (1, 2) or self.values.shape[-1] != self.scheme.num_perm:
            raise ValueError(
                f"shape is ({self.scheme.num_perm},) or (n, {self.scheme.num_perm}), "
                f"got {self.values.shape}"
            )

    def __len__(self) -> int:
        if self.values.ndim == 1:
            raise TypeError("a single signature has no length; see scheme.num_perm")
        return len(self.values)

    def __getitem__(self, index: int) -> "Signature":
        if self.values.ndim == 1:
            raise TypeError("a single signature is not a batch; its slots are in values")
        return Signature(self.values[index], self.scheme)

    @property
    def is_empty(self) -> bool | NDArray[np.bool_]:
        """Whether the set has no element: bool, or an array of them for a batch."""
        empty = (self.values == _ARITHMETIC[self.scheme.name].empty).all(axis=-1)
        return bool(empty) if self.values.ndim == 1 else empty

    def jaccard(self, other: "Signature") -> float | NDArray[np.float64]:
        """Estimate the Jaccard similarity of the two sets from the share of equal slots.

        A batch and a single signature give an array, two batches are taken pairwise. The empty
        set is similar to nothing, to the empty set neither (datasketch says 1).

        Raises
        ------
        SchemeMismatch
            If the signatures were made under two schemes.
        """
        self._check_same_scheme(other)
        agree = (self.values == other.values).sum(axis=-1)
        estimate = np.where(self.is_empty, 0.0, agree / self.scheme.num_perm)
        return float(estimate) if estimate.ndim == 0 else estimate

    def union(self, other: "Signature") -> "Signature":
        """The signature of the union of the two sets: the slot-wise minimum.

        Raises
        ------
        SchemeMismatch
            If the signatures were made under two schemes.
        """
        self._check_same_scheme(other)
        return Signature(np.minimum(self.values, other.values), self.scheme)

    def band_keys(self, bands: int, rows: int) -> NDArray[np.uint64]:
        """The bucket of each band of ``rows`` slots.

        Sets of Jaccard similarity J share at least one of the ``bands`` buckets with probability
        ``1 - (1 - J**rows)**bands``. All empty sets share theirs: see ``is_empty``.

        Returns
        -------
        uint64 array, shape (bands,) or (n, bands)

        Raises
        ------
        ValueError
            If ``bands * rows`` is more than ``num_perm``.
        """
        batch = np.ascontiguousarray(np.atleast_2d(self.values))
        keys = _core.band_keys(batch, bands, rows)
        return keys[0] if self.values.ndim == 1 else keys

    def _check_same_scheme(self, other: "Signature") -> None:
        if self.scheme != other.scheme:
            raise SchemeMismatch(
                "scheme mismatch: signatures are comparable only if made under one scheme, got "
                f"{self.scheme} and {other.scheme}; make one of them again with scheme=other.scheme"
            )


def signature(text: str | bytes, scheme: SignatureScheme = DEFAULT_SCHEME) -> Signature:
    """The signature of the set of shingles of a text; see ``signatures``."""
    return signatures([text], scheme)[0]


def signatures(texts: Sequence[str | bytes], scheme: SignatureScheme = DEFAULT_SCHEME) -> Signature:
    """The signatures of the sets of shingles of texts.

    Parameters
    ----------
    texts : sequence of str or bytes
        Bytes are UTF-8. Order and repeats of shingles do not matter.
    scheme : SignatureScheme
        Supplies the shingles, the maps and their number.

    Returns
    -------
    Signature, with values of shape (len(texts), num_perm)

    Raises
    ------
    ValueError
        If bytes are not UTF-8, or a str has a lone surrogate.

    Notes
    -----
    O(tokens * num_perm) time; releases the GIL, so that threads may take a part of the texts each.
    In datasketch's schemes, a text with a capital sigma, a dotted capital I or a character beyond
    the second plane of Unicode is shingled in Python.
    """
    if isinstance(texts, (str, bytes)):
        raise TypeError("texts is a sequence of str or bytes; for one text call signature()")
    if scheme.name == "dedup32":
        a, b = _parameters(scheme.name, scheme.num_perm, scheme.seed)
        return Signature(_core.text_signatures(texts, scheme.shingle_size, a, b), scheme)
    table = _word_table() if not all(text.isascii() for text in texts) else _NO_TABLE
    hashes, offsets, undone = _core.word_shingle_hashes(
        texts, scheme.shingle_size, scheme.token_hash, table
    )
    made = _datasketch_signatures(hashes, offsets, scheme)
    if len(undone):
        shingles = [_word_shingles(texts[number], scheme.shingle_size) for number in undone]
        made.values[undone] = signatures_of_tokens(shingles, scheme).values
    return made


def signature_of_tokens(tokens: Sequence[str | bytes], scheme: SignatureScheme) -> Signature:
    """The signature of a set of tokens, as ``MinHash.update_batch`` of datasketch makes it.

    See ``signatures_of_tokens``.
    """
    return signatures_of_tokens([tokens], scheme)[0]


def signatures_of_tokens(
    token_sets: Sequence[Sequence[str | bytes]], scheme: SignatureScheme
) -> Signature:
    """The signatures of sets of tokens, as ``MinHash.update_batch`` of datasketch makes them.

    Parameters
    ----------
    token_sets : sequence of sequences of str or bytes
        A str counts as its UTF-8. Order and repeats do not matter; a set may be empty.
    scheme : SignatureScheme
        One of datasketch's; ``shingle_size`` is not used.

    Returns
    -------
    Signature, with values of shape (len(token_sets), num_perm)

    Raises
    ------
    ValueError
        If the scheme is ``dedup32``, whose shingles are not strings.
    """
    if scheme.name == "dedup32":
        raise ValueError(
            "scheme dedup32 takes text, not tokens; for tokens use affine32, affine64 or legacy"
        )
    if any(isinstance(tokens, (str, bytes)) for tokens in token_sets):
        raise TypeError("a set of tokens is a sequence of str or bytes, got a single one")
    sizes = [len(tokens) for tokens in token_sets]
    hashes = _core.token_hashes(list(chain.from_iterable(token_sets)), scheme.token_hash)
    offsets = np.cumsum([0, *sizes], dtype=np.uint64)
    return _datasketch_signatures(hashes, offsets, scheme)


def to_datasketch(signature: Signature) -> "MinHash":
    """A ``datasketch.MinHash`` with these slots, which can be updated further.

    Raises
    ------
    SchemeMismatch
        If the scheme is ``dedup32``, which datasketch does not have.
    ValueError
        If ``signature`` is a batch.
    ImportError
        If datasketch is not installed.
    """
    datasketch = _datasketch()
    _check_convertible(signature)
    scheme = signature.scheme
    functions: dict[str, Callable[[bytes], int] | None] = {
        "sha1": None,  # its default
        "xxh32": xxhash.xxh32_intdigest,
        "xxh64": xxhash.xxh64_intdigest,
    }
    return cast(
        "MinHash",
        datasketch.MinHash(
            seed=scheme.seed,
            hashfunc=functions[scheme.token_hash],
            hashvalues=signature.values.copy(),
            scheme=scheme.name,
        ),
    )


def to_lean(signature: Signature) -> "LeanMinHash":
    """A ``datasketch.LeanMinHash`` with these slots; raises as ``to_datasketch`` does."""
    datasketch = _datasketch()
    _check_convertible(signature)
    scheme = signature.scheme
    return cast(
        "LeanMinHash",
        datasketch.LeanMinHash(
            seed=scheme.seed, hashvalues=signature.values.copy(), scheme=scheme.name
        ),
    )


def from_datasketch(
    minhash: "MinHash | LeanMinHash",
    *,
    token_hash: TokenHash | None = None,
    shingle_size: int = DEFAULT_SCHEME.shingle_size,
) -> Signature:
    """The signature in a ``datasketch.MinHash`` or ``LeanMinHash``.

    Parameters
    ----------
    minhash : MinHash or LeanMinHash
        Supplies slots, seed and scheme.
    token_hash : {"sha1", "xxh32", "xxh64"}, optional
        What its tokens were hashed with. Left out, it is read off ``minhash.hashfunc``; a
        LeanMinHash does not say and is taken to be datasketch's default, ``sha1``.
    shingle_size : int
        Words in each of its tokens, which it does not record.

    Raises
    ------
    SchemeMismatch
        If ``token_hash`` contradicts ``minhash.hashfunc``.
    ValueError
        If the hash function is none of those dedup has and ``token_hash`` is left out.
    """
    hashfunc = getattr(minhash, "hashfunc", None)
    recorded = _name_of_hash(hashfunc)
    if token_hash is not None and recorded is not None and token_hash != recorded:
        raise SchemeMismatch(
            f"scheme mismatch: token_hash={token_hash} was passed, but the MinHash uses "
            f"{recorded}; leave token_hash out"
        )
    if token_hash is None and recorded is None and hashfunc is not None:
        raise ValueError(
            f"the hash function {hashfunc!r} of the MinHash is not one dedup knows; if it equals "
            "sha1, xxh32 or xxh64, say so with token_hash="
        )
    values = cast("Slots", np.asarray(minhash.hashvalues).copy())
    scheme = SignatureScheme(
        name=minhash.scheme,
        num_perm=len(values),
        seed=int(minhash.seed),
        shingle_size=shingle_size,
        token_hash=token_hash or recorded or "sha1",
    )
    return Signature(values, scheme)


def maps_of(scheme: SignatureScheme) -> tuple[Slots, Slots]:
    """The a and b of the map of each slot, for what shingles and hashes by itself."""
    return _parameters(scheme.name, scheme.num_perm, scheme.seed)


@lru_cache(maxsize=64)
def _parameters(name: SchemeName, num_perm: int, seed: int) -> tuple[Any, Any]:
    """The a and b of every slot, as wide as the scheme's arithmetic, drawn as datasketch does.

    The streams of RandomState are frozen by numpy's policy, so they may reach the disk.
    """
    drawn = np.random.RandomState(seed)
    a: Any
    b: Any
    if name == "legacy":
        # One slot after another, a and b in turn.
        values = [drawn.randint(low, _MERSENNE_61, dtype=np.uint64) for low in (1, 0) * num_perm]
        a, b = np.array(values[0::2], np.uint64), np.array(values[1::2], np.uint64)
    elif name == "affine64":
        a = drawn.randint(0, 2**63, num_perm, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        b = drawn.randint(0, 2**64, num_perm, dtype=np.uint64)
    else:
        a = drawn.randint(0, 2**31, num_perm, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
        b = drawn.randint(0, 2**32, num_perm, dtype=np.uint32)
    a.flags.writeable = False
    b.flags.writeable = False
    return a, b


def _datasketch_signatures(
    hashes: NDArray[np.uint64], offsets: NDArray[np.uint64], scheme: SignatureScheme
) -> Signature:
    """Signatures of documents whose token hashes lie one after another."""
    a, b = _parameters(scheme.name, scheme.num_perm, scheme.seed)
    if scheme.name == "affine64":
        return Signature(_core.affine64(_core.fmix64(hashes), offsets, a, b), scheme)
    low_halves = hashes.astype(np.uint32)
    if scheme.name == "legacy":
        values = _core.legacy(low_halves, offsets, a, b)
        return Signature(values.astype(np.uint64), scheme)
    return Signature(_core.affine32(_core.fmix32(low_halves), offsets, a, b), scheme)


def _word_shingles(text: str | bytes, size: int) -> list[str]:
    """The strings whose hashes the core makes, for the texts it cannot do."""
    words = re.findall(r"\w+", (text.decode() if isinstance(text, bytes) else text).lower())
    count = max(1, len(words) - size + 1) if words else 0
    return [" ".join(words[start : start + size]) for start in range(count)]


@lru_cache(maxsize=1)
def _word_table() -> NDArray[np.uint32]:
    """What becomes of each code point in the words of a text, made once (30 ms).

    From this Python rather than from a file, since the words have to be those that
    ``re.findall(r"\\w+", text.lower())`` finds here.
    """
    table = np.zeros(_TABLE_SIZE, np.uint32)
    for code in range(0x80, _TABLE_SIZE):
        lower = chr(code).lower()
        if len(lower) != 1 or code == _CAPITAL_SIGMA:
            table[code] = _UNKNOWN
        elif lower.isalnum():
            table[code] = ord(lower)
    return table


def _check_convertible(signature: Signature) -> None:
    if signature.scheme.name == "dedup32":
        raise SchemeMismatch(
            "scheme mismatch: datasketch has no scheme dedup32; make the signature with "
            "scheme=SignatureScheme('affine32')"
        )
    if signature.values.ndim != 1:
        raise ValueError(f"expected one signature, got a batch of {len(signature)}; convert each")


def _name_of_hash(function: Any) -> TokenHash | None:
    hashfunc = _datasketch().hashfunc
    names: tuple[tuple[Any, TokenHash], ...] = (
        (hashfunc.sha1_hash32, "sha1"),
        (hashfunc.sha1_hash64, "sha1"),
        (xxhash.xxh32_intdigest, "xxh32"),
        (xxhash.xxh64_intdigest, "xxh64"),
    )
    return next((name for known, name in names if function is known), None)


def _datasketch() -> Any:
    try:
        import datasketch
        import datasketch.hashfunc
    except ImportError as error:
        raise ImportError(
            "datasketch is not installed; install it with: pip install 'dedup[datasketch]'"
        ) from error
    return datasketch
