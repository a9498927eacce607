#include "align.h"

#include <algorithm>
#include <array>
#include <limits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

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

// A row of the band. Cell k of row r is r query tokens and r + k - kBand document tokens on.
struct Row {
  alignas(64) std::array<int16_t, kCells> score;
  alignas(64) std::array<int16_t, kCells> run;  // equal tokens in a row up to here
};
using Steps = std::array<int16_t, kCells>;

// Makes a row and the steps to it from the row before. `document` is the token that cell 0 takes
// with `token`. Cells before `first` and behind `last` are no places. Returns the best score.
using FillRow = int16_t (*)(uint8_t token, const uint8_t* document, const Prices& prices,
                            int32_t first, int32_t last, const Row& before, Row& now, Steps& steps);

int16_t fill_row_portable(uint8_t token, const uint8_t* document, const Prices& prices,
                          int32_t first, int32_t last, const Row& before, Row& now, Steps& steps) {
  const auto cost = static_cast<int16_t>(prices.edit), extra = static_cast<int16_t>(prices.extra);
  const auto swing = static_cast<int16_t>(prices.gain + cost);
  std::array<int16_t, kCells> diagonal, upper, equal;
  for (size_t k = 0; k < kCells; ++k) {
    const int16_t above = k + 1 < kCells ? before.score[k + 1] : kNever;
    equal[k] = static_cast<int16_t>(-(document[k] == token));  // all ones where equal
    diagonal[k] = static_cast<int16_t>(before.score[k] + (equal[k] & swing) - cost);
    upper[k] = static_cast<int16_t>(above - extra);
    now.run[k] = static_cast<int16_t>((before.run[k] + 1) & equal[k]);
    now.score[k] = std::max(diagonal[k], upper[k]);
  }
  for (size_t k = 1; k < kCells; ++k) {
    now.score[k] = std::max<int16_t>(now.score[k], static_cast<int16_t>(now.score[k - 1] - cost));
  }
  int16_t best = kNever;
  for (size_t k = 0; k < kCells; ++k) {
    const auto along = static_cast<int16_t>(kDiagonal + equal[k]);  // kDiagonalEqual is one less
    const int16_t aside = now.score[k] == upper[k] ? kQueryOnly : kDocumentOnly;
    steps[k] = now.score[k] == diagonal[k] ? along : aside;
    const auto cell = static_cast<int32_t>(k);
    if (cell < first || cell > last) now.score[k] = kNever;
    best = std::max(best, now.score[k]);
  }
  return best;
}

#if defined(__x86_64__)

// Half a row, 16 cells.
using Half = __m256i;

[[gnu::target("avx2"), gnu::always_inline]] inline Half all(int16_t value) {
  return _mm256_set1_epi16(value);
}

[[gnu::target("avx2"), gnu::always_inline]] inline Half load_half(
    const std::array<int16_t, kCells>& cells, size_t half) {
  return _mm256_load_si256(reinterpret_cast<const Half*>(cells.data()) + half);
}

[[gnu::target("avx2"), gnu::always_inline]] inline void store_half(
    std::array<int16_t, kCells>& cells, size_t half, Half values) {
  _mm256_store_si256(reinterpret_cast<Half*>(cells.data()) + half, values);
}

// Cells 0 to 15 of the two halves moved on by so many cells, of which `low` has the first.
template <int cells>
[[gnu::target("avx2"), gnu::always_inline]] inline Half moved_on(Half low, Half high) {
  const Half middle = _mm256_permute2x128_si256(low, high, 0x21);
  return _mm256_alignr_epi8(high, middle, 16 - 2 * cells);
}

// Every cell is at least the one `cells` before it, less what so many gaps cost.
template <int cells>
[[gnu::target("avx2"), gnu::always_inline]] inline void take(Half& low, Half& high, int16_t cost) {
  const Half lost = all(static_cast<int16_t>(cells * cost));
  const Half above = moved_on<cells>(low, high), below = moved_on<cells>(all(kNever), low);
  low = _mm256_max_epi16(low, _mm256_sub_epi16(below, lost));
  high = _mm256_max_epi16(high, _mm256_sub_epi16(above, lost));
}

