// Which words follow which in the texts of an index, as their fingerprints tell it; and where in
// another text they do not, since other words were put between them.
//
// A pair of words is worth the logarithm of how much oftener than by chance the index has it. In a
// text of its language neighbours are worth much and words further apart little, like any two words
// of any text. Where every third word is of another text, words three apart are worth more than
// neighbours. So a window of a query is disturbed in that way if the worth of its neighbours is
// low, and less, and that of the others more, than in all but a few windows of the index itself.
//
// Made of a sample of the index: it costs two milliseconds, whatever its size. Immutable.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "segment.h"

namespace dedup {

class WordOrder {
 public:
  static constexpr uint32_t kWindow = 64, kStep = 16;  // tokens
  // Ways in which a window may be disturbed: words of one text are 2 to kMostApart apart, or some
  // of them two and some three.
  static constexpr uint32_t kMostApart = 8, kWays = kMostApart, kTwoOrThree = kWays - 1;
  static constexpr uint32_t way_of(uint32_t apart) { return apart - 2; }

  explicit WordOrder(std::span<const std::shared_ptr<const Segment>> segments);

  // For each kStep tokens of a text, in which ways windows over them are disturbed, a bit each. All
  // of them where the index is too small to tell.
  std::vector<uint8_t> disturbed(std::span<const uint8_t> fingerprints) const;

 private:
  using Worths = std::array<int32_t, kMostApart>;  // by how far apart words are, less one
  using Measures = std::array<int32_t, kWays>;

  int32_t worth(std::span<const uint8_t> words, size_t from, size_t to, size_t apart) const;
  // The worth of words as far apart as in each way, twice.
  static Measures measures(const Worths& worths);

  std::vector<int8_t> worths_;  // of each pair, by both fingerprints; empty where it can't be told
  // A window is disturbed if its neighbours are worth less than this, and than the others by more
  // than this, and those more than this.
  int32_t most_near_ = 0;
  Measures most_lead_{};
  int32_t least_far_ = 0;
};

}  // namespace dedup
