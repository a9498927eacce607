#include "word_order.h"

#include <algorithm>

namespace dedup {

namespace {

// With a quarter of these tokens half as many disturbed windows are told from others.
constexpr uint64_t kStretches = 128, kStretchTokens = 1024;
// Of an index of fewer nothing can be told.
constexpr uint64_t kLeastTokens = 1 << 15;
// A pair goes together if it comes so many times, and so much oftener than by chance.
constexpr uint32_t kLeastPairs = 2;
constexpr double kLeastRatio = 1.5;
// Of the windows of the index so many in a hundred are disturbed, in each way.
constexpr size_t kDisturbedPercent = 2;

}  // namespace

WordOrder::WordOrder(std::span<const std::shared_ptr<const Segment>> segments) {
  uint64_t tokens = 0;
  for (const auto& segment : segments) tokens += segment->tokens();
  can_tell_ = tokens >= kLeastTokens;
  if (!can_tell_) return;

  Scratch scratch;
  const auto each_stretch = [&](uint64_t first, const auto& visit) {
    for (uint64_t stretch = first; stretch < kStretches; stretch += 2) {
      uint64_t at = tokens * stretch / kStretches, size = tokens / kStretches;
      size = std::min(size, kStretchTokens);
      for (const auto& segment : segments) {
        if (at >= segment->tokens()) {
          at -= segment->tokens();
          continue;
        }
        size = std::min(size, segment->tokens() - at);
        visit(std::span(segment->view(kTextView).fingerprints(at, size, scratch), size));
        break;
      }
    }
  };
  std::vector<uint32_t> pairs(1 << 16);
  std::array<uint64_t, 256> words{};
  uint64_t all = 0;
  each_stretch(0, [&](std::span<const uint8_t> stretch) {
    for (size_t i = 0; i + 1 < stretch.size(); ++i) {
      ++pairs[size_t{stretch[i]} << 8 | stretch[i + 1]];
      ++words[stretch[i]];
    }
    all += stretch.size();
  });
  for (size_t pair = 0; pair < pairs.size(); ++pair) {
    const size_t word = pair >> 8, next = pair & 255;
    const double by_chance = static_cast<double>(words[word]) * static_cast<double>(words[next]) /
                             static_cast<double>(all);
    if (pairs[pair] >= kLeastPairs && pairs[pair] >= kLeastRatio * by_chance) {
      pairs_[word][next / 64] |= 1ull << (next % 64);
    }
  }
  std::array<std::vector<int32_t>, kDisturbances> measures;
  each_stretch(1, [&](std::span<const uint8_t> stretch) {
    each_window(stretch, [&](size_t, size_t size, const Measures& own) {
      if (size < kWindow) return;
      for (size_t way = 0; way < kDisturbances; ++way) measures[way].push_back(own[way]);
    });
  });
  for (size_t way = 0; way < kDisturbances; ++way) {
    auto& sorted = measures[way];
    const auto at =
        sorted.begin() + static_cast<ptrdiff_t>(sorted.size() * kDisturbedPercent / 100);
    if (sorted.empty()) continue;
    std::ranges::nth_element(sorted, at);
    least_[way] = *at;
  }
}

template <typename Visit>
void WordOrder::each_window(std::span<const uint8_t> words, const Visit& visit) const {
  constexpr size_t kSteps = kWindow / kStep;
  std::array<Measures, kSteps> steps{};  // of the last steps, pairs by how far apart, less one
  Measures sums{};
  const size_t count = (words.size() + kStep - 1) / kStep;
  for (size_t step = 0; step < count; ++step) {
    Measures& own = steps[step % kSteps];
    for (size_t way = 0; way < own.size(); ++way) sums[way] -= own[way];
    own = {};
    const size_t to = std::min(words.size(), (step + 1) * kStep);
    for (size_t i = step * kStep; i < to; ++i) {
      const auto& row = pairs_[words[i]];
      for (size_t apart = 1; apart <= kMostApart && i + apart < words.size(); ++apart) {
        const uint8_t next = words[i + apart];
        own[apart - 1] += static_cast<int32_t>(row[next / 64] >> (next % 64) & 1);
      }
    }
    for (size_t way = 0; way < own.size(); ++way) sums[way] += own[way];
    const bool is_last = step + 1 == count;
    if (step + 1 < kSteps && !is_last) continue;
    const size_t first = step + 1 < kSteps ? 0 : step + 1 - kSteps;
    Measures measures{sums[0]};
    for (size_t way = 1; way < measures.size(); ++way) measures[way] = sums[0] - sums[way];
    visit(first, to - first * kStep, measures);
  }
}

std::vector<uint8_t> WordOrder::disturbed(std::span<const uint8_t> words) const {
  const size_t count = (words.size() + kStep - 1) / kStep;
  if (!can_tell_) return std::vector<uint8_t>(count, (1u << kDisturbances) - 1);
  std::vector<uint8_t> steps(count);
  each_window(words, [&](size_t first, size_t size, const Measures& measures) {
    uint8_t ways = 0;
    for (size_t way = 0; way < kDisturbances; ++way) {
      const bool is_low =
          measures[way] * int32_t{kWindow} < least_[way] * static_cast<int32_t>(size);
      ways = static_cast<uint8_t>(ways | uint32_t{is_low} << way);
    }
    if (ways == 0) return;
    for (size_t step = first; step < first + (size + kStep - 1) / kStep; ++step)
      steps[step] |= ways;
  });
  return steps;
}

}  // namespace dedup
