#include "align.h"

#include <algorithm>
#include <array>
#include <limits>

namespace dedup {

namespace {

// A seed brings 4 or 5 equal tokens with it, so this asks for a few more near by. Of the places
// that unrelated speeches opened in an index of books it let 14 % through to an alignment; a run of
// the guaranteed 12 always passes.
constexpr uint32_t kScreenMatches = 8;
constexpr int32_t kBand = 16;       // diagonals below an extension's start; one less above it
constexpr int32_t kCells = 32;      // of a row: four vectors of 16-bit scores
constexpr int32_t kDrop = 20;       // an extension that has gained much bridges so many edits
constexpr int32_t kLeastDrop = 10;  // one that has gained nothing yet
constexpr uint32_t kMaxRows = 256;  // bounds traceback and scores; longer extensions start anew
constexpr int16_t kSlideRun = 16;   // so many equal tokens in a row are surely aligned
constexpr int16_t kNever = std::numeric_limits<int16_t>::min() / 2;

enum Step : int16_t { kDiagonalEqual, kDiagonal, kQueryOnly, kDocumentOnly };

// One extension, forwards (Sign 1) or backwards (Sign -1), from a point between tokens. Token i of
// the query's side is query[Sign * i]; equal runs are reported by how far they are from the point.
template <int Sign>
class Extension {
 public:
  // `gained` is the score on the other side of the point.
  Extension(const uint8_t* query, uint32_t query_tokens, const uint8_t* document,
            uint32_t document_tokens, int32_t gained, int32_t cost)
      : query_(query),
        document_(document),
        query_tokens_(query_tokens),
        document_tokens_(document_tokens),
        gained_(gained),
        cost_(static_cast<int16_t>(cost)) {}

  // Runs of equal tokens, nearest first, with distances from the point as positions.
  std::vector<Piece> run() {
    bool more = true;
    while (more) {
      slide();
      more = extend();
    }
    return std::move(pieces_);
  }

  int32_t gained() const { return gained_; }
  bool wants_more() const { return wants_more_; }

 private:
  // A row of the band. Cell k of row r is r query tokens and r + k - kBand document tokens on.
  struct Row {
    alignas(64) std::array<int16_t, kCells + 1> score;  // with a border above the last diagonal
    alignas(64) std::array<int16_t, kCells> run;        // equal tokens in a row up to here
  };

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
    const uint32_t limit = std::min(query_tokens_ - i_, document_tokens_ - j_);
    const uint8_t* query = query_ + Sign * static_cast<int64_t>(i_);
    const uint8_t* document = document_ + Sign * static_cast<int64_t>(j_);
    uint32_t length = 0;
    while (length < limit && query[Sign * static_cast<int64_t>(length)] ==
                                 document[Sign * static_cast<int64_t>(length)]) {
      ++length;
    }
    if (length) add(i_, j_, length);
    i_ += length;
    j_ += length;
    wants_more_ |= j_ == document_tokens_ && i_ < query_tokens_;
    gained_ += kMatchGain * static_cast<int32_t>(length);
  }

  // Aligns on from (i_, j_) until the score drops, or a place is reached from which sliding or a
  // fresh band serves better. Moves (i_, j_) to the best cell; false if there is no going on.
  bool extend() {
    const auto rows = static_cast<int32_t>(std::min(query_tokens_ - i_, kMaxRows));
    const auto columns = static_cast<int32_t>(
        std::min(document_tokens_ - j_, kMaxRows + static_cast<uint32_t>(kCells)));
    const int32_t drop = std::clamp(gained_ / 2 + 6, kLeastDrop, kDrop) * cost_;
    // The document's tokens in reading order of the extension, from kBand before the point.
    std::array<uint8_t, kMaxRows + 3 * kCells> document{};
    const uint8_t* from = document_ + Sign * static_cast<int64_t>(j_);
    for (int32_t j = 0; j < columns; ++j) document[static_cast<size_t>(j + kBand)] = from[Sign * j];

    Row now, before;
    before.score.fill(kNever);
    before.run.fill(0);
    now.score.fill(kNever);
    for (int32_t skipped = 0; skipped < kCells - kBand && skipped <= columns; ++skipped) {
      before.score[static_cast<size_t>(skipped + kBand)] = static_cast<int16_t>(-skipped * cost_);
    }
    int16_t best = 0;
    int32_t best_row = 0, best_k = kBand;
    bool again = false;
    for (int32_t row = 1; row <= rows; ++row) {
      const uint8_t token = query_[Sign * (static_cast<int64_t>(i_) + row - 1)];
      fill(token, &document[static_cast<size_t>(row - 1)], before, now, steps_[row]);
      // Cells before the document's point or after its end are no places.
      for (int32_t k = 0; k < kBand - row; ++k) now.score[static_cast<size_t>(k)] = kNever;
      for (int32_t k = std::max(0, columns - row + kBand + 1); k < kCells; ++k) {
        now.score[static_cast<size_t>(k)] = kNever;
        wants_more_ = true;
      }
      int16_t row_best = kNever;
      for (size_t k = 0; k < kCells; ++k) row_best = std::max(row_best, now.score[k]);
      if (row_best > best) {
        best = row_best;
        best_row = row;
        best_k = static_cast<int32_t>(
            std::find(now.score.begin(), now.score.begin() + kCells, best) - now.score.begin());
        const bool drifted = best_k < 4 || best_k >= kCells - 4;
        if (now.run[static_cast<size_t>(best_k)] >= kSlideRun || drifted) {
          again = true;
          break;
        }
      }
      if (row_best < best - drop) break;
      if (row == static_cast<int32_t>(kMaxRows)) again = best_row > 0;
      std::swap(now, before);
    }
    commit(best_row, best_k);
    gained_ += best;
    return again;
  }