[[gnu::target("avx2")]] int16_t fill_row_avx2(uint8_t token, const uint8_t* document,
                                              const Prices& prices, int32_t first, int32_t last,
                                              const Row& before, Row& now, Steps& steps) {
  const auto cost = static_cast<int16_t>(prices.edit);
  const Half costs = all(cost), extra = all(static_cast<int16_t>(prices.extra));
  const Half swing = all(static_cast<int16_t>(prices.gain + cost));
  const __m256i equal_bytes =
      _mm256_cmpeq_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(document)),
                        _mm256_set1_epi8(static_cast<char>(token)));
  const Half equal[2] = {_mm256_cvtepi8_epi16(_mm256_castsi256_si128(equal_bytes)),
                         _mm256_cvtepi8_epi16(_mm256_extracti128_si256(equal_bytes, 1))};
  const Half score[2] = {load_half(before.score, 0), load_half(before.score, 1)};
  // One cell back: the high half's first comes behind the low half's last.
  const Half next[2] = {
      _mm256_alignr_epi8(_mm256_permute2x128_si256(score[0], score[1], 0x21), score[0], 2),
      _mm256_alignr_epi8(_mm256_permute2x128_si256(score[1], all(kNever), 0x21), score[1], 2)};
  Half diagonal[2], upper[2], best[2];
  for (size_t h = 0; h < 2; ++h) {
    diagonal[h] =
        _mm256_sub_epi16(_mm256_add_epi16(score[h], _mm256_and_si256(equal[h], swing)), costs);
    upper[h] = _mm256_sub_epi16(next[h], extra);
    const Half run = _mm256_sub_epi16(load_half(before.run, h), all(-1));
    store_half(now.run, h, _mm256_and_si256(run, equal[h]));
    best[h] = _mm256_max_epi16(diagonal[h], upper[h]);
  }
  take<1>(best[0], best[1], cost);
  take<2>(best[0], best[1], cost);
  take<4>(best[0], best[1], cost);
  take<8>(best[0], best[1], cost);
  best[1] = _mm256_max_epi16(
      best[1], _mm256_sub_epi16(best[0], all(static_cast<int16_t>(kCells / 2 * cost))));
  const Half numbers = _mm256_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (size_t h = 0; h < 2; ++h) {
    const Half along = _mm256_add_epi16(all(kDiagonal), equal[h]);
    const Half aside = _mm256_add_epi16(all(kDocumentOnly), _mm256_cmpeq_epi16(best[h], upper[h]));
    store_half(steps, h,
               _mm256_blendv_epi8(aside, along, _mm256_cmpeq_epi16(best[h], diagonal[h])));
    const Half cell = _mm256_add_epi16(numbers, all(static_cast<int16_t>(h * kCells / 2)));
    const Half outside = _mm256_or_si256(_mm256_cmpgt_epi16(all(static_cast<int16_t>(first)), cell),
                                         _mm256_cmpgt_epi16(cell, all(static_cast<int16_t>(last))));
    best[h] = _mm256_blendv_epi8(best[h], all(kNever), outside);
    store_half(now.score, h, best[h]);
  }
  // The largest of the sixteen: the smallest of what is left to the top of the unsigned range.
  const Half largest = _mm256_max_epi16(best[0], best[1]);
  const __m128i eight =
      _mm_max_epi16(_mm256_castsi256_si128(largest), _mm256_extracti128_si256(largest, 1));
  const __m128i lacking = _mm_sub_epi16(_mm_set1_epi16(std::numeric_limits<int16_t>::max()), eight);
  return static_cast<int16_t>(std::numeric_limits<int16_t>::max() -
                              _mm_extract_epi16(_mm_minpos_epu16(lacking), 0));
}

#else

constexpr FillRow fill_row_avx2 = fill_row_portable;

#endif

