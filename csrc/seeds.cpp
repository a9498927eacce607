#include "seeds.h"

namespace dedup {

namespace {

using seeds_detail::kPowers;

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();
constexpr uint32_t kStep = WindowMinima::kStep;

// Four slots, which is what the schemes of words have.
typedef uint32_t Four __attribute__((vector_size(16)));
constexpr uint32_t kFour = 4;

[[gnu::always_inline]] inline Four four_at(const uint32_t* slots) {
  Four four;
  __builtin_memcpy(&four, slots, sizeof four);
  return four;
}
[[gnu::always_inline]] inline Four lower_of(Four a, Four b) { return a < b ? a : b; }

[[gnu::always_inline]] inline void hash_words(const uint64_t* values, size_t count, uint32_t size,
                                              uint32_t* hashes) {
  constexpr size_t kBlock = 64;
  for (size_t from = 0; from < count; from += kBlock) {
    const size_t block = std::min(kBlock, count - from);
    uint64_t sums[kBlock] = {};
    for (uint32_t j = 0; j < size; ++j) {
      for (size_t i = 0; i < block; ++i) sums[i] += values[from + i + j] * kPowers[j];
    }
    for (size_t i = 0; i < block; ++i)
      hashes[from + i] = static_cast<uint32_t>(fmix64(sums[i]) >> 32);
  }
}

// The hashes of shingles, and how they are mapped.
struct Shingles {
  const uint32_t* hashes;
  size_t blocks, group;
  const uint32_t* multipliers;
  const uint32_t* offsets;
};

[[gnu::always_inline]] inline void fold_four(const Shingles& shingles, uint32_t* firsts,
                                             uint32_t* rests) {
  const Four factor = four_at(shingles.multipliers), offset = four_at(shingles.offsets);
  Four first{};
  for (size_t block = 0; block < shingles.blocks; ++block) {
    Four own = {kNone, kNone, kNone, kNone};
    for (size_t i = 0; i < kStep; ++i) {
      const uint32_t hash = shingles.hashes[block * kStep + i];
      own = lower_of(own, factor * (Four{} + hash) + offset);
    }
    first = block % shingles.group == 0 ? own : lower_of(first, own);
    __builtin_memcpy(rests + block * kFour, &own, sizeof own);
    __builtin_memcpy(firsts + block * kFour, &first, sizeof first);
  }
  for (size_t block = shingles.blocks - 1; block-- > 0;) {
    if ((block + 1) % shingles.group == 0) continue;
    const Four rest =
        lower_of(four_at(rests + block * kFour), four_at(rests + (block + 1) * kFour));
    __builtin_memcpy(rests + block * kFour, &rest, sizeof rest);
  }
}

#if defined(__x86_64__)

[[gnu::target("avx2")]] void hash_words_avx2(const uint64_t* values, size_t count, uint32_t size,
                                             uint32_t* hashes) {
  hash_words(values, count, size, hashes);
}
[[gnu::target("avx2")]] void fold_four_avx2(const Shingles& shingles, uint32_t* firsts,
                                            uint32_t* rests) {
  fold_four(shingles, firsts, rests);
}

#else

constexpr auto hash_words_avx2 = hash_words;
constexpr auto fold_four_avx2 = fold_four;

#endif

}  // namespace

WindowMinima::WindowMinima(const Scheme& scheme, Dispatch dispatch)
    : scheme_(scheme),
      slots_(scheme.bands * scheme.rows),
      use_avx2_(dedup::use_avx2(dispatch)),
      minima_(slots_) {
  // Odd multipliers and offsets from a fixed sequence: part of the format, as the salts are.
  uint64_t state = 0x6A09E667F3BCC908;
  for (uint32_t k = 0; k < slots_; ++k) {
    state += seeds_detail::kMultiplier;
    const uint64_t drawn = fmix64(state);
    multipliers_.push_back(static_cast<uint32_t>(drawn) | 1);
    offsets_.push_back(static_cast<uint32_t>(drawn >> 32));
  }
}

void WindowMinima::hash_shingles(const Sequence& sequence) {
  const uint32_t size = scheme_.shingle_size;
  hashes_.resize(sequence.size() < size ? 0 : sequence.size() - size + 1);
  if (sequence.has_names()) {
    for (size_t i = 0; i < hashes_.size(); ++i) hashes_[i] = shingle_hash(sequence, i, size);
  } else if (use_avx2_) {
    hash_words_avx2(sequence.values.data(), hashes_.size(), size, hashes_.data());
  } else {
    hash_words(sequence.values.data(), hashes_.size(), size, hashes_.data());
  }
}

void WindowMinima::fold(const Sequence& sequence) {
  hash_shingles(sequence);
  const size_t blocks = hashes_.size() / kStep, group = scheme_.window_size / kStep;
  blocks_.resize(blocks * slots_);
  rest_.resize(blocks * slots_);
  if (slots_ == kFour) {
    const Shingles shingles{hashes_.data(), blocks, group, multipliers_.data(), offsets_.data()};
    (use_avx2_ ? fold_four_avx2 : fold_four)(shingles, blocks_.data(), rest_.data());
    return;
  }
  std::ranges::fill(blocks_, kNone);
  for (size_t i = 0; i < blocks * kStep; ++i) add(hashes_[i], &blocks_[i / kStep * slots_]);
  rest_ = blocks_;
  const auto lower = [&](std::vector<uint32_t>& minima, size_t block, size_t other) {
    for (uint32_t k = 0; k < slots_; ++k) {
      uint32_t& slot = minima[block * slots_ + k];
      slot = std::min(slot, minima[other * slots_ + k]);
    }
  };
  for (size_t block = blocks - 1; block-- > 0;) {
    if ((block + 1) % group != 0) lower(rest_, block, block + 1);
  }
  for (size_t block = 1; block < blocks; ++block) {
    if (block % group != 0) lower(blocks_, block, block - 1);
  }
}

}  // namespace dedup
