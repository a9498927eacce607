#include "sifting.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "align.h"
#include "cpu.h"
#include "seeds.h"

namespace dedup {

namespace {

using seeds_detail::kPowers;

constexpr uint32_t kTile = 5;  // words of a tile that has patterns
constexpr uint32_t kMostGap = WordOrder::kMostApart;
constexpr uint32_t kReach = kMostGap * (kTile - 1);  // of a pattern's last word
constexpr uint32_t kBlock = 64;                      // tokens that are looked up together
// So many blocks of a query are looked up wherever they are disturbed, and behind them one in so
// many: an answer is shorter, and a corpus of tables and code would take three times as long.
constexpr uint32_t kAllBlocks = 32, kBlockShare = 8;
// Seeds of so few places of a block are made one by one.
constexpr int kFew = 12;

// An equal word gains what twelve between cost, so that every eighth word goes on being found.
constexpr Prices kSifted{12, 8, 1};
constexpr uint32_t kLeastWords = 12;
constexpr uint32_t kFirstReach = 128;    // tokens of a document around an anchor; grows if wanted
constexpr uint32_t kMaxAlignments = 64;  // of a query, and one more for each block

struct Pattern {
  std::array<uint8_t, kTile> at{};  // of its words
  uint8_t way = 0;                  // in which a text that it finds something in is disturbed
};

// Patterns by the way in which texts are disturbed that they find something in.
constexpr auto kPatterns = [] {
  std::array<Pattern, 64> patterns{};
  size_t count = 0;
  const auto add = [&](uint32_t way, std::array<uint32_t, kTile - 1> gaps) {
    Pattern& pattern = patterns[count++];
    pattern.way = static_cast<uint8_t>(way);
    for (size_t j = 1; j < kTile; ++j) {
      pattern.at[j] = static_cast<uint8_t>(pattern.at[j - 1] + gaps[j - 1]);
    }
  };
  const auto add_mixed = [&](uint32_t way, uint32_t low, uint32_t high) {
    for (uint32_t bits = 0; bits < 16; ++bits) {
      if (bits == 0 || (bits == 15 && high == 3)) continue;  // see below
      const auto gap = [&](uint32_t j) { return bits >> j & 1 ? high : low; };
      add(way, {gap(0), gap(1), gap(2), gap(3)});
    }
  };
  add_mixed(WordOrder::way_of(2), 1, 2);  // up to one word between two; and every second word
  add(WordOrder::way_of(3), {3, 3, 3, 3});
  for (const auto& [period, way] :
       {std::pair{3u, WordOrder::way_of(3)}, std::pair{4u, WordOrder::way_of(4)}}) {
    add(way, {1, period, 1, period});  // two of this, then so many less one of another
    add(way, {period, 1, period, 1});
    add(way, {1, 1, period, 1});  // three of this
    add(way, {1, period, 1, 1});
    add(way, {period, 1, 1, period});
  }
  add_mixed(WordOrder::kTwoOrThree, 2, 3);  // one or two words between
  for (uint32_t gap = 4; gap <= kMostGap; ++gap) {
    add(WordOrder::way_of(gap), {gap, gap, gap, gap});
  }
  return std::pair{patterns, count};
}();

// The tokens of a block and those that its patterns reach, weighed for each place in a tile.
using Weighed = std::array<std::array<uint64_t, kBlock + kReach>, kTile>;

[[gnu::always_inline]] inline void weigh(const uint64_t* tokens, Weighed& weighed) {
  for (size_t j = 0; j < kTile; ++j) {
    for (size_t i = 0; i < kBlock + kReach; ++i) weighed[j][i] = tokens[i] * kPowers[j];
  }
}

[[gnu::always_inline]] inline void make_seeds(const Weighed& weighed, const Pattern& pattern,
                                              Seed* seeds) {
  uint64_t sums[kBlock] = {};
  for (size_t j = 0; j < kTile; ++j) {
    const uint64_t* from = weighed[j].data() + pattern.at[j];
    for (size_t i = 0; i < kBlock; ++i) sums[i] += from[i];
  }
  for (size_t i = 0; i < kBlock; ++i) seeds[i] = to_seed(sums[i]);
}

#if defined(__x86_64__)

[[gnu::target("avx2")]] void weigh_avx2(const uint64_t* tokens, Weighed& weighed) {
  weigh(tokens, weighed);
}
[[gnu::target("avx2")]] void make_seeds_avx2(const Weighed& weighed, const Pattern& pattern,
                                             Seed* seeds) {
  make_seeds(weighed, pattern, seeds);
}

#else

constexpr auto weigh_avx2 = weigh;
constexpr auto make_seeds_avx2 = make_seeds;

#endif

struct Sifted {
  uint32_t segment, document;
  Alignment alignment;  // of a document's tokens from its first
  uint32_t words;
};

class Sifter {
 public:
  Sifter(const Query& query, std::span<const std::shared_ptr<const Segment>> segments,
         std::span<const Tombstones> dead, const Vocabulary& vocabulary)
      : query_(query),
        segments_(segments),
        dead_(dead),
        vocabulary_(vocabulary),
        left_(kMaxAlignments + query.size() / kBlock) {}

