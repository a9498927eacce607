#include "word_order.h"

#include <algorithm>
#include <cmath>

namespace dedup {

namespace {

// Learnt from a quarter as many, one in twenty fewer of the disturbed windows are told from others.
constexpr uint64_t kStretches = 256, kStretchTokens = 1024;
// Of an index of fewer nothing can be told.
constexpr uint64_t kLeastTokens = 1 << 15;
// Worth is in eighths of a bit, and no single pair decides.
constexpr double kUnits = 8, kLeastWorth = -2, kMostWorth = 3;
// Of 10,000 windows of the index so many have neighbours worth little enough to look at the others,
// and so many have them worth that little beside the others, in each way. With 25 speeches take
// twice as many look-ups, and of 60 words with one put in after every second 82 % are found,
// not 74.
constexpr size_t kNear = 400, kLead = 18;
// And so many are worth as much between words kMostApart apart, which are any two words.
constexpr size_t kFar = 1500;

constexpr size_t kSteps = WordOrder::kWindow / WordOrder::kStep;

int32_t quantile(std::vector<int32_t>& values, size_t of_10000) {
  const auto at = values.begin() + static_cast<ptrdiff_t>(values.size() * of_10000 / 10000);
  std::ranges::nth_element(values, at);
  return *at;
}

}  // namespace

WordOrder::WordOrder(std::span<const std::shared_ptr<const Segment>> segments) {
  uint64_t tokens = 0;
  for (const auto& segment : segments) tokens += segment->tokens();
  if (tokens < kLeastTokens) return;

  // Learnt from one half of the sample, measured on the other.
  Scratch scratch;
  const auto each_stretch = [&](uint64_t first, const auto& visit) {
    for (uint64_t stretch = first; stretch < kStretches; stretch += 2) {
      uint64_t at = tokens * stretch / kStretches;
      auto segment = segments.begin();
      for (; at >= (*segment)->tokens(); ++segment) at -= (*segment)->tokens();
      const uint64_t size =
          std::min({tokens / kStretches, kStretchTokens, (*segment)->tokens() - at});
      visit(std::span((*segment)->view(kTextView).fingerprints(at, size, scratch), size));
    }
  };
  std::vector<uint32_t> pairs(1 << 16);
  std::array<uint32_t, 256> words{};
  uint32_t all = 0;
  each_stretch(0, [&](std::span<const uint8_t> stretch) {
    for (size_t i = 0; i + 1 < stretch.size(); ++i) {
      ++pairs[size_t{stretch[i]} << 8 | stretch[i + 1]];
      ++words[stretch[i]];
      ++all;
    }
  });
  if (all == 0) return;  // segments of a word each
  worths_.resize(pairs.size());
  for (size_t pair = 0; pair < pairs.size(); ++pair) {
    const size_t first = pair >> 8, next = pair & 255;
    if (first == next) continue;  // a filler beside itself is worth nothing, and costs nothing
    const double by_chance = static_cast<double>(words[first]) * words[next] / all;
    const double bits = std::log2((pairs[pair] + 1) / (by_chance + 1));
    worths_[pair] =
        static_cast<int8_t>(std::lround(kUnits * std::clamp(bits, kLeastWorth, kMostWorth)));
  }

  std::vector<int32_t> nears;
  std::array<std::vector<int32_t>, kWays> leads;
  std::vector<int32_t> fars;
  each_stretch(1, [&](std::span<const uint8_t> stretch) {
    std::array<Worths, kSteps> steps{};
    for (size_t to = kStep; to <= stretch.size(); to += kStep) {
      Worths own{};
      for (size_t apart = 1; apart <= kMostApart; ++apart) {
        steps[to / kStep % kSteps][apart - 1] = worth(stretch, to - kStep, to, apart);
        for (const Worths& step : steps) own[apart - 1] += step[apart - 1];
      }
      if (to < kWindow) continue;
      const Measures measured = measures(own);
      nears.push_back(own[0]);
      fars.push_back(2 * own.back());
      for (size_t way = 0; way < kWays; ++way) leads[way].push_back(2 * own[0] - measured[way]);
    }
  });
  if (nears.empty()) {  // all segments are shorter than a window
    worths_.clear();
    return;
  }
  most_near_ = quantile(nears, kNear);
  least_far_ = quantile(fars, 10000 - kFar);
  for (size_t way = 0; way < kWays; ++way) most_lead_[way] = quantile(leads[way], kLead);
}

int32_t WordOrder::worth(std::span<const uint8_t> words, size_t from, size_t to,
                         size_t apart) const {
  int32_t sum = 0;
  to = std::min(to, words.size() - std::min(words.size(), apart));
  for (size_t i = from; i < to; ++i) sum += worths_[size_t{words[i]} << 8 | words[i + apart]];
  return sum;
}

WordOrder::Measures WordOrder::measures(const Worths& worths) {
  Measures measures{};
  for (uint32_t apart = 2; apart <= kMostApart; ++apart) {
    measures[way_of(apart)] = 2 * worths[apart - 1];
  }
  measures[kTwoOrThree] = worths[1] + worths[2];
  return measures;
}

std::vector<uint8_t> WordOrder::disturbed(std::span<const uint8_t> words) const {
  const size_t steps = (words.size() + kStep - 1) / kStep;
  std::vector<uint8_t> ways(steps, worths_.empty() ? 0xFF : 0);
  if (worths_.empty()) return ways;
  std::vector<Worths> worths(steps);  // those further apart only where they are asked for
  for (size_t step = 0; step < steps; ++step) {
    worths[step][0] = worth(words, step * kStep, (step + 1) * kStep, 1);
  }
  size_t known = 0;  // steps of which the rest is known, but for some before the window
  for (size_t first = 0; first == 0 || first + kSteps <= steps; ++first) {
    const size_t last = std::min(first + kSteps, steps);
    Worths own{};
    for (size_t step = first; step < last; ++step) own[0] += worths[step][0];
    // A text that is shorter is a smaller window.
    const auto size = static_cast<int32_t>(std::min(last * kStep, words.size()) - first * kStep);
    const auto scaled = [&](int32_t of_window) { return of_window * size / int32_t{kWindow}; };
    if (own[0] >= scaled(most_near_)) continue;
    for (known = std::max(known, first); known < last; ++known) {
      for (size_t apart = 2; apart <= kMostApart; ++apart) {
        worths[known][apart - 1] = worth(words, known * kStep, (known + 1) * kStep, apart);
      }
    }
    for (size_t step = first; step < last; ++step) {
      for (size_t apart = 2; apart <= kMostApart; ++apart) {
        own[apart - 1] += worths[step][apart - 1];
      }
    }
    const Measures measured = measures(own);
    uint32_t found = 0;
    for (size_t way = 0; way < kWays; ++way) {
      const bool is_disturbed = 2 * own[0] - measured[way] < scaled(most_lead_[way]) &&
                                measured[way] > scaled(least_far_);
      found |= uint32_t{is_disturbed} << way;
    }
    for (size_t step = first; step < last; ++step) {
      ways[step] = static_cast<uint8_t>(ways[step] | found);
    }
  }
  return ways;
}

}  // namespace dedup
