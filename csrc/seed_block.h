// The tiles and gapped seeds of a query, 64 tokens at a time.
//
// They are those of tile_seed() and gapped_seed(), which make one by itself. Made together they
// share most of their work: of words, the sums of a gapped seed's two parts, each of which three
// seeds are made of; of lexemes, the sum of a tile, which is that of the tile before less its first
// token and with one more.
#pragma once

#include <array>
#include <cstdint>

#include "cpu.h"
#include "scheme.h"
#include "seeds.h"
#include "sequence.h"

namespace dedup {

// Gapped seeds are looked up as they are, with a word put into the hole, and with one taken out.
inline constexpr size_t kShifts = 3;
inline constexpr int32_t kShift[kShifts] = {0, 1, -1};

struct SeedBlock {
  static constexpr uint32_t kTokens = 64;
  static constexpr uint32_t kKinds = 1 + kShifts;  // tiles, and gapped seeds by shift

  uint32_t first = 0;                // token at which the first begin
  uint32_t tokens = 0;               // at so many of them a tile begins
  uint32_t kinds = 0;                // of the scheme: 1, or kKinds
  uint64_t present[kKinds] = {};     // bit i: there is one at token first + i
  Seed seeds[kKinds][kTokens] = {};  // of others whatever
};

// Reads a sequence from its beginning; both outlive it.
class SeedReader {
 public:
  SeedReader(const Sequence& sequence, const Scheme& scheme, Dispatch dispatch = Dispatch::best);

  // Replaces `block` by what follows the one before; false if no tile does.
  bool next(SeedBlock& block);

 private:
  void read_words(SeedBlock& block);
  void read_lexemes(SeedBlock& block);
  // Lets the tile of lexemes go on by a token, so that it begins with `first`.
  void enter(size_t token, size_t first);
  void leave(size_t token);

  const Sequence& sequence_;
  const Scheme& scheme_;
  const bool use_avx2_;
  uint32_t next_ = 0;

  // The tile of lexemes that begins at next_, once there is one.
  uint64_t sum_ = 0;
  uint32_t distinct_ = 0, side_by_side_ = 0;
  std::array<uint8_t, 64> kinds_{};         // tokens of each kind
  std::array<uint32_t, 32> linked_from_{};  // of token i % 32: 1 + the one in the tile linked to it
};

}  // namespace dedup
