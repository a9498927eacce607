// A text in one view as it is looked up: its tokens and their seeds.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "align.h"
#include "lexemes.h"
#include "scheme.h"
#include "seeds.h"
#include "sequence.h"

namespace dedup {

// Gapped seeds are looked up as they are, with a word put into the hole, and with one taken out.
inline constexpr size_t kShifts = 3;
inline constexpr int32_t kShift[kShifts] = {0, 1, -1};

struct Query {
  uint32_t view = kTextView;
  Sequence sequence;
  const std::vector<uint32_t>* starts = nullptr;  // bytes of the tokens
  const std::vector<uint32_t>* ends = nullptr;
  const Lexemes* lexemes = nullptr;  // of the code views
  std::vector<TokenRange> units;     // of the `ast` view
  std::vector<Seed> tiles;
  std::vector<Seed> gapped[kShifts];
  std::vector<Seed> bands;  // of each window, or unit, `scheme.bands` in a row
  std::vector<uint32_t> window_starts;
  std::vector<uint32_t> unit_numbers;  // the units that have bands
  std::vector<bool> supplied;          // tokens that repeat the prompt; empty without one

  uint32_t size() const { return sequence.size(); }
  Fingerprints fingerprints() const { return {sequence.fingerprints.data(), sequence.size()}; }
};

// Adds the tiles and gapped seeds that the tokens added to the sequence since the last call make.
void extend_seeds(Query& query, const Scheme& scheme);
// Adds the bands of every window and unit; once, when the sequence is whole.
void add_bands(Query& query, const Scheme& scheme);

}  // namespace dedup
