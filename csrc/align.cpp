#include "align.h"

#include <algorithm>
#include <array>
#include <limits>

namespace dedup {

namespace {

constexpr int64_t kScreenTokens = 64;
// A tile hit brings 4 or 5 equal tokens with it; three or four more by chance among the other 59
// happen at one place in 300 where words agree by chance once in 100.
constexpr uint32_t kScreenMatches = 8;
constexpr int32_t kBand = 16;              // diagonals to either side of an extension's start
constexpr int32_t kCells = 2 * kBand + 1;  // of a row
constexpr int32_t kDrop = 20;              // an extension bridges so many replaced tokens
constexpr uint32_t kMaxRows = 4096;        // bounds the traceback; longer extensions start anew
constexpr uint32_t kSlideRun = 16;         // so many equal tokens in a row are surely aligned
constexpr int32_t kNever = std::numeric_limits<int32_t>::min() / 2;

enum Step : uint8_t { kDiagonalEqual, kDiagonal, kQueryOnly, kDocumentOnly, kStart };

// One extension, forwards (Sign 1) or backwards (Sign -1), from a point between tokens. Token i of
// the query's side is query[Sign * i]; equal runs are reported by how far they are from the point.
template <int Sign>
class Extension {
 public:
  Extension(const uint8_t* query, uint32_t query_tokens, const uint8_t* document,
            uint32_t document_tokens)
      : query_(query),
        document_(document),
        query_tokens_(query_tokens),
        document_tokens_(document_tokens) {}

  // Runs of equal tokens, nearest first, with distances from the point as positions.
  std::vector<Piece> run() {
    bool more = true;
    while (more) {
      slide();
      more = extend();
    }
    return std::move(pieces_);
  }

 private:
  bool equal(uint32_t i, uint32_t j) const {
    return query_[Sign * static_cast<int64_t>(i)] == document_[Sign * static_cast<int64_t>(j)];
  }

  void add(uint32_t i, uint32_t j, uint32_t length) {
    if (!pieces_.empty()) {
      Piece& last = pieces_.back();
      if (last.query + last.length == i && last.document + last.length == j) {
        last.length += length;
        return;
      }
    }
    pieces_.push_back({i, j, length});
  }

  void slide() {
    uint32_t length = 0;
    while (i_ + length < query_tokens_ && j_ + length < document_tokens_ &&
           equal(i_ + length, j_ + length)) {
      ++length;
    }
    if (length) add(i_, j_, length);
    i_ += length;
    j_ += length;
  }

  // Aligns on from (i_, j_) until the score drops, or a place is reached from which sliding or a
  // fresh band serves better. Moves (i_, j_) to the best cell; false if there is no going on.
  bool extend() {
    const auto rows = std::min(query_tokens_ - i_, kMaxRows);
    std::array<int32_t, kCells + 2> score, previous;  // a border on either side
    std::array<uint32_t, kCells + 2> run{}, previous_run{};
    previous.fill(kNever);
    score.fill(kNever);
    steps_.resize(kCells);
    // Row 0: only document tokens taken.
    for (int32_t k = 0; k < kCells; ++k) {
      const int32_t skipped = k - kBand;
      const bool inside =
          skipped >= 0 && static_cast<uint32_t>(skipped) <= document_tokens_ - j_;
      previous[static_cast<size_t>(k + 1)] = inside ? -skipped : kNever;
      steps_[static_cast<size_t>(k)] = skipped == 0 ? kStart : kDocumentOnly;
    }
    int32_t best = 0, best_k = kBand;
    uint32_t best_row = 0;
    bool again = false;
    for (uint32_t row = 1; row <= rows; ++row) {
      steps_.resize((row + 1) * static_cast<size_t>(kCells));
      uint8_t* step = &steps_[row * static_cast<size_t>(kCells)];
      int32_t row_best = kNever;
      for (int32_t k = 0; k < kCells; ++k) {
        const auto at = static_cast<size_t>(k + 1);
        const int64_t j = static_cast<int64_t>(row) + k - kBand;  // document tokens taken
        run[at] = 0;
        score[at] = kNever;
        step[k] = kStart;
        if (j < 0 || j > document_tokens_ - j_) continue;
        int32_t value = kNever;
        if (j > 0) {
          const bool same = equal(i_ + row - 1, j_ + static_cast<uint32_t>(j) - 1);
          value = previous[at] + (same ? kMatchGain : -1);
          step[k] = same ? kDiagonalEqual : kDiagonal;
          if (same) run[at] = previous_run[at] + 1;
        }
        if (previous[at + 1] - 1 > value) {
          value = previous[at + 1] - 1;
          step[k] = kQueryOnly;
        }
        if (score[at - 1] - 1 > value) {
          value = score[at - 1] - 1;
          step[k] = kDocumentOnly;
        }
        score[at] = value;
        row_best = std::max(row_best, value);
        if (value > best) {
          best = value;
          best_row = row;
          best_k = k;
        }
      }
      if (best_row == row) {
        const bool drifted = best_k < 4 || best_k >= kCells - 4;
        if (run[static_cast<size_t>(best_k + 1)] >= kSlideRun || drifted || row == kMaxRows) {
          again = true;
          break;
        }
      }
      if (row_best < best - kDrop) break;
      if (row == kMaxRows) again = best_row > 0;
      std::swap(score, previous);
      std::swap(run, previous_run);
    }
    commit(best_row, best_k);
    return again;
  }

