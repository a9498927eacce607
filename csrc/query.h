// A text in one view as it is looked up: its tokens, and the bands of its windows or units. Its
// tiles and gapped seeds are read off it as they are looked up (seed_block.h).
#pragma once

#include <cstdint>
#include <vector>

#include "align.h"
#include "lexemes.h"
#include "scheme.h"
#include "seeds.h"
#include "sequence.h"

namespace dedup {

struct Query {
  uint32_t view = kTextView;
  Sequence sequence;
  const std::vector<uint32_t>* starts = nullptr;  // bytes of the tokens
  const std::vector<uint32_t>* ends = nullptr;
  const Lexemes* lexemes = nullptr;  // of the code views
  std::vector<TokenRange> units;     // of the `ast` view
  std::vector<Seed> bands;           // of each window, or unit, `scheme.bands` in a row
  std::vector<uint32_t> window_starts;
  std::vector<uint32_t> unit_numbers;  // the units that have bands
  std::vector<bool> supplied;          // tokens that repeat the prompt; empty without one

  uint32_t size() const { return sequence.size(); }
  Fingerprints fingerprints() const { return {sequence.fingerprints.data(), sequence.size()}; }
};

// Adds the bands of every window and unit; once, when the sequence is whole.
void add_bands(Query& query, const Scheme& scheme);

}  // namespace dedup