  // Looks up the patterns of some ways that begin at the kBlock tokens from one on. `steps` has the
  // ways of each step of these.
  void look_up(uint32_t first, std::span<const uint8_t> steps) {
    const auto& values = query_.sequence.values;
    std::ranges::fill(tokens_, 0);
    std::copy_n(&values[first], std::min<size_t>(values.size() - first, kBlock + kReach),
                tokens_.begin());
    // A tile of a document is made of words that some document holds.
    std::array<uint64_t, 2> known{};
    for (size_t i = 0; i < tokens_.size(); ++i) {
      known[i / 64] |= uint64_t{vocabulary_.empty() || vocabulary_.holds(tokens_[i])} << (i % 64);
    }
    const auto known_from = [&](uint32_t at) {
      return at == 0 ? known[0] : known[0] >> at | known[1] << (64 - at);
    };
    const bool avx2 = use_avx2(Dispatch::best);
    (avx2 ? weigh_avx2 : weigh)(tokens_.data(), weighed_);
    std::array<uint64_t, WordOrder::kWays> wanted{};
    for (size_t step = 0; step < steps.size(); ++step) {
      for (uint32_t way = 0; way < WordOrder::kWays; ++way) {
        if (steps[step] >> way & 1) wanted[way] |= 0xFFFFull << (step * WordOrder::kStep);
      }
    }
    for (size_t p = 0; p < kPatterns.second; ++p) {
      const Pattern& pattern = kPatterns.first[p];
      const uint32_t last = first + pattern.at.back();
      if (wanted[pattern.way] == 0 || last >= query_.size()) continue;
      const uint32_t count = std::min(kBlock, query_.size() - last);
      uint64_t places = wanted[pattern.way] & (count == 64 ? ~0ull : (1ull << count) - 1);
      for (const uint8_t at : pattern.at) places &= known_from(at);
      if (places == 0) continue;
      if (std::popcount(places) <= kFew) {
        make_few_seeds(pattern, places);
      } else {
        (avx2 ? make_seeds_avx2 : make_seeds)(weighed_, pattern, seeds_.data());
      }
      for (uint32_t s = 0; s < segments_.size(); ++s) screen(s, pattern, first, places);
    }
    for (const Probe& probe : probes_) find(probe);
    probes_.clear();
  }

  std::optional<Reading> reading() {
    std::ranges::sort(found_, [](const Sifted& a, const Sifted& b) {
      const auto key = [](const Sifted& one) {
        return std::make_tuple(-one.alignment.score, one.alignment.query_from(), one.segment,
                               one.document, one.alignment.document_from());
      };
      return key(a) < key(b);
    });
    Reading reading;
    std::vector<bool> taken(query_.size());
    for (const Sifted& one : found_) {
      uint32_t news = 0;
      for (const Piece& piece : one.alignment.pieces) {
        for (uint32_t i = 0; i < piece.length; ++i) news += !taken[piece.query + i];
      }
      if (news * 2 < one.words) continue;  // the same words, of another document
      for (const Piece& piece : one.alignment.pieces) {
        for (uint32_t i = 0; i < piece.length; ++i) taken[piece.query + i] = true;
        const uint32_t start = (*query_.starts)[piece.query];
        const uint32_t end = (*query_.ends)[piece.query + piece.length - 1];
        if (!reading.text().empty()) reading.put(" ", start, start);
        reading.copy(query_.text, start, end);
      }
    }
    if (reading.text().empty()) return std::nullopt;
    return reading;
  }

 private:
  struct Probe {
    uint32_t segment, q;
    Seed seed;
  };

  void make_few_seeds(const Pattern& pattern, uint64_t places) {
    for (; places != 0; places &= places - 1) {
      const auto i = static_cast<uint32_t>(std::countr_zero(places));
      uint64_t sum = 0;
      for (size_t j = 0; j < kTile; ++j) sum += weighed_[j][i + pattern.at[j]];
      seeds_[i] = to_seed(sum);
    }
  }

