// Signatures: the minima of K maps over the shingles of a text (A. Broder, "On the resemblance and
// containment of documents", 1997). Two signatures agree in a slot with a probability that is the
// Jaccard similarity of the two sets.
//
// A map is h -> a*h + b, with a odd, modulo the width of the word: a bijection, so that the map
// makes no collisions of its own. It is as good as the spread of h: hashes come here already mixed.
//
//   affine32   (a*h + b) mod 2^32                       the default, and datasketch's since 2.0
//   affine64   (a*h + b) mod 2^64                       for sets of 1e8 elements and more
//   legacy     ((a*h + b) mod 2^64 mod 2^61-1) mod 2^32  datasketch's before 2.0; the product wraps
//
// The empty set has the largest value of the word in every slot (2^32 - 1 for legacy). A signature
// is lowered in place, and the union of two sets is the slot-wise minimum, so that a set can come
// in pieces. Every kernel is pure and thread-safe, and runs 8 lanes wide where the processor has
// AVX2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "cpu.h"
#include "hash.h"

namespace dedup {

inline constexpr std::uint32_t empty_slot32 = 0xFFFFFFFFu;
inline constexpr std::uint64_t empty_slot64 = 0xFFFFFFFFFFFFFFFFull;

// Each lowers signature[k] to the minimum of itself and the k-th map over `hashes`. `a`, `b` and
// `signature` have the same size, any size.
void affine32(std::span<const std::uint32_t> hashes, std::span<const std::uint32_t> a,
              std::span<const std::uint32_t> b, std::span<std::uint32_t> signature,
              Dispatch dispatch = Dispatch::best);
void affine64(std::span<const std::uint64_t> hashes, std::span<const std::uint64_t> a,
              std::span<const std::uint64_t> b, std::span<std::uint64_t> signature,
              Dispatch dispatch = Dispatch::best);
void legacy(std::span<const std::uint32_t> hashes, std::span<const std::uint64_t> a,
            std::span<const std::uint64_t> b, std::span<std::uint32_t> signature,
            Dispatch dispatch = Dispatch::best);

// Text in, signature out, for each of `texts`: tokenize(), shingle_hashes() of `shingle_size`
// tokens in 32 bits, affine32(). `signatures` holds a.size() slots for each text, one text after
// another. Throws ArgumentError with the number of the text if one is not UTF-8.
void text_signatures(std::span<const std::string_view> texts, std::size_t shingle_size,
                     std::span<const std::uint32_t> a, std::span<const std::uint32_t> b,
                     std::span<std::uint32_t> signatures, Dispatch dispatch = Dispatch::best);

// The key of each band of `keys.size()`: XXH3 of the bytes of its `rows` slots, seeded with the
// number of the band, so that equal slots in two bands do not share a bucket.
template <typename Slot>
void band_keys(std::span<const Slot> signature, std::size_t rows, std::span<std::uint64_t> keys) {
  for (std::size_t band = 0; band < keys.size(); ++band) {
    keys[band] = xxh3_64(signature.data() + band * rows, rows * sizeof(Slot), band);
  }
}

}  // namespace dedup
