// What hides words is done to many of them, and what looks like it by chance to one here and there:
// streaks tell the two apart.
#pragma once

#include <cstdint>
#include <vector>

namespace dedup {

// Calls accept(from, to) for each streak [from, to) of candidates, in order, whose scores add up to
// `least`. A streak begins and ends with a score above zero and never falls to zero in between, nor
// does it reach over more than `gap` bytes of other text. A candidate has a start, an end, a score.
template <typename Candidate, typename Accept>
void each_streak(const std::vector<Candidate>& candidates, double least, uint32_t gap,
                 Accept accept) {
  size_t from = 0, best_end = 0;
  double sum = 0, best = 0;
  const auto close = [&] {
    if (best >= least) accept(from, best_end);
    sum = best = 0;
  };
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (i > 0 && candidates[i].start - candidates[i - 1].end > gap) close();
    if (sum == 0 && candidates[i].score <= 0) continue;
    if (sum == 0) from = i;
    sum += candidates[i].score;
    if (sum <= 0) {
      close();
    } else if (sum > best) {
      best = sum;
      best_end = i + 1;
    }
  }
  close();
}

}  // namespace dedup
