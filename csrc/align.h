// Query fingerprints against document fingerprints -> aligned pieces.
//
// screen()  tells in some 50 ns whether a place is worth aligning.
// align()   extends an anchor both ways by banded alignment with an X-drop (Altschul et al.,
//           Gapped BLAST, 1997): a match gains 2, a mismatch or a gap costs 1 or 2, and an
//           extension ends once it is so far below its best. Long runs of equal tokens are slid
//           over, so a verbatim copy costs a comparison a token; edits cost a band of 32 cells a
//           token.
//
// Both take spans of fingerprints (the top byte of each keyed token): unequal tokens agree by
// chance once in 256. Pure functions; memory is 16 kB of stack whatever the lengths.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "cpu.h"

namespace dedup {

inline constexpr int32_t kMatchGain = 2;
// What a mismatch or a gap costs. Words agree by chance once in 256, lexemes once in ten: at a cost
// of 1 unrelated code would align for ever, as LCS covers over two fifths of it.
inline constexpr int32_t kWordCost = 1, kLexemeCost = 2;

// What an equal pair gains, what an edit costs, and what a token of the query costs that stands
// between those of the document.
struct Prices {
  int32_t gain, edit, extra;

  static constexpr Prices of(int32_t cost) { return {kMatchGain, cost, cost}; }
};

// A run of equal tokens: query [query, query + length) = document [document, document + length).
struct Piece {
  uint32_t query, document, length;
};

// Columns of an alignment between two pieces that follow each other, each an edit.
inline uint32_t edits_between(const Piece& before, const Piece& after) {
  return std::max(after.query - before.query, after.document - before.document) - before.length;
}

int32_t score_of(std::span<const Piece> pieces, const Prices& prices);
inline int32_t score_of(std::span<const Piece> pieces, int32_t cost) {
  return score_of(pieces, Prices::of(cost));
}

struct Alignment {
  std::vector<Piece> pieces;  // increasing in both; never touching on one diagonal
  int32_t score = 0;          // gains less costs, from the first piece to the last
  // Whether tokens before the first, or behind the last, of the document that was given would have
  // been looked at; otherwise they change nothing.
  bool wants_before = false, wants_behind = false;

  uint32_t query_from() const { return pieces.front().query; }
  uint32_t query_to() const { return pieces.back().query + pieces.back().length; }
  uint32_t document_from() const { return pieces.front().document; }
  uint32_t document_to() const { return pieces.back().document + pieces.back().length; }
};

using Fingerprints = std::span<const uint8_t>;

// Where a screen saw most agreement: a run of equal tokens to anchor an alignment at.
struct Screened {
  bool passed = false;
  uint32_t query = 0, document = 0;
};

inline constexpr int64_t kScreenTokens = 64;

// Counts equal fingerprints over kScreenTokens around query position q on each diagonal within
// `reach` of the one through (q, d). Passes if one diagonal has kScreenMatches, or its best two 25
// % more.
Screened screen(Fingerprints query, Fingerprints document, int64_t q, int64_t d, int32_t reach,
                Dispatch dispatch = Dispatch::best);

// The best alignment through the anchor (q, d). Empty if nothing around it agrees.
Alignment align(Fingerprints query, Fingerprints document, uint32_t q, uint32_t d,
                const Prices& prices, Dispatch dispatch = Dispatch::best);
inline Alignment align(Fingerprints query, Fingerprints document, uint32_t q, uint32_t d,
                       int32_t cost, Dispatch dispatch = Dispatch::best) {
  return align(query, document, q, d, Prices::of(cost), dispatch);
}

}  // namespace dedup