  // One row from the one before. `document` is the token that cell 0 takes with `token`.
  void fill(uint8_t token, const uint8_t* document, const Row& before, Row& now,
            std::array<int16_t, kCells>& steps) const {
    const int16_t cost = cost_;
    const auto swing = static_cast<int16_t>(kMatchGain + cost);
    // What a gap in the query takes over from cells to the left, in steps of 1, 2, 4, 8 and 16.
    constexpr size_t kBorder = kCells / 2;
    alignas(64) std::array<int16_t, kBorder + kCells> left, further;
    std::array<int16_t, kCells> diagonal, upper, equal;
    for (size_t k = 0; k < kBorder; ++k) left[k] = further[k] = kNever;
    for (size_t k = 0; k < kCells; ++k) {
      equal[k] = static_cast<int16_t>(-(document[k] == token));  // all ones where equal
      diagonal[k] = static_cast<int16_t>(before.score[k] + (equal[k] & swing) - cost);
      upper[k] = static_cast<int16_t>(before.score[k + 1] - cost);
      now.run[k] = static_cast<int16_t>((before.run[k] + 1) & equal[k]);
      left[kBorder + k] = std::max(diagonal[k], upper[k]);
    }
    const auto take = [&](const auto& from, auto& to, size_t step) {
      const auto lost = static_cast<int16_t>(static_cast<int16_t>(step) * cost);
      for (size_t k = kBorder; k < kBorder + kCells; ++k) {
        to[k] = std::max<int16_t>(from[k], static_cast<int16_t>(from[k - step] - lost));
      }
    };
    take(left, further, 1);
    take(further, left, 2);
    take(left, further, 4);
    take(further, left, 8);
    take(left, further, 16);
    std::copy_n(&further[kBorder], kCells, now.score.begin());
    for (size_t k = 0; k < kCells; ++k) {
      const auto along = static_cast<int16_t>(kDiagonal + equal[k]);  // kDiagonalEqual is one less
      const int16_t aside = now.score[k] == upper[k] ? kQueryOnly : kDocumentOnly;
      steps[k] = now.score[k] == diagonal[k] ? along : aside;
    }
  }

  // Follows the steps from the best cell back to the point and keeps the equal runs.
  void commit(int32_t row, int32_t k) {
    const auto last_j = static_cast<uint32_t>(row + k - kBand);
    auto i = static_cast<uint32_t>(row);
    uint32_t j = last_j;
    std::vector<Piece> found;
    while (i > 0) {
      const int16_t step = steps_[i][j + kBand - i];
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
    i_ += static_cast<uint32_t>(row);
    j_ += last_j;
  }

  const uint8_t* query_;
  const uint8_t* document_;
  const uint32_t query_tokens_, document_tokens_;
  int32_t gained_;
  const int16_t cost_;
  uint32_t i_ = 0, j_ = 0;
  bool wants_more_ = false;
  std::vector<Piece> pieces_;
  std::array<std::array<int16_t, kCells>, kMaxRows + 1> steps_;  // of rows 1 and up
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

int32_t score_of(std::span<const Piece> pieces, int32_t cost) {
  int32_t score = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    score += kMatchGain * static_cast<int32_t>(pieces[i].length);
    if (i > 0) score -= cost * static_cast<int32_t>(edits_between(pieces[i - 1], pieces[i]));
  }
  return score;
}

Alignment align(Fingerprints query, Fingerprints document, uint32_t q, uint32_t d, int32_t cost) {
  Extension<1> forwards(query.data() + q, static_cast<uint32_t>(query.size()) - q,
                        document.data() + d, static_cast<uint32_t>(document.size()) - d, 0, cost);
  const auto after = forwards.run();
  // A backward extension reads query[-i]: it is given the last token before the point.
  Extension<-1> backwards(query.data() + q - 1, q, document.data() + d - 1, d, forwards.gained(),
                          cost);
  const auto before = backwards.run();
  Alignment alignment;
  alignment.wants_before = backwards.wants_more();
  alignment.wants_behind = forwards.wants_more();
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
  alignment.score = score_of(pieces, cost);
  return alignment;
}

}  // namespace dedup
