#include "collect.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "renaming.h"

namespace dedup {

namespace {

// A seed whose postings were capped: its true frequency is over kMaxPostings; four times that
// keeps one from opening a place, and lets a few on one diagonal do so.
constexpr float kStoppedFrequency = 256;
constexpr float kGateSlackBits = 3;
constexpr float kSeedsPerToken = 0.23f;  // of the default scheme: 1/8 + 1/13 + 2/64
// Tracks are forgotten, but to align a long passage once more would cost too much.
constexpr uint32_t kLongTokens = 512;
constexpr int32_t kSeedReach = 4;      // diagonals a screen tries around a tile hit
constexpr int32_t kWindowReach = 20;   // and around two windows that agree
constexpr uint32_t kWindowPause = 16;  // tokens until the same place is screened again for a window
// For each seed that a query looks up, so many of the segment go into its filter: it is there when
// as many were looked up as the segment has, and searches take up to twice as long until then.
constexpr uint64_t kFilterShare = 1;
// Of the postings that the table of a segment with removed documents does not keep, so many are
// looked at for living ones: bounds what a probe costs until a merge tidies up.
constexpr uint32_t kMaxBeyond = 1024;
// Of a document so many tokens are read around an anchor at first, on either side; and eight times
// as many if an alignment would look further. Most alignments are of a few words.
constexpr uint32_t kFirstReach = 96;

// Two units that share bands are compared by their shingles of so many nodes, each an anchor to
// align at; so many alignments at the most.
constexpr uint32_t kAnchorTokens = 6;
constexpr uint32_t kMaxAnchors = 48;  // bounds the work; a whole copy explains itself with a few

// The alignment in parts that the prompt supplied wholly or not at all.
std::vector<std::pair<bool, Alignment>> cut(const Alignment& whole,
                                            const std::vector<bool>& supplied, int32_t cost) {
  std::vector<std::pair<bool, Alignment>> parts;
  for (const Piece& piece : whole.pieces) {
    for (uint32_t i = 0; i < piece.length;) {
      const bool kind = supplied[piece.query + i];
      uint32_t length = 1;
      while (i + length < piece.length && supplied[piece.query + i + length] == kind) ++length;
      if (parts.empty() || parts.back().first != kind) parts.push_back({kind, {}});
      parts.back().second.pieces.push_back({piece.query + i, piece.document + i, length});
      i += length;
    }
  }
  for (auto& [kind, part] : parts) part.score = score_of(part.pieces, cost);
  return parts;
}

}  // namespace

Collector::Collector(const Segment& segment, const Tombstones& dead, uint32_t number,
                     const Query& query, std::vector<Fragment>& fragments, uint32_t track_bits,
                     Trace* trace)
    : query_(query),
      number_(number),
      segment_(segment),
      view_(segment.view(query.view)),
      dead_(dead),
      scheme_(view_.scheme()),
      measures_(measures_of(query.view)),
      fragments_(fragments),
      // T is counted in tokens, not in entries, of which a repetitive text leaves few.
      total_bits_(std::log2(static_cast<float>(view_.tokens()) * kSeedsPerToken + 1)),
      gate_(std::max(0.0f, total_bits_ - kGateSlackBits)),
      tracks_(track_bits),
      filter_(view_.seeds().filter()),
      trace_(trace) {
  if (!trace_ || view_.tokens() == 0) return;
  Trace::Seeds& seeds = trace_->seeds[query.view];
  seeds.gate = seeds.gate == 0 ? gate_ : std::min(seeds.gate, gate_);
  seeds.tokens = query.size();
}

void Collector::prefetch(const SeedBlock& block) const {
  if (!filter_) return;
  for (uint32_t kind = 0; kind < block.kinds; ++kind) filter_->prefetch(block.seeds[kind]);
}

void Collector::collect(const SeedBlock& block) {
  if (view_.tokens() == 0) return;
  const SeedTable& table = view_.seeds();
  uint64_t left[SeedBlock::kKinds] = {};
  for (uint32_t kind = 0; kind < block.kinds; ++kind) {
    left[kind] = block.present[kind];
    looked_up_ += static_cast<uint64_t>(std::popcount(left[kind]));
    if (filter_) left[kind] &= filter_->which_may_be_held(block.seeds[kind]);
  }
  // By token, and of one token by kind. All are asked for before the first is looked at.
  uint64_t tokens = 0;
  for (uint32_t kind = 0; kind < block.kinds; ++kind) {
    tokens |= left[kind];
    for (uint64_t bits = left[kind]; bits != 0; bits &= bits - 1) {
      table.prefetch(block.seeds[kind][std::countr_zero(bits)]);
    }
  }
  // And all that was found, which is as far apart, before the first place is opened.
  hits_.clear();
  positions_.clear();
  for (; tokens != 0; tokens &= tokens - 1) {
    const auto i = static_cast<uint32_t>(std::countr_zero(tokens));
    for (uint32_t kind = 0; kind < block.kinds; ++kind) {
      if (!(left[kind] >> i & 1)) continue;
      find(block.seeds[kind][i]);
      if (found_.size == 0) continue;
      const Clue clue = kind == 0 ? Clue::tile : Clue::gapped;
      hits_.push_back({block.first + i, found_.size, clue, bits_of(found_)});
      if (trace_) note_hit(block.first + i, clue, hits_.back().bits);
      positions_.insert(positions_.end(), found_.positions, found_.positions + found_.size);
      if (hits_.back().bits < gate_) continue;
      for (uint32_t p = 0; p < found_.size; ++p) view_.prefetch_fingerprints(found_.positions[p]);
    }
  }
  std::span<const uint32_t> positions(positions_);
  for (const Hit& hit : hits_) {
    look_up_windows(hit.q);
    weigh(positions.first(hit.positions), hit.bits, hit.q, hit.clue);
    positions = positions.subspan(hit.positions);
  }
  look_up_windows(block.first + block.tokens);
}

void Collector::finish() {
  if (view_.tokens() == 0) return;
  look_up_windows(std::numeric_limits<uint32_t>::max());
  for (size_t unit = 0; unit < query_.unit_numbers.size(); ++unit) look_up_unit(unit);
  if (!filter_) view_.seeds().work_on_filter(looked_up_ * kFilterShare);
}

void Collector::look_up_windows(uint32_t q) {
  for (; next_window_ < query_.window_starts.size(); ++next_window_) {
    const uint32_t start = query_.window_starts[next_window_];
    if (start + scheme_.window_size / 2 >= q) return;
    look_up_window(start, &query_.bands[next_window_ * scheme_.bands]);
  }
}

void Collector::advance(std::span<const Seed> window) {
  if (view_.tokens() == 0) return;
  const Sequence& sequence = query_.sequence;
  for (; next_tile_ + scheme_.tile_size <= sequence.size(); ++next_tile_) {
    const Seed seed = tile_seed(sequence, next_tile_, scheme_);
    if (seed != kNoSeed && may_hold(seed)) look_up(seed, next_tile_, Clue::tile);
  }
  for (size_t s = 0; s < kShifts && scheme_.gapped_shape != 0; ++s) {
    const auto span =
        static_cast<uint32_t>(static_cast<int32_t>(scheme_.gapped_span()) + kShift[s]);
    for (uint32_t& next = next_gapped_[s]; next + span <= sequence.size(); ++next) {
      const Seed seed = gapped_seed(sequence, next, scheme_, kShift[s]);
      if (seed != kNoSeed && may_hold(seed)) look_up(seed, next, Clue::gapped);
    }
  }
  if (window.empty()) return;
  look_up_window(query_.size() - scheme_.window_size - scheme_.shingle_size + 1, window.data());
}

float Collector::bits_of(const Postings& found) const {
  const float frequency =
      found.stopped ? kStoppedFrequency : static_cast<float>(std::max(found.size, 1u));
  return total_bits_ - std::log2(frequency);
}

void Collector::find(Seed seed) {
  view_.seeds().find(seed, found_);
  if (found_.stopped && !dead_.empty()) refill(seed);
}

void Collector::refill(Seed seed) {
  const auto lives = [&](uint32_t t) {
    return !is_dead(dead_, segment_.document_of(query_.view, t));
  };
  uint32_t living = 0, last = 0, looked = 0;
  for (uint32_t p = 0; p < found_.size; ++p) {
    last = found_.positions[p];
    if (lives(last)) found_.positions[living++] = last;
  }
  bool more = false;
  view_.seeds().each_beyond(seed, last, [&](uint32_t t) {
    more = ++looked > kMaxBeyond || living == kMaxPostings;
    if (!more && lives(t)) found_.positions[living++] = t;
    return !more;
  });
  found_.stopped = more;
  found_.size = more ? std::min(living, kKeptPostings) : living;
}

void Collector::look_up(Seed seed, uint32_t q, Clue clue) {
  find(seed);
  if (found_.size == 0) return;
  const float bits = bits_of(found_);
  if (trace_) note_hit(q, clue, bits);
  weigh({found_.positions, found_.size}, bits, q, clue);
}

void Collector::weigh(std::span<const uint32_t> positions, float bits, uint32_t q, Clue clue) {
  for (const uint32_t t : positions) {
    Track& track = tracks_.at(track_key(static_cast<int64_t>(t) - q), q);
    if (q < track.covered) continue;
    track.bits += bits;
    track.last = q;
    if (track.bits < gate_) continue;
    track.bits = 0;
    open(q, t, clue);
  }
}

void Collector::look_up_window(uint32_t q, const Seed* bands) {
  for (uint32_t band = 0; band < scheme_.bands; ++band) {
    if (!may_hold(bands[band])) continue;
    find(bands[band]);
    if (found_.size == 0) continue;
    const float bits = bits_of(found_);
    if (trace_) note_hit(q, Clue::window, bits);
    for (uint32_t p = 0; p < found_.size; ++p) {
      const uint32_t t = found_.positions[p];
      const Track& passed = tracks_.at(track_key(static_cast<int64_t>(t) - q), q);
      if (q < passed.covered) continue;
      // A window's evidence is about the place, whatever the diagonal; odd keys keep it apart.
      Track& track = tracks_.at(static_cast<int64_t>(t) * 2 + 1, q);
      if (q < track.covered) continue;
      track.bits += bits;
      track.last = q;
      if (track.bits < gate_) continue;
      track.bits = 0;
      track.covered = q + kWindowPause;
      const uint32_t middle = scheme_.window_size / 2;
      open(q + middle, static_cast<uint32_t>(std::min<uint64_t>(t + middle, view_.tokens() - 1)),
           Clue::window);
    }
  }
}

void Collector::look_up_unit(size_t number) {
  std::vector<std::pair<uint32_t, float>> evidence;
  for (uint32_t band = 0; band < scheme_.bands; ++band) {
    const Seed seed = query_.bands[number * scheme_.bands + band];
    if (!may_hold(seed)) continue;
    find(seed);
    const float bits = bits_of(found_);
    if (trace_ && found_.size != 0) {
      note_hit(query_.units[query_.unit_numbers[number]].first, Clue::unit, bits);
    }
    for (uint32_t p = 0; p < found_.size; ++p) {
      const uint32_t t = found_.positions[p];
      const auto at = std::ranges::find(evidence, t, &std::pair<uint32_t, float>::first);
      if (at == evidence.end()) {
        evidence.push_back({t, bits});
      } else {
        at->second += bits;
      }
    }
  }
  for (const auto& [t, bits] : evidence) {
    if (bits >= gate_) open_unit(query_.units[query_.unit_numbers[number]], t);
  }
}

void Collector::open(uint32_t q, uint32_t t, Clue clue) {
  if (is_explained(q, t)) return note_place(q, t, clue, Fate::explained);
  const bool window = clue == Clue::window;
  uint32_t anchor = t;
  if (query_.view == kTextView || window) {
    const int32_t reach = window ? kWindowReach : kSeedReach;
    const auto half = static_cast<uint64_t>(kScreenTokens / 2 + reach);  // all that a screen reads
    const uint64_t from = t > half ? t - half : 0;
    const uint64_t to = std::min<uint64_t>(view_.tokens(), t + half);
    const Fingerprints near(view_.fingerprints(from, to - from, scratch_), to - from);
    const Screened screened =
        screen(query_.fingerprints(), near, q, static_cast<int64_t>(t - from), reach);
    if (!screened.passed) return note_place(q, t, clue, Fate::unlike);
    if (window) {
      anchor = static_cast<uint32_t>(from + screened.document);
      q = screened.query;
      if (is_explained(q, anchor)) return note_place(q, anchor, clue, Fate::explained);
    }
  }
  const uint32_t document = segment_.document_of(query_.view, anchor);
  if (is_dead(dead_, document)) return note_place(q, anchor, clue, Fate::removed);
  const TokenRange range = segment_.document(document).views[query_.view];
  if (anchor < range.first || anchor >= range.first + range.tokens) return;
  align_at(document, range, q, anchor - range.first, clue);
}

bool Collector::is_explained(uint32_t q, uint32_t t) const {
  if (explained_.empty()) return false;
  const auto known = explained_.find(track_key(static_cast<int64_t>(t) - q));
  return known != explained_.end() && q < known->second;
}

void Collector::align_at(uint32_t document, const TokenRange& range, uint32_t q, uint32_t d,
                         Clue clue) {
  Alignment alignment = aligned(range, q, d);
  const bool is_short = alignment.pieces.empty() || alignment.score < measures_.least_fragment;
  note_place(q, static_cast<uint32_t>(range.first + d), clue,
             is_short ? Fate::too_short : Fate::aligned,
             alignment.pieces.empty() ? 0 : alignment.score);
  if (is_short) return;
  for (const Piece& piece : alignment.pieces) {
    const int64_t diagonal = static_cast<int64_t>(piece.document) + range.first - piece.query;
    Track& track = tracks_.at(track_key(diagonal), piece.query);
    track.covered = std::max(track.covered, alignment.query_to());
    if (alignment.query_to() - alignment.query_from() >= kLongTokens) {
      uint32_t& to = explained_[track_key(diagonal)];
      to = std::max(to, alignment.query_to());
    }
  }
  if (query_.supplied.empty()) {
    fragments_.push_back({number_, document, false, std::move(alignment)});
    return;
  }
  for (auto& [supplied, part] : cut(alignment, query_.supplied, measures_.cost)) {
    if (part.score < measures_.least_fragment) continue;
    fragments_.push_back({number_, document, supplied, std::move(part)});
  }
}

Alignment Collector::aligned(const TokenRange& range, uint32_t q, uint32_t d) {
  for (uint64_t reach = kFirstReach;; reach *= 8) {
    const uint32_t from = d - static_cast<uint32_t>(std::min<uint64_t>(d, reach));
    const uint32_t to = d + static_cast<uint32_t>(std::min<uint64_t>(range.tokens - d, reach));
    const Fingerprints near(view_.fingerprints(range.first + from, to - from, scratch_), to - from);
    Alignment alignment = align(query_.fingerprints(), near, q, d - from, measures_.cost);
    const auto is_cut = [&] {
      return (from > 0 && alignment.wants_before) || (to < range.tokens && alignment.wants_behind);
    };
    if (is_cut()) continue;
    if (alignment.pieces.empty() || alignment.score < measures_.least_fragment) return alignment;
    if (query_.view != kTextView) {
      const std::span<const uint8_t> raws(view_.raws(range.first + from, to - from, raws_scratch_),
                                          to - from);
      alignment = with_names(std::move(alignment), *query_.lexemes, query_.sequence, near, raws,
                             measures_.cost);
      alignment.wants_before |= alignment.document_from() == 0;
      alignment.wants_behind |= alignment.document_to() == to - from;
      if (is_cut()) continue;
    }
    for (Piece& piece : alignment.pieces) piece.document += from;
    return alignment;
  }
}

void Collector::note_hit(uint32_t q, Clue clue, float bits) const {
  ++trace_->seeds[query_.view].held;
  const uint32_t start = (*query_.starts)[q];
  trace_->add(Trace::Hit{query_.view, number_, q, start, clue, found_.size, found_.stopped, bits});
}

void Collector::note_place(uint32_t q, uint32_t t, Clue clue, Fate fate, int32_t score) const {
  if (!trace_) return;
  trace_->add(Trace::Place{query_.view, number_, segment_.document_of(query_.view, t), q,
                           (*query_.starts)[q], clue, fate, score, measures_.least_fragment});
}

void Collector::open_unit(const TokenRange& unit, uint32_t t) {
  const uint32_t document = segment_.document_of(query_.view, t);
  if (is_dead(dead_, document)) return;
  const DocumentRecord record = segment_.document(document);
  const TokenRange range = record.views[query_.view];
  if (t < range.first || t >= range.first + range.tokens) return;
  uint32_t tokens = 0;
  for (uint32_t u = 0; u < record.units; ++u) {
    const TokenRange other = segment_.unit(record, u).tokens;
    if (other.first == t - range.first) tokens = std::max(tokens, other.tokens);
  }
  tokens = std::min(tokens, range.first + range.tokens - t);
  if (tokens < kAnchorTokens || unit.tokens < kAnchorTokens) return;
  const auto shingle = [](const uint8_t* at) {
    uint64_t packed = 0;
    for (uint32_t i = 0; i < kAnchorTokens; ++i) packed = packed << 8 | at[i];
    return packed;
  };
  std::vector<std::pair<uint64_t, uint32_t>> anchors;
  const uint8_t* query = query_.sequence.fingerprints.data();
  for (uint32_t i = unit.first; i + kAnchorTokens <= unit.first + unit.tokens; ++i) {
    anchors.push_back({shingle(query + i), i});
  }
  std::ranges::sort(anchors);
  Scratch unit_scratch;  // kept while scratch_ serves the alignments
  const uint8_t* there = view_.fingerprints(t, tokens, unit_scratch);
  uint32_t aligned = 0;
  for (uint32_t i = 0; i + kAnchorTokens <= tokens && aligned < kMaxAnchors; ++i) {
    const uint64_t wanted = shingle(there + i);
    auto at = std::ranges::lower_bound(anchors, std::pair{wanted, 0u});
    // A shingle that the unit repeats says nothing about where.
    const auto next = at == anchors.end() ? at : at + 1;
    if (at == anchors.end() || at->first != wanted) continue;
    if (next != anchors.end() && next->first == wanted) continue;
    const int64_t diagonal = static_cast<int64_t>(t) + i - at->second;
    if (at->second < tracks_.at(track_key(diagonal), at->second).covered) continue;
    ++aligned;
    align_at(document, range, at->second, t + i - range.first, Clue::unit);
  }
}

}  // namespace dedup
