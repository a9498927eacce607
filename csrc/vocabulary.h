// The words of what is protected: tells a word that some document holds from a string that none
// does. What hides a copy (letters spaced, words joined, look-alikes, ciphers) makes strings that
// no text holds, and undoing it makes words again; this is how the one is told from the other.
//
// A Bloom filter of keyed tokens whose bits for a word lie in one machine word. It takes one string
// in some 300 for a word that it is not, and never misses one. Immutable once filled, and then
// thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "hash.h"
#include "sequence.h"

namespace dedup {

class Vocabulary {
 public:
  Vocabulary() = default;  // knows no word
  // For so many words at the most, of which it knows none yet.
  Vocabulary(const TokenKey& key, uint64_t words)
      : key_(key), words_(std::max<uint64_t>(1, words * kBits / 64)) {}

  // By its keyed token, as Sequence::values has them.
  void add(uint64_t keyed) { words_[place(keyed)] |= bits(keyed); }
  bool holds(uint64_t keyed) const {
    return !words_.empty() && (words_[place(keyed)] & bits(keyed)) == bits(keyed);
  }
  // By what stands there, normalised as tokenize() does it.
  bool knows(std::string_view normalised) const {
    return holds(key_(xxh3_64(normalised.data(), normalised.size())));
  }
  const TokenKey& key() const { return key_; }
  // Whether it knows no word at all, so that nothing can be told by it.
  bool empty() const { return words_.empty(); }

 private:
  static constexpr uint64_t kBits = 24;  // a word
  static constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15;

  uint64_t place(uint64_t keyed) const {
    return static_cast<uint64_t>(
        static_cast<unsigned __int128>(keyed * kMultiplier) * words_.size() >> 64);
  }
  static uint64_t bits(uint64_t keyed) {
    const uint64_t mixed = fmix64(keyed);
    return 1ull << (mixed & 63) | 1ull << (mixed >> 6 & 63) | 1ull << (mixed >> 12 & 63) |
           1ull << (mixed >> 18 & 63);
  }

  TokenKey key_;
  std::vector<uint64_t> words_;
};

}  // namespace dedup