// One extension, forwards (Sign 1) or backwards (Sign -1), from a point between tokens. Token i of
// the query's side is query[Sign * i]; equal runs are reported by how far they are from the point.
template <int Sign>
class Extension {
 public:
  // `gained` is the score on the other side of the point.
  Extension(const uint8_t* query, uint32_t query_tokens, const uint8_t* document,
            uint32_t document_tokens, int32_t gained, const Prices& prices, FillRow fill)
      : query_(query),
        document_(document),
        query_tokens_(query_tokens),
        document_tokens_(document_tokens),
        gained_(gained),
        prices_(prices),
        fill_(fill) {}

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
    gained_ += prices_.gain * static_cast<int32_t>(length);
  }

  // Aligns on from (i_, j_) until the score drops, or a place is reached from which sliding or a
  // fresh band serves better. Moves (i_, j_) to the best cell; false if there is no going on.
  bool extend() {
    const auto rows = static_cast<int32_t>(std::min(query_tokens_ - i_, kMaxRows));
    const auto columns = static_cast<int32_t>(
        std::min(document_tokens_ - j_, kMaxRows + static_cast<uint32_t>(kCells)));
    const int32_t drop = std::clamp(gained_ / 2 + 6, kLeastDrop, kDrop) * prices_.edit;
    // The document's tokens in reading order of the extension, from kBand before the point.
    std::array<uint8_t, kMaxRows + 3 * kCells> document{};
    const uint8_t* from = document_ + Sign * static_cast<int64_t>(j_);
    for (int32_t j = 0; j < columns; ++j) document[static_cast<size_t>(j + kBand)] = from[Sign * j];

    Row now, before;
    before.score.fill(kNever);
    before.run.fill(0);
    now.score.fill(kNever);
    for (int32_t skipped = 0; skipped < kCells - kBand && skipped <= columns; ++skipped) {
      before.score[static_cast<size_t>(skipped + kBand)] =
          static_cast<int16_t>(-skipped * prices_.edit);
    }
    // Where tokens of the query are skipped cheaply, many may be.
    const int32_t least_k = prices_.extra < prices_.edit ? kBand / 2 : 4;
    int16_t best = 0;
    int32_t best_row = 0, best_k = kBand;
    bool again = false;
    for (int32_t row = 1; row <= rows; ++row) {
      const uint8_t token = query_[Sign * (static_cast<int64_t>(i_) + row - 1)];
      const int32_t last = columns - row + kBand;  // cells behind it are behind the document's end
      wants_more_ |= last < kCells - 1;
      const int16_t row_best = fill_(token, &document[static_cast<size_t>(row - 1)], prices_,
                                     kBand - row, last, before, now, steps_[row]);
      if (row_best > best) {
        best = row_best;
        best_row = row;
        best_k = static_cast<int32_t>(
            std::find(now.score.begin(), now.score.begin() + kCells, best) - now.score.begin());
        const bool drifted = best_k < least_k || best_k >= kCells - 4;
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
  const Prices prices_;
  const FillRow fill_;
  uint32_t i_ = 0, j_ = 0;
  bool wants_more_ = false;
  std::vector<Piece> pieces_;
  alignas(64) std::array<Steps, kMaxRows + 1> steps_;  // of rows 1 and up
};

// How many of kScreenTokens, or of fewer, are equal.
using CountEqual = uint32_t (*)(const uint8_t* a, const uint8_t* b, size_t size);

uint32_t count_equal_portable(const uint8_t* a, const uint8_t* b, size_t size) {
  uint8_t equal = 0;  // at most kScreenTokens, so a byte holds it and a vector holds many
  for (size_t i = 0; i < size; ++i) equal = static_cast<uint8_t>(equal + (a[i] == b[i]));
  return equal;
}

#if defined(__x86_64__)

[[gnu::target("avx2,popcnt")]] uint32_t count_equal_avx2(const uint8_t* a, const uint8_t* b,
                                                         size_t size) {
  if (size != kScreenTokens) return count_equal_portable(a, b, size);
  const auto* left = reinterpret_cast<const __m256i*>(a);
  const auto* right = reinterpret_cast<const __m256i*>(b);
  uint32_t equal = 0;
  for (size_t half = 0; half < 2; ++half) {
    const __m256i same =
        _mm256_cmpeq_epi8(_mm256_loadu_si256(left + half), _mm256_loadu_si256(right + half));
    equal += static_cast<uint32_t>(
        __builtin_popcount(static_cast<uint32_t>(_mm256_movemask_epi8(same))));
  }
  return equal;
}

#else

constexpr CountEqual count_equal_avx2 = count_equal_portable;

#endif

}  // namespace

Screened screen(Fingerprints query, Fingerprints document, int64_t q, int64_t d, int32_t reach,
                Dispatch dispatch) {
  const CountEqual count_equal = use_avx2(dispatch) ? count_equal_avx2 : count_equal_portable;
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

int32_t score_of(std::span<const Piece> pieces, const Prices& prices) {
  int32_t score = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    score += prices.gain * static_cast<int32_t>(pieces[i].length);
    if (i == 0) continue;
    const auto edits = static_cast<int32_t>(edits_between(pieces[i - 1], pieces[i]));
    const auto apart =
        static_cast<int32_t>(pieces[i].document - pieces[i - 1].document - pieces[i - 1].length);
    // Those that the document has no token for.
    score -= prices.edit * apart + prices.extra * (edits - apart);
  }
  return score;
}

Alignment align(Fingerprints query, Fingerprints document, uint32_t q, uint32_t d,
                const Prices& prices, Dispatch dispatch) {
  const FillRow fill = use_avx2(dispatch) ? fill_row_avx2 : fill_row_portable;
  Extension<1> forwards(query.data() + q, static_cast<uint32_t>(query.size()) - q,
                        document.data() + d, static_cast<uint32_t>(document.size()) - d, 0, prices,
                        fill);
  const auto after = forwards.run();
  // A backward extension reads query[-i]: it is given the last token before the point.
  Extension<-1> backwards(query.data() + q - 1, q, document.data() + d - 1, d, forwards.gained(),
                          prices, fill);
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
  alignment.score = score_of(pieces, prices);
  return alignment;
}

}  // namespace dedup
