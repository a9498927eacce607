// Keyed tokens -> seeds: the short hashes that a copy is likely to share with its source.
//
//   tile    k tokens in a row; every S-th of a document is indexed, every one of a query looked up,
//           so any shared run of S+k-1 tokens is found (Kent, BLAT, 2002)
//   gapped  the tokens under a shape with a hole, at a prime stride: survives an edit in the hole,
//           so every n-th word replaced does not evade it (Ma, Tromp, Li, PatternHunter, 2002)
//   band    r minima of the MinHash signature of a window of W tokens, or of a whole unit such as a
//           function (Broder, 1997)
//
// Code repeats itself: tables of literals, rows of assignments. A tile of lexemes too few of which
// differ, or that reads as prose does, is no seed: without this mask one token of a table costs
// over a thousand postings.
//
// A seed is kSeedBits wide; the three kinds are kept apart by salts and share one table. Their
// secrecy is that of the tokens they are made of, which are SipHash values under the index's key.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "cpu.h"
#include "hash.h"
#include "scheme.h"
#include "sequence.h"

namespace dedup {

// False table hits per probe are entries / 2^34: 1e-5 at 10^6 tokens, 1 % at 10^9; each costs one
// screen. More bits would cost index bytes instead.
inline constexpr uint32_t kSeedBits = 34;

using Seed = uint64_t;  // below 2^kSeedBits
inline constexpr Seed kNoSeed = ~0ull;

enum class SeedKind : uint8_t { kTile, kGapped, kBand };

namespace seeds_detail {

inline constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio, odd
inline constexpr uint64_t kGappedSalt = 0x2545F4914F6CDD1D;
inline constexpr uint64_t kBandSalt = 0xD1342543DE82EF95;

// Powers of kMultiplier: token j of a shape is weighed by power j, so that order counts.
inline constexpr auto kPowers = [] {
  std::array<uint64_t, 32> powers{};
  uint64_t power = kMultiplier;
  for (auto& value : powers) {
    value = power;
    power *= kMultiplier;
  }
  return powers;
}();

}  // namespace seeds_detail

inline Seed to_seed(uint64_t sum) { return fmix64(sum) >> (64 - kSeedBits); }

inline Seed tile_seed(const uint64_t* tokens, uint32_t size) {
  uint64_t sum = 0;
  for (uint32_t j = 0; j < size; ++j) sum += tokens[j] * seeds_detail::kPowers[j];
  return to_seed(sum);
}

// With a shift, the seed of a document whose tokens under the shape's first part are at `tokens`
// and whose others are so much further on: one word put into the hole, or one taken out of it,
// moves a query's tokens so, and looking up both finds what was indexed without them.
inline Seed gapped_seed(const uint64_t* tokens, uint32_t shape, int32_t shift = 0) {
  const auto hole = static_cast<uint32_t>(__builtin_ctz(~shape));
  uint64_t sum = seeds_detail::kGappedSalt;
  for (uint32_t bits = shape; bits != 0; bits &= bits - 1) {
    const auto j = static_cast<uint32_t>(__builtin_ctz(bits));
    const uint64_t token = j < hole ? tokens[j] : tokens[static_cast<int32_t>(j) + shift];
    sum += token * seeds_detail::kPowers[j];
  }
  return to_seed(sum);
}

// Whether fewer than `least` of the tokens differ.
inline bool is_plain(std::span<const uint64_t> tokens, uint32_t least) {
  if (tokens.size() >= 3 && least <= 3 && tokens[0] != tokens[1] && tokens[1] != tokens[2] &&
      tokens[0] != tokens[2]) {
    return false;  // nearly always
  }
  uint32_t distinct = 0;
  for (size_t i = 0; i < tokens.size() && distinct < least; ++i) {
    distinct += std::find(tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(i), tokens[i]) ==
                tokens.begin() + static_cast<ptrdiff_t>(i);
  }
  return distinct < least;
}

// The seed of the tile of a sequence that begins at token `at`, or kNoSeed if it is masked.
inline Seed tile_seed(const Sequence& sequence, size_t at, const Scheme& scheme) {
  if (!sequence.has_names()) {
    const std::span tile(&sequence.values[at], scheme.tile_size);
    return is_plain(tile, scheme.least_distinct) ? kNoSeed
                                                 : tile_seed(tile.data(), scheme.tile_size);
  }
  uint64_t sum = 0, kinds = 0;
  uint32_t side_by_side = 0;
  bool was_name = false;
  for (uint32_t j = 0; j < scheme.tile_size; ++j) {
    const uint64_t value = sequence.value(at + j, at);
    sum += value * seeds_detail::kPowers[j];
    kinds |= 1ull << (value >> 58);
    const uint8_t kind = sequence.classes[at + j];
    side_by_side += was_name && is_name(kind) && kind != static_cast<uint8_t>(LexemeClass::kMember);
    was_name = is_name(kind);
  }
  const auto distinct = static_cast<uint32_t>(std::popcount(kinds));
  if (distinct < scheme.least_distinct || side_by_side * 3 > scheme.tile_size) return kNoSeed;
  return to_seed(sum);
}

// The gapped seed of a sequence at token `at`, or kNoSeed if the tokens there are too plain.
inline Seed gapped_seed(const Sequence& sequence, size_t at, const Scheme& scheme,
                        int32_t shift = 0) {
  const auto span = static_cast<size_t>(static_cast<int32_t>(scheme.gapped_span()) + shift);
  const std::span<const uint64_t> tokens(&sequence.values[at], span);
  if (is_plain(tokens, scheme.least_distinct)) return kNoSeed;
  return gapped_seed(tokens.data(), scheme.gapped_shape, shift);
}

// The hash of the shingle that begins at token `at`.
inline uint32_t shingle_hash(const Sequence& sequence, size_t at, uint32_t size) {
  uint64_t sum = 0;
  for (uint32_t j = 0; j < size; ++j) {
    sum += (sequence.has_names() ? sequence.value(at + j, at) : sequence.values[at + j]) *
           seeds_detail::kPowers[j];
  }
  return static_cast<uint32_t>(fmix64(sum) >> 32);
}

inline Seed band_seed(const uint32_t* minima, uint32_t rows, uint32_t band) {
  uint64_t sum = seeds_detail::kBandSalt * (band + 1);
  for (uint32_t j = 0; j < rows; ++j) sum += (minima[j] + 1ull) * seeds_detail::kPowers[j];
  return to_seed(sum);
}

// The MinHash minima of windows of W consecutive shingles, by blocks of kStep shingles, so that
// sliding a window by one step costs one block: a window's minima are those of its W/kStep blocks.
class WindowMinima {
 public:
  static constexpr uint32_t kStep = Scheme::kQueryWindowStep;