  // Those of the seeds that a segment may hold are looked up once all of the block are known.
  void screen(uint32_t s, const Pattern& pattern, uint32_t first, uint64_t wanted) {
    const SegmentView& view = segments_[s]->view(kTextView);
    if (view.tokens() == 0) return;
    const SeedFilter* filter = view.seeds().filter();
    if (!filter) view.seeds().work_on_filter(static_cast<uint64_t>(std::popcount(wanted)));
    if (filter && std::popcount(wanted) > kFew) {
      wanted &= filter->which_may_be_held(seeds_.data());
    }
    for (; wanted != 0; wanted &= wanted - 1) {
      const auto i = static_cast<uint32_t>(std::countr_zero(wanted));
      if (filter && !filter->may_hold(seeds_[i])) continue;
      std::array<uint64_t, kTile> tile;
      for (size_t j = 0; j < kTile; ++j) tile[j] = tokens_[i + pattern.at[j]];
      if (is_plain(tile, view.scheme().least_distinct)) continue;
      view.seeds().prefetch(seeds_[i]);
      probes_.push_back({s, first + i, seeds_[i]});
    }
  }

  void find(const Probe& probe) {
    segments_[probe.segment]->view(kTextView).seeds().find(probe.seed, postings_);
    // What many places have is no evidence by itself.
    if (postings_.stopped || postings_.size > kKeptPostings) return;
    for (uint32_t p = 0; p < postings_.size; ++p) {
      open(probe.segment, probe.q, postings_.positions[p]);
    }
  }

  void open(uint32_t s, uint32_t q, uint32_t t) {
    if (left_ == 0) return;
    const Segment& segment = *segments_[s];
    const uint32_t document = segment.document_of(kTextView, t);
    if (is_dead(dead_[s], document)) return;
    const TokenRange range = segment.document(document).views[kTextView];
    const uint32_t d = t - range.first;
    if (t < range.first || d >= range.tokens) return;
    const auto is_explained = [&](const Sifted& one) {
      const Alignment& known = one.alignment;
      return one.segment == s && one.document == document && known.query_from() <= q &&
             q < known.query_to() && known.document_from() <= d && d < known.document_to();
    };
    if (std::ranges::any_of(found_, is_explained)) return;
    --left_;
    Alignment alignment = aligned(segment.view(kTextView), range, q, d);
    uint32_t words = 0;
    for (const Piece& piece : alignment.pieces) words += piece.length;
    if (words < kLeastWords) return;
    found_.push_back({s, document, std::move(alignment), words});
  }

  // Of as much of the document as the alignment can reach.
  Alignment aligned(const SegmentView& view, const TokenRange& range, uint32_t q, uint32_t d) {
    for (uint64_t reach = kFirstReach;; reach *= 8) {
      const uint32_t from = d - static_cast<uint32_t>(std::min<uint64_t>(d, reach));
      const uint32_t to = d + static_cast<uint32_t>(std::min<uint64_t>(range.tokens - d, reach));
      const Fingerprints near(view.fingerprints(range.first + from, to - from, scratch_),
                              to - from);
      Alignment alignment = align(query_.fingerprints(), near, q, d - from, kSifted);
      if ((from > 0 && alignment.wants_before) || (to < range.tokens && alignment.wants_behind)) {
        continue;
      }
      for (Piece& piece : alignment.pieces) piece.document += from;
      return alignment;
    }
  }

  const Query& query_;
  const std::span<const std::shared_ptr<const Segment>> segments_;
  const std::span<const Tombstones> dead_;
  const Vocabulary& vocabulary_;
  uint32_t left_;                                 // places that may be opened
  std::array<uint64_t, kBlock + kReach> tokens_;  // of the block, and zeros behind the query
  alignas(64) Weighed weighed_;
  alignas(64) std::array<Seed, kBlock> seeds_;
  std::vector<Probe> probes_;
  Postings postings_;
  Scratch scratch_;
  std::vector<Sifted> found_;
};

}  // namespace

std::optional<Reading> sifted(const Query& query,
                              std::span<const std::shared_ptr<const Segment>> segments,
                              std::span<const Tombstones> dead, const WordOrder& order,
                              const Vocabulary& vocabulary) {
  if (query.size() < 2 * kLeastWords) return std::nullopt;
  for (const auto& segment : segments) {
    if (segment->view(kTextView).scheme().tile_size != kTile) return std::nullopt;
  }
  const std::vector<uint8_t> steps = order.disturbed(query.fingerprints());
  constexpr size_t kSteps = kBlock / WordOrder::kStep;
  std::optional<Sifter> sifter;
  uint32_t blocks = 0;
  for (size_t step = 0; step < steps.size();) {
    if (steps[step] == 0) {
      ++step;
      continue;
    }
    if (++blocks <= kAllBlocks || blocks % kBlockShare == 0) {
      if (!sifter) sifter.emplace(query, segments, dead, vocabulary);
      sifter->look_up(static_cast<uint32_t>(step) * WordOrder::kStep,
                      std::span(steps).subspan(step, std::min(kSteps, steps.size() - step)));
    }
    step += kSteps;
  }
  return sifter ? sifter->reading() : std::nullopt;
}

}  // namespace dedup
