// What a seed table holds, in 12.8 bits a seed: most probes that find nothing end here.
//
// A Bloom filter whose two bits for a seed lie in one word, so that a probe is one load (Putze,
// Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007). It takes one seed in
// 41 for one that it holds, and never misses one that it does. Words are in the order of seeds, so
// filling it in that order writes memory in order.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "seeds.h"

namespace dedup {

class SeedFilter {
 public:
  SeedFilter() = default;  // of no seeds
  // For so many seeds at the most, of which it holds none yet.
  explicit SeedFilter(uint64_t seeds);

  void add(Seed seed) {
    const Place place = place_of(seed);
    words_[place.word] |= place.bits;
  }
  // Any 64 bits are taken; what is no seed gives any answer.
  bool may_hold(Seed seed) const {
    const Place place = place_of(seed);
    return (words_[place.word] & place.bits) == place.bits;
  }
  // Asks the processor for what will be looked at of 64 seeds, if it is no small filter.
  void prefetch(const Seed* seeds) const {
    if (size_ < kSmall) return;
    for (uint32_t i = 0; i < 64; ++i) __builtin_prefetch(&words_[place_of(seeds[i]).word]);
  }
  // Of 64 seeds: bit i tells of number i.
  uint64_t which_may_be_held(const Seed* seeds) const {
    uint64_t held = 0;
    for (uint32_t i = 0; i < 64; ++i) held |= uint64_t{may_hold(seeds[i])} << i;
    return held;
  }

 private:
  struct Place {
    uint64_t word, bits;
  };
  struct Free {
    void operator()(uint64_t* words) const { std::free(words); }
  };
  static constexpr uint64_t kSeedMask = (1ull << kSeedBits) - 1;

  static constexpr uint64_t kSmall = 1 << 16;  // words: half a second-level cache

  Place place_of(Seed seed) const {
    // The product's upper part is below the size; its lower part is what else the seed tells.
    const uint64_t product = (seed & kSeedMask) * size_;
    const uint64_t mixed = (product & kSeedMask) * seeds_detail::kMultiplier;
    return {product >> kSeedBits, 1ull << (mixed >> 58) | 1ull << (mixed >> 52 & 63)};
  }

  uint64_t size_ = 0;  // words; below 2^30
  std::unique_ptr<uint64_t[], Free> words_;
};

}  // namespace dedup
