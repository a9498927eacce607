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

// What is kept of a keyed token that is a word: enough to tell it from 10^8 others 699 times in
// 700, and none of the bits that are its fingerprint (sequence.h).
inline constexpr uint32_t kWordBits = 36;
inline uint64_t word_of(uint64_t keyed) { return keyed & ((1ull << kWordBits) - 1); }

class Vocabulary {
 public:
  Vocabulary() = default;  // knows no word
  // For so many words at the most, of which it knows none yet.
  Vocabulary(const TokenKey& key, uint64_t words)
      : key_(key), words_(std::max<uint64_t>(1, words * kBits / 64)) {}

  // By its keyed token, as Sequence::values has them, or what word_of() keeps of it.
  void add(uint64_t keyed) { words_[place(word_of(keyed))] |= bits(word_of(keyed)); }
  bool holds(uint64_t keyed) const {
    const uint64_t word = word_of(keyed);
    return !words_.empty() && (words_[place(word)] & bits(word)) == bits(word);
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

  uint64_t place(uint64_t word) const {
    return static_cast<uint64_t>(
        static_cast<unsigned __int128>(word * kMultiplier) * words_.size() >> 64);
  }
  static uint64_t bits(uint64_t word) {
    const uint64_t mixed = fmix64(word);
    return 1ull << (mixed & 63) | 1ull << (mixed >> 6 & 63) | 1ull << (mixed >> 12 & 63) |
           1ull << (mixed >> 18 & 63);
  }

  TokenKey key_;
  std::vector<uint64_t> words_;
};

}  // namespace dedup
