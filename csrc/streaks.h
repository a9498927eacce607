// What hides words is done to many of them, and what looks like it by chance to one here and there:
// streaks tell the two apart.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace dedup {

// Calls accept(from, to) for each streak [from, to) of candidates, in order, whose scores add up to
// `least`. A streak begins and ends with a score above zero and never falls to zero in between, nor
// does it reach over more than `gap` bytes of other text. Behind and before it those that belong to
// it count as well, if they lie within `near` bytes. A candidate has a start, an end, a score.
template <typename Candidate, typename Belongs, typename Accept>
void each_streak(const std::vector<Candidate>& candidates, double least, uint32_t gap,
                 uint32_t near, Belongs belongs, Accept accept) {
  size_t from = 0, end = 0, done = 0;
  double sum = 0, best = 0;
  const auto apart = [&](size_t i) { return candidates[i].start - candidates[i - 1].end; };
  const auto close = [&] {
    if (best >= least) {
      while (from > done && belongs(candidates[from - 1]) && apart(from) <= near) --from;
      while (end < candidates.size() && belongs(candidates[end]) && apart(end) <= near) ++end;
      if (from < done) from = done;
      if (from < end) accept(from, end);
      done = std::max(done, end);
    }
    sum = best = 0;
  };
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (i > 0 && apart(i) > gap) close();
    if (sum == 0 && candidates[i].score <= 0) continue;
    if (sum == 0) from = i;
    sum += candidates[i].score;
    if (sum <= 0) {
      close();
    } else if (sum > best) {
      best = sum;
      end = i + 1;
    }
  }
  close();
}

}  // namespace dedup
