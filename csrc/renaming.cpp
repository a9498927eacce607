#include "renaming.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace dedup {

namespace {

// Shingles of so many tokens tell unrelated code, which has 31 different ones in common at the
// most, from copies of 60 tokens, which have over 40.
constexpr uint32_t kShapeTokens = 5;

}  // namespace

Alignment with_names(Alignment alignment, const Lexemes& lexemes, const Sequence& query,
                     Fingerprints fingerprints, std::span<const uint8_t> raws, int32_t cost) {
  struct Renamed {
    uint8_t to;
    uint32_t count;
  };
  std::unordered_map<uint64_t, Renamed> renaming;  // the majority by Boyer and Moore, 1981
  for (const Piece& piece : alignment.pieces) {
    for (uint32_t i = 0; i < piece.length; ++i) {
      const uint32_t q = piece.query + i;
      if (!is_name(query.classes[q])) continue;
      const uint8_t to = raws[piece.document + i];
      Renamed& known = renaming.try_emplace(lexemes.raws[q], Renamed{to, 0}).first->second;
      if (known.to == to) {
        ++known.count;
      } else if (--known.count == 0) {
        known = {to, 1};
      }
    }
  }
  const auto same = [&](uint32_t q, uint32_t d) {
    if (query.fingerprints[q] == fingerprints[d]) return true;
    if (!is_name(query.classes[q])) return false;
    if (query.raws[q] == raws[d]) return true;
    const auto known = renaming.find(lexemes.raws[q]);
    return known != renaming.end() && known->second.count >= 2 && known->second.to == raws[d];
  };

  std::vector<Piece> pieces;
  const auto add = [&](Piece piece) {
    if (!pieces.empty() && pieces.back().query + pieces.back().length == piece.query &&
        pieces.back().document + pieces.back().length == piece.document) {
      pieces.back().length += piece.length;
    } else {
      pieces.push_back(piece);
    }
  };
  Piece first = alignment.pieces.front();
  while (first.query > 0 && first.document > 0 && same(first.query - 1, first.document - 1)) {
    --first.query;
    --first.document;
    ++first.length;
  }
  add(first);
  for (size_t i = 1; i < alignment.pieces.size(); ++i) {
    const Piece& before = alignment.pieces[i - 1];
    const Piece& next = alignment.pieces[i];
    const uint32_t q = before.query + before.length, d = before.document + before.length;
    if (next.query - q == next.document - d) {
      for (uint32_t j = 0; q + j < next.query; ++j) {
        if (same(q + j, d + j)) add({q + j, d + j, 1});
      }
    }
    add(next);
  }
  Piece& last = pieces.back();
  while (last.query + last.length < query.size() && last.document + last.length < raws.size() &&
         same(last.query + last.length, last.document + last.length)) {
    ++last.length;
  }
  alignment.pieces = std::move(pieces);
  alignment.score = score_of(alignment.pieces, cost);
  return alignment;
}

void CodeComparison::add(const Alignment& alignment) {
  uint32_t run = 0, query_end = 0, document_end = 0;
  for (const Piece& piece : alignment.pieces) {
    if (piece.query != query_end || piece.document != document_end) run = 0;
    query_end = piece.query + piece.length;
    document_end = piece.document + piece.length;
    for (uint32_t i = 0; i < piece.length; ++i) {
      const uint32_t q = piece.query + i;
      const uint8_t raw = raws_[piece.document + i - first_];
      const bool same = query_.raws[q] == raw;
      run = same ? run + 1 : 0;
      counts_.same_run = std::max(counts_.same_run, run);
      counts_.same += same;
      if (same && lexemes_.telling[q]) telling_.insert(lexemes_.raws[q]);
      if (query_.classes[q] == static_cast<uint8_t>(LexemeClass::kName)) {
        ++counts_.names;
        counts_.renamed += !same;
        ++renaming_[lexemes_.raws[q]][raw];
      }
      if (i + kShapeTokens > piece.length) continue;
      uint64_t shape = 0;
      for (uint32_t j = 0; j < kShapeTokens; ++j) {
        shape = shape << 8 | query_.fingerprint_of_kind(q + j);
      }
      shapes_.insert(shape);
    }
  }
}

Agreement CodeComparison::agreement() const {
  Agreement agreement = counts_;
  uint32_t explained = 0;
  for (const auto& [name, others] : renaming_) {
    uint32_t most = 0;
    for (const auto& [other, count] : others) most = std::max(most, count);
    explained += most;
  }
  const auto free = static_cast<uint32_t>(renaming_.size());  // each name's first explains itself
  if (agreement.names > free) {
    agreement.consistency =
        static_cast<double>(explained - free) / static_cast<double>(agreement.names - free);
  }
  agreement.telling = static_cast<uint32_t>(telling_.size());
  agreement.distinct = static_cast<uint32_t>(shapes_.size());
  return agreement;
}

}  // namespace dedup
