// Which words follow which in the texts of an index, as their fingerprints tell it; and where in
// another text they do not, since other words were put between them.
//
// In a text of its language a third of all pairs of neighbours are pairs that the index has more
// often than chance would have it, and of words that are not neighbours a fifth. Where every second
// word is of another text this is the other way round. So a window of a query is disturbed at a
// distance of k words if few of its neighbours go together and many of the words k apart do; how
// few is taken from the index itself, of whose windows so few are disturbed.
//
// Made of a sample, so it costs a millisecond whatever the size of the index. Immutable.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "segment.h"

namespace dedup {

// Ways in which a window may be disturbed: 0, its neighbours do not go together; k - 1, words that
// are k apart do so rather.
inline constexpr uint32_t kMostApart = 4;
inline constexpr uint32_t kDisturbances = kMostApart;

class WordOrder {
 public:
  static constexpr uint32_t kWindow = 64, kStep = 16;  // tokens

  explicit WordOrder(std::span<const std::shared_ptr<const Segment>> segments);

  // For each kStep tokens of a text, in which ways windows over them are disturbed, a bit each. All
  // of them where the index is too small to tell.
  std::vector<uint8_t> disturbed(std::span<const uint8_t> fingerprints) const;

 private:
  using Measures = std::array<int32_t, kDisturbances>;

  // Calls visit(first step, tokens, measures) for each window. A shorter text is one window.
  template <typename Visit>
  void each_window(std::span<const uint8_t> words, const Visit& visit) const;

  std::array<std::array<uint64_t, 4>, 256> pairs_{};  // bit: these two go together
  bool can_tell_ = false;
  Measures least_{};  // a window is disturbed whose measure is below
};

}  // namespace dedup
