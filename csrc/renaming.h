// What two stretches of code have in common beyond their shape: the names.
//
// A name counts by how many names back the same one stood (sequence.h), and of what it is called an
// index keeps one byte. With it, aligned tokens tell how one side renames the other.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <unordered_map>
#include <unordered_set>

#include "align.h"
#include "lexemes.h"
#include "sequence.h"

namespace dedup {

// A name that stood last before the passage, or on the other side of an edit, looks changed though
// it is not. It is the same if it is so letter by letter, or if the rest of the passage renames it
// the same way: closes such gaps of an alignment, and goes on at both ends. `fingerprints` and
// `raws` are those of the document.
Alignment with_names(Alignment alignment, const Lexemes& lexemes, const Sequence& query,
                     Fingerprints fingerprints, std::span<const uint8_t> raws, int32_t cost);

// Of matched tokens.
struct Agreement {
  uint32_t same = 0;       // those that are the same letter by letter
  uint32_t same_run = 0;   // the longest run of them
  uint32_t names = 0;      // plain names
  uint32_t renamed = 0;    // those that differ
  double consistency = 1;  // share of the repeated among them that one renaming explains
  uint32_t telling = 0;    // different names and literals, not common ones, that are the same
  uint32_t distinct = 0;   // different shingles, whatever they are named: few if they repeat
};

// Adds up what the alignments of one passage agree on.
class CodeComparison {
 public:
  // `raws` are those of the document from its token `first` on, as far as alignments go.
  CodeComparison(const Lexemes& lexemes, const Sequence& query, const uint8_t* raws, uint32_t first)
      : lexemes_(lexemes), query_(query), raws_(raws), first_(first) {}

  void add(const Alignment& alignment);
  Agreement agreement() const;

 private:
  const Lexemes& lexemes_;
  const Sequence& query_;
  const uint8_t* raws_;
  const uint32_t first_;
  Agreement counts_;
  std::unordered_set<uint64_t> telling_, shapes_;
  std::unordered_map<uint64_t, std::map<uint8_t, uint32_t>> renaming_;
};

}  // namespace dedup
