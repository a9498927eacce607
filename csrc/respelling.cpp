#include "respelling.h"

#include "leet.h"
#include "look_alikes.h"
#include "word_cuts.h"

namespace dedup {
namespace {

// What is drawn may be leet, and what is spaced may be both: what one undoes may uncover the next.
constexpr int kRounds = 4;

}  // namespace

std::optional<Reading> respelled(std::string_view utf8, const Vocabulary& vocabulary) {
  std::optional<Reading> whole;
  for (int round = 0; round < kRounds; ++round) {
    bool changed = false;
    for (const auto stage : {without_look_alikes, without_leet, with_words_cut}) {
      std::optional<Reading> next = stage(whole ? whole->text() : utf8, vocabulary);
      if (!next) continue;
      whole = whole ? next->of(*whole) : std::move(*next);
      changed = true;
    }
    if (!changed) break;
  }
  return whole;
}

}  // namespace dedup