  void commit(uint32_t row, int32_t k) {
    std::vector<Piece> found;  // from the best cell back to the start
    const uint32_t last_j = static_cast<uint32_t>(static_cast<int64_t>(row) + k - kBand);
    uint32_t i = row, j = last_j;
    for (;;) {
      const auto at = static_cast<int64_t>(j) - i + kBand;
      const uint8_t step = steps_[i * static_cast<size_t>(kCells) + static_cast<size_t>(at)];
      if (step == kStart) break;
      if (step == kDiagonalEqual) {
        if (!found.empty() && found.back().query == i_ + i && found.back().document == j_ + j) {
          --found.back().query;
          --found.back().document;
          ++found.back().length;
        } else {
          found.push_back({i_ + i - 1, j_ + j - 1, 1});
        }
      }
      if (step != kDocumentOnly) --i;
      if (step != kQueryOnly) --j;
    }
    for (auto piece = found.rbegin(); piece != found.rend(); ++piece) {
      add(piece->query, piece->document, piece->length);
    }
    i_ += row;
    j_ += last_j;
  }

  const uint8_t* query_;
  const uint8_t* document_;
  const uint32_t query_tokens_, document_tokens_;
  uint32_t i_ = 0, j_ = 0;
  std::vector<Piece> pieces_;
  std::vector<uint8_t> steps_;
};

uint32_t count_equal(const uint8_t* a, const uint8_t* b, size_t size) {
  uint8_t equal = 0;  // at most kScreenTokens, so a byte holds it and a vector holds many
  for (size_t i = 0; i < size; ++i) equal = static_cast<uint8_t>(equal + (a[i] == b[i]));
  return equal;
}

}  // namespace

Screened screen(Fingerprints query, Fingerprints document, int64_t q, int64_t d, int32_t reach) {
  const auto query_size = static_cast<int64_t>(query.size());
  const auto document_size = static_cast<int64_t>(document.size());
  uint32_t best = 0, second = 0;
  int64_t best_diagonal = 0, best_from = 0, best_to = 0;
  for (int64_t diagonal = d - q - reach; diagonal <= d - q + reach; ++diagonal) {
    const int64_t from = std::max({q - kScreenTokens / 2, int64_t{0}, -diagonal});
    const int64_t to = std::min({q + kScreenTokens / 2, query_size, document_size - diagonal});
    if (from >= to) continue;
    const uint32_t equal = count_equal(query.data() + from, document.data() + from + diagonal,
                                       static_cast<size_t>(to - from));
    if (equal > best) {
      second = best;
      best = equal;
      best_diagonal = diagonal;
      best_from = from;
      best_to = to;
    } else {
      second = std::max(second, equal);
    }
  }
  Screened screened;
  screened.passed = best >= kScreenMatches || best + second >= kScreenMatches * 5 / 4;
  if (!screened.passed) return screened;
  int64_t longest = 0, run = 0;
  for (int64_t i = best_from; i < best_to; ++i) {
    run = query[static_cast<size_t>(i)] == document[static_cast<size_t>(i + best_diagonal)]
              ? run + 1
              : 0;
    if (run > longest) {
      longest = run;
      screened.query = static_cast<uint32_t>(i - run + 1);
      screened.document = static_cast<uint32_t>(i - run + 1 + best_diagonal);
    }
  }
  return screened;
}

Alignment align(Fingerprints query, Fingerprints document, uint32_t q, uint32_t d) {
  // A backward extension reads query[-i - 1]: it is given the last token before the point.
  const auto before = Extension<-1>(query.data() + q - 1, q, document.data() + d - 1, d).run();
  const auto after =
      Extension<1>(query.data() + q, static_cast<uint32_t>(query.size()) - q, document.data() + d,
                   static_cast<uint32_t>(document.size()) - d)
          .run();
  Alignment alignment;
  auto& pieces = alignment.pieces;
  for (auto piece = before.rbegin(); piece != before.rend(); ++piece) {
    pieces.push_back(
        {q - piece->query - piece->length, d - piece->document - piece->length, piece->length});
  }
  for (const Piece& piece : after) {
    const Piece moved{q + piece.query, d + piece.document, piece.length};
    if (!pieces.empty() && pieces.back().query + pieces.back().length == moved.query &&
        pieces.back().document + pieces.back().length == moved.document) {
      pieces.back().length += moved.length;
    } else {
      pieces.push_back(moved);
    }
  }
  for (size_t i = 0; i < pieces.size(); ++i) {
    alignment.score += kMatchGain * static_cast<int32_t>(pieces[i].length);
    if (i == 0) continue;
    const uint32_t skipped_query = pieces[i].query - pieces[i - 1].query - pieces[i - 1].length;
    const uint32_t skipped_document =
        pieces[i].document - pieces[i - 1].document - pieces[i - 1].length;
    alignment.score -= static_cast<int32_t>(std::max(skipped_query, skipped_document));
  }
  return alignment;
}

}  // namespace dedup