  explicit WindowMinima(const Scheme& scheme, Dispatch dispatch = Dispatch::best);

  // Calls visit(start, minima) for every whole window of a sequence that starts at a multiple of
  // `stride` tokens; `stride` must be a multiple of kStep. None if windows are units.
  template <typename Visit>
  void each(const Sequence& sequence, uint32_t stride, Visit visit) {
    if (slots_ == 0 || scheme_.window_size == 0) return;
    if (sequence.size() < scheme_.window_size + scheme_.shingle_size - 1) return;
    fold(sequence);
    const size_t shingles = hashes_.size(), group = scheme_.window_size / kStep;
    for (size_t start = 0; start + scheme_.window_size <= shingles; start += stride) {
      const uint32_t* rest = &rest_[start / kStep * slots_];
      const uint32_t* first = &blocks_[(start / kStep + group - 1) * slots_];
      for (uint32_t k = 0; k < slots_; ++k) minima_[k] = std::min(rest[k], first[k]);
      visit(start, minima_.data());
    }
  }

  // The minima of the window that starts at a token; the sequence holds all of it.
  const uint32_t* at(const Sequence& sequence, size_t start) {
    std::ranges::fill(minima_, std::numeric_limits<uint32_t>::max());
    for (size_t i = start; i < start + scheme_.window_size; ++i) {
      add(shingle_hash(sequence, i, scheme_.shingle_size), minima_.data());
    }
    return minima_.data();
  }

  // Calls visit(unit, minima) for every unit, a range of tokens, of at least one shingle.
  template <typename Visit>
  void each_unit(const Sequence& sequence, std::span<const TokenRange> units, Visit visit) {
    if (slots_ == 0 || scheme_.window_size != 0) return;
    hash_shingles(sequence);
    for (size_t u = 0; u < units.size(); ++u) {
      const auto [first, tokens] = units[u];
      if (tokens < scheme_.shingle_size) continue;
      std::ranges::fill(minima_, std::numeric_limits<uint32_t>::max());
      for (size_t i = first; i + scheme_.shingle_size <= size_t{first} + tokens; ++i) {
        add(hashes_[i], minima_.data());
      }
      visit(u, minima_.data());
    }
  }

 private:
  void add(uint32_t hash, uint32_t* minima) const {
    for (uint32_t k = 0; k < slots_; ++k) {
      minima[k] = std::min(minima[k], multipliers_[k] * hash + offsets_[k]);
    }
  }
  // The hashes of the shingles that begin at each token but the last few, of which there are some.
  void hash_shingles(const Sequence& sequence);
  // The minima of each block with those before it in its group of W/kStep blocks, and with those
  // behind it: a window is the rest of one group and the first of the next, so it costs two looks
  // whatever W (van Herk, 1992; Gil and Werman, 1993).
  void fold(const Sequence& sequence);

  const Scheme scheme_;
  const uint32_t slots_;
  const bool use_avx2_;
  std::vector<uint32_t> multipliers_, offsets_, hashes_, blocks_, rest_, minima_;
};

}  // namespace dedup
