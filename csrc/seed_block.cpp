#include "seed_block.h"

#include <algorithm>
#include <bit>

namespace dedup {

namespace {

using seeds_detail::kGappedSalt;
using seeds_detail::kMultiplier;
using seeds_detail::kPowers;

constexpr uint32_t kTokens = SeedBlock::kTokens;
constexpr uint32_t kMaxTile = 32;

// What takes a token's weight in one tile to its weight in the next, where it stands one lower.
constexpr uint64_t kInverse = [] {
  uint64_t inverse = kMultiplier;  // right in its low 3 bits; each step doubles them (Newton)
  for (int step = 0; step < 5; ++step) inverse *= 2 - kMultiplier * inverse;
  return inverse;
}();
static_assert(kInverse * kMultiplier == 1);

uint64_t first_bits(size_t count) { return count >= 64 ? ~0ull : (1ull << count) - 1; }

// The tokens of a block and those that its last seeds reach; zeros behind the end of the sequence.
struct Window {
  alignas(64) uint64_t tokens[kTokens + kMaxTile] = {};
};

// The seeds of a window of words; masks none of them. Returns where two of the first three tokens
// are equal, so that a seed may be plain.
[[gnu::always_inline]] inline uint64_t make_seeds(const Window& window, const Scheme& scheme,
                                                  SeedBlock& block) {
  const uint64_t* tokens = window.tokens;
  uint64_t sums[kTokens], parts[kTokens + 2];
  for (uint32_t i = 0; i < kTokens; ++i) sums[i] = 0;
  for (uint32_t j = 0; j < scheme.tile_size; ++j) {
    for (uint32_t i = 0; i < kTokens; ++i) sums[i] += tokens[i + j] * kPowers[j];
  }
  for (uint32_t i = 0; i < kTokens; ++i) block.seeds[0][i] = to_seed(sums[i]);
  if (scheme.gapped_shape != 0) {
    const auto hole = static_cast<uint32_t>(std::countr_one(scheme.gapped_shape));
    for (uint32_t i = 0; i < kTokens; ++i) sums[i] = kGappedSalt;
    for (uint32_t j = 0; j < hole; ++j) {
      for (uint32_t i = 0; i < kTokens; ++i) sums[i] += tokens[i + j] * kPowers[j];
    }
    // The part behind the hole, of seeds that begin a token earlier to one later.
    for (uint32_t i = 0; i < kTokens + 2; ++i) parts[i] = 0;
    for (uint32_t bits = scheme.gapped_shape >> hole << hole; bits != 0; bits &= bits - 1) {
      const auto j = static_cast<uint32_t>(std::countr_zero(bits));
      for (uint32_t i = 0; i < kTokens + 2; ++i) parts[i] += tokens[i + j - 1] * kPowers[j];
    }
    for (size_t s = 0; s < kShifts; ++s) {
      const uint64_t* part = parts + 1 + kShift[s];
      for (uint32_t i = 0; i < kTokens; ++i) block.seeds[1 + s][i] = to_seed(sums[i] + part[i]);
    }
  }
  uint64_t alike = 0;
  for (uint32_t i = 0; i < kTokens; ++i) {
    const uint64_t a = tokens[i], b = tokens[i + 1], c = tokens[i + 2];
    alike |= uint64_t{a == b || b == c || a == c} << i;
  }
  return alike;
}

using MakeSeeds = uint64_t (*)(const Window& window, const Scheme& scheme, SeedBlock& block);

uint64_t make_seeds_portable(const Window& window, const Scheme& scheme, SeedBlock& block) {
  return make_seeds(window, scheme, block);
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] uint64_t make_seeds_avx2(const Window& window, const Scheme& scheme,
                                                 SeedBlock& block) {
  return make_seeds(window, scheme, block);
}
#else
constexpr MakeSeeds make_seeds_avx2 = make_seeds_portable;
#endif

}  // namespace

SeedReader::SeedReader(const Sequence& sequence, const Scheme& scheme, Dispatch dispatch)
    : sequence_(sequence), scheme_(scheme), use_avx2_(dedup::use_avx2(dispatch)) {}

bool SeedReader::next(SeedBlock& block) {
  const uint32_t size = sequence_.size();
  if (size < scheme_.tile_size || next_ > size - scheme_.tile_size) return false;
  block.first = next_;
  block.tokens = std::min(kTokens, size - scheme_.tile_size + 1 - next_);
  block.kinds = scheme_.gapped_shape != 0 ? SeedBlock::kKinds : 1;
  if (sequence_.has_names()) {
    read_lexemes(block);
  } else {
    read_words(block);
  }
  next_ += block.tokens;
  return true;
}

void SeedReader::read_words(SeedBlock& block) {
  const size_t left = sequence_.size() - block.first;
  Window window;
  std::copy_n(&sequence_.values[block.first], std::min(left, std::size(window.tokens)),
              window.tokens);
  const uint64_t alike =
      (use_avx2_ ? make_seeds_avx2 : make_seeds_portable)(window, scheme_, block);
  for (uint32_t kind = 0; kind < block.kinds; ++kind) {
    const auto span =
        kind == 0
            ? scheme_.tile_size
            : static_cast<uint32_t>(static_cast<int32_t>(scheme_.gapped_span()) + kShift[kind - 1]);
    block.present[kind] = left < span ? 0 : first_bits(block.tokens) & first_bits(left - span + 1);
    // Three different tokens are enough for most schemes.
    const bool is_told = scheme_.least_distinct <= 3 && span >= 3;
    uint64_t doubtful = is_told ? block.present[kind] & alike : block.present[kind];
    for (; doubtful != 0; doubtful &= doubtful - 1) {
      const auto i = static_cast<uint32_t>(std::countr_zero(doubtful));
      if (is_plain({window.tokens + i, span}, scheme_.least_distinct)) {
        block.present[kind] &= ~(1ull << i);
      }
    }
  }
}

void SeedReader::enter(size_t token, size_t first) {
  const uint32_t linked_to = sequence_.linked_to[token];
  const uint64_t value = sequence_.value(token, first);
  sum_ += value * kPowers[token - first];
  distinct_ += kinds_[value >> 58]++ == 0;
  linked_from_[token % kMaxTile] = 0;
  if (linked_to > first)
    linked_from_[(linked_to - 1) % kMaxTile] = static_cast<uint32_t>(token) + 1;
}

void SeedReader::leave(size_t token) {
  // Linked to nothing, as the first of a tile; and so is, from now on, what was linked to it.
  const uint64_t value = sequence_.unlinked[token];
  sum_ = (sum_ - value * kPowers[0]) * kInverse;
  distinct_ -= --kinds_[value >> 58] == 0;
  const uint32_t linked_from = linked_from_[token % kMaxTile];
  if (linked_from == 0) return;
  const size_t other = linked_from - 1;
  const uint64_t before = sequence_.values[other], after = sequence_.unlinked[other];
  sum_ += (after - before) * kPowers[other - token - 1];
  distinct_ -= --kinds_[before >> 58] == 0;
  distinct_ += kinds_[after >> 58]++ == 0;
}

void SeedReader::read_lexemes(SeedBlock& block) {
  const uint32_t size = scheme_.tile_size;
  const auto& classes = sequence_.classes;
  // Whether a token is a name beside the one before it.
  const auto is_beside = [&](size_t token) {
    return is_name(classes[token - 1]) && is_name(classes[token]) &&
           classes[token] != static_cast<uint8_t>(LexemeClass::kMember);
  };
  if (block.first == 0) {
    for (size_t token = 0; token < size; ++token) {
      enter(token, 0);
      side_by_side_ += token > 0 && is_beside(token);
    }
  }
  block.present[0] = 0;
  for (uint32_t i = 0; i < block.tokens; ++i) {
    const size_t at = block.first + i;
    const bool is_seed =
        distinct_ >= scheme_.least_distinct && side_by_side_ * 3 <= scheme_.tile_size;
    block.present[0] |= uint64_t{is_seed} << i;
    block.seeds[0][i] = to_seed(sum_);
    if (at + size == sequence_.size()) break;
    leave(at);
    enter(at + size, at + 1);
    side_by_side_ += is_beside(at + size);
    side_by_side_ -= is_beside(at + 1);
  }
}

}  // namespace dedup
