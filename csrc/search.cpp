#include "search.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "error.h"
#include "lex.h"

namespace dedup {

namespace {

// A seed whose postings were capped: its true frequency is over kMaxPostings; four times that
// keeps one from opening a place, and lets a few on one diagonal do so.
constexpr float kStoppedFrequency = 256;
constexpr float kGateSlackBits = 3;
constexpr float kSeedsPerToken = 0.23f;  // of the default scheme: 1/8 + 1/13 + 2/64
constexpr uint32_t kTrackBits = 10;      // tracks of a segment: 1024, the oldest evidence gives way
constexpr int64_t kTrackWidth = 16;      // diagonals that share a track
constexpr uint32_t kTrackMemory = 256;   // tokens after which evidence on a diagonal is forgotten
// Tracks are forgotten, but to align a long passage once more would cost too much.
constexpr uint32_t kLongTokens = 512;
constexpr int32_t kSeedReach = 4;      // diagonals a screen tries around a tile hit
constexpr int32_t kWindowReach = 20;   // and around two windows that agree
constexpr uint32_t kWindowPause = 16;  // tokens until the same place is screened again for a window
constexpr uint32_t kLookAhead = 16;    // probes in flight
// Of the postings that the table of a segment with removed documents does not keep, so many are
// looked at for living ones: bounds what a probe costs until a merge tidies up.
constexpr uint32_t kMaxBeyond = 1024;
// Of a document so many tokens are read around an anchor at first, besides those that face the
// query; and an alignment that comes so near to their end is made again with more.
constexpr uint32_t kLeastMargin = 384, kTouched = 320, kFirstReach = 256;
constexpr uint32_t kJoinQuery = 32;  // tokens of the query between parts of one passage
// and of the document, in either direction: a page; 128 lost half of 500 shuffled words
constexpr uint32_t kJoinDocument = 1024;
// A passage of several parts covers at least this share of itself, or it is its best part alone.
constexpr double kLeastJoinedShare = 0.35;

// What differs between words and lexemes once a place is opened.
struct Measures {
  int32_t cost;            // of an edit
  int32_t least_fragment;  // score
  int32_t join_cost;       // what joining a part costs the passage
  // A passage of several parts needs more evidence than one that hangs together: the parts may be
  // common phrases. 20 words in chunks, covering a third of the passage, are no accident.
  int32_t least_joined;
};
// A lone tile of five words; and of lexemes, one and a bit to each side.
constexpr Measures kOfWords{kWordCost, 10, 4, 32};
constexpr Measures kOfLexemes{kLexemeCost, 32, 8, 64};
const Measures& measures_of(uint32_t view) { return view == kTextView ? kOfWords : kOfLexemes; }

// Two units that share bands are compared by their shingles of so many nodes, each an anchor to
// align at; so many alignments at the most.
constexpr uint32_t kAnchorTokens = 6;
// The least that is a match of lexemes or nodes: about a function of 60 tokens of Python.
constexpr int32_t kLeastLexemes = 20;
// And so many different shingles of it: rows of assignments align with each other in any two
// programs, over 100 lexemes long, and have fewer.
constexpr uint32_t kLeastDistinct = 12;
constexpr uint32_t kMaxAnchors = 48;  // bounds the work; a whole copy explains itself with a few

constexpr size_t kShifts = 3;  // of a query's gapped seeds
constexpr int32_t kShift[kShifts] = {0, 1, -1};

struct Track {
  int64_t key = -1;
  uint32_t last = 0;     // query position of the last evidence
  uint32_t covered = 0;  // up to where an alignment on this diagonal has explained the query
  float bits = 0;
};

class Tracks {
 public:
  Tracks() : slots_(size_t{1} << kTrackBits) {}

  Track& at(int64_t key, uint32_t position) {
    const auto hash = static_cast<uint64_t>(key) * 0x9E3779B97F4A7C15;
    Track& track = slots_[hash >> (64 - kTrackBits)];
    if (track.key != key) track = Track{key, position, 0, 0};
    if (position > track.last + kTrackMemory) track.bits = 0;
    return track;
  }

 private:
  std::vector<Track> slots_;
};

int64_t track_key(int64_t diagonal) { return (diagonal + (int64_t{1} << 40)) / kTrackWidth * 2; }

// Tokens of [a, b) and [c, d) in common.
uint32_t overlap(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  const uint32_t from = std::max(a, c), to = std::min(b, d);
  return from < to ? to - from : 0;
}

}  // namespace

// One view of a query as the search needs it.
struct Searcher::Query {
  uint32_t view = kTextView;
  Sequence sequence;
  const std::vector<uint32_t>* starts = nullptr;  // bytes of the tokens
  const std::vector<uint32_t>* ends = nullptr;
  const Lexemes* lexemes = nullptr;  // of the code views
  std::vector<TokenRange> units;     // of the `ast` view
  std::vector<Seed> tiles;
  std::vector<Seed> gapped[kShifts];  // as they are, with a word put into the hole, with one taken
  std::vector<Seed> bands;            // of each window, or unit, `scheme.bands` in a row
  std::vector<uint32_t> window_starts;
  std::vector<uint32_t> unit_numbers;  // the units that have bands
  std::vector<bool> supplied;          // tokens that repeat the prompt; empty without one

  uint32_t size() const { return sequence.size(); }
  Fingerprints fingerprints() const { return {sequence.fingerprints.data(), sequence.size()}; }
};

struct Searcher::Fragment {
  uint32_t segment, document;
  bool supplied;
  Alignment alignment;  // document positions count from the document's first token
};

// Fragments of one document that lie together, while they are being gathered.
struct Searcher::Passage {
  std::vector<const Fragment*> fragments;
  uint32_t query_from, query_to, document_from, document_to;
  int32_t score;

  explicit Passage(const Fragment& first)
      : fragments{&first},
        query_from(first.alignment.query_from()),
        query_to(first.alignment.query_to()),
        document_from(first.alignment.document_from()),
        document_to(first.alignment.document_to()),
        score(first.alignment.score) {}

  bool takes(const Alignment& next) const {
    return next.query_from() <= query_to + kJoinQuery &&
           next.query_to() + kJoinQuery >= query_from &&
           next.document_from() <= document_to + kJoinDocument &&
           next.document_to() + kJoinDocument >= document_from;
  }
  // How many of the query tokens between the ends of an alignment other parts have matched.
  uint32_t covers(const Alignment& next) const {
    const uint32_t from = next.query_from(), to = next.query_to();
    uint32_t tokens = 0;
    for (const Fragment* part : fragments) {
      const auto& pieces = part->alignment.pieces;
      auto piece = std::ranges::partition_point(
          pieces, [&](const Piece& p) { return p.query + p.length <= from; });
      for (; piece != pieces.end() && piece->query < to; ++piece) {
        tokens += overlap(from, to, piece->query, piece->query + piece->length);
      }
    }
    return tokens;
  }
  void add(const Fragment& next, int32_t join_cost) {
    fragments.push_back(&next);
    const Alignment& alignment = next.alignment;
    query_from = std::min(query_from, alignment.query_from());
    query_to = std::max(query_to, alignment.query_to());
    document_from = std::min(document_from, alignment.document_from());
    document_to = std::max(document_to, alignment.document_to());
    score += alignment.score - join_cost;
  }
};

Searcher::Searcher(std::vector<std::shared_ptr<const Segment>> segments,
                   std::vector<Tombstones> dead, TokenKey key)
    : segments_(std::move(segments)), dead_(std::move(dead)), key_(key) {
  dead_.resize(segments_.size());
  for (uint32_t v = 0; v < kViews; ++v) {
    std::vector<double> counts(256, 1);
    double total = 256;
    for (const auto& segment : segments_) {
      const SegmentView& view = segment->view(v);
      if (!(view.scheme() == segments_[0]->view(v).scheme())) {
        throw ArgumentError("search: " + segment->path() + " was built with another scheme");
      }
      for (size_t i = 0; i < 256; ++i) counts[i] += static_cast<double>(view.counts()[i]);
      total += static_cast<double>(view.tokens());
      has_code_ = has_code_ || (v != kTextView && view.tokens() != 0);
    }
    for (const double count : counts) {
      idf_[v].push_back(static_cast<float>(std::log2(total / count)));
    }
    if (!segments_.empty()) schemes_[v] = segments_[0]->view(v).scheme();
  }
  for (const auto& segment : segments_) {
    if (segment->key_id() != key_.id()) {
      throw ArgumentError("search: " + segment->path() + " was built with another key");
    }
  }
}

// The alignment in parts that the prompt supplied wholly or not at all.
static std::vector<std::pair<bool, Alignment>> cut(const Alignment& whole,
                                                   const std::vector<bool>& supplied,
                                                   int32_t cost) {
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

// Seeds of a query's view.
void Searcher::prepare(Query& query) const {
  const Scheme& scheme = schemes_[query.view];
  const Sequence& sequence = query.sequence;
  const size_t n = sequence.size();
  if (n < scheme.tile_size) return;
  query.tiles.resize(n - scheme.tile_size + 1);
  for (size_t i = 0; i < query.tiles.size(); ++i) query.tiles[i] = tile_seed(sequence, i, scheme);
  for (size_t s = 0; s < kShifts && scheme.gapped_shape; ++s) {
    const int32_t span = static_cast<int32_t>(scheme.gapped_span()) + kShift[s];
    if (n < static_cast<size_t>(span)) continue;
    query.gapped[s].resize(n - static_cast<size_t>(span) + 1);
    for (size_t i = 0; i < query.gapped[s].size(); ++i) {
      query.gapped[s][i] = gapped_seed(sequence, i, scheme, kShift[s]);
    }
  }
  const auto add_bands = [&](const uint32_t* minima) {
    for (uint32_t band = 0; band < scheme.bands; ++band) {
      query.bands.push_back(band_seed(minima + band * scheme.rows, scheme.rows, band));
    }
  };
  WindowMinima windows(scheme);
  windows.each(sequence, WindowMinima::kStep, [&](size_t start, const uint32_t* minima) {
    query.window_starts.push_back(static_cast<uint32_t>(start));
    add_bands(minima);
  });
  windows.each_unit(sequence, query.units, [&](size_t unit, const uint32_t* minima) {
    query.unit_numbers.push_back(static_cast<uint32_t>(unit));
    add_bands(minima);
  });
}

void Searcher::mark_supplied(Query& query, const Sequence& prompt) const {
  const Scheme& scheme = schemes_[query.view];
  const int32_t cost = measures_of(query.view).cost;
  query.supplied.assign(query.size(), false);
  if (prompt.size() < scheme.tile_size) return;
  std::vector<SeedEntry> entries;
  for (uint32_t i = 0; i + scheme.tile_size <= prompt.size(); ++i) {
    entries.push_back({tile_seed(prompt, i, scheme), i});
  }
  std::ranges::sort(entries);
  const Fingerprints supply(prompt.fingerprints.data(), prompt.size());
  const auto least = kMatchGain * static_cast<int32_t>(scheme.guaranteed_tokens());
  Tracks tracks;
  for (uint32_t q = 0; q < query.tiles.size(); ++q) {
    if (query.tiles[q] == kNoSeed) continue;
    auto entry = std::ranges::lower_bound(entries, SeedEntry{query.tiles[q], 0});
    for (uint32_t n = 0;
         n < kMaxPostings && entry != entries.end() && entry->seed == query.tiles[q];
         ++n, ++entry) {
      const int64_t diagonal = static_cast<int64_t>(entry->position) - q;
      if (q < tracks.at(track_key(diagonal), q).covered) continue;
      const Alignment alignment = align(query.fingerprints(), supply, q, entry->position, cost);
      for (const Piece& piece : alignment.pieces) {
        const int64_t on = static_cast<int64_t>(piece.document) - piece.query;
        Track& track = tracks.at(track_key(on), piece.query);
        track.covered = std::max(track.covered, alignment.query_to());
        if (alignment.score < least) continue;
        std::fill_n(query.supplied.begin() + piece.query, piece.length, true);
      }
    }
  }
}

// Tokens that begin inside a token of the other view that the prompt supplied.
static std::vector<bool> supplied_as_in(const std::vector<uint32_t>& other_starts,
                                        const std::vector<uint32_t>& other_ends,
                                        const std::vector<bool>& other,
                                        const std::vector<uint32_t>& starts) {
  std::vector<bool> supplied(starts.size());
  size_t at = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    while (at < other_ends.size() && other_ends[at] <= starts[i]) ++at;
    supplied[i] = at < other_starts.size() && other_starts[at] <= starts[i] && other[at];
  }
  return supplied;
}

std::vector<Match> Searcher::search(std::string_view text, std::string_view prompt,
                                    const CodeInfo* syntax) const {
  std::vector<Match> matches;
  Tokens tokens;
  tokenize(text, tokens);
  if (segments_.empty()) return matches;
  if (tokens.hashes.size() >= 0xFFFFFFF0) {
    throw ArgumentError("search: the query has over 2^32 tokens; cut it");
  }
  Sequence supply;
  Query words;
  words.starts = &tokens.starts;
  words.ends = &tokens.ends;
  key_tokens(tokens, key_, words.sequence);
  prepare(words);
  if (!prompt.empty()) {
    Tokens prompt_tokens;
    tokenize(prompt, prompt_tokens);
    key_tokens(prompt_tokens, key_, supply);
    mark_supplied(words, supply);
  }
  search_view(words, matches);
  if (!has_code_) return matches;

  Lexemes lexemes;
  lex(text, Comments::kAuto, lexemes);
  const auto query_of = [&](View view, const Lexemes& own, std::span<const UnitInfo> units) {
    Query query;
    query.view = view;
    query.lexemes = &own;
    query.starts = &own.starts;
    query.ends = &own.ends;
    for (const UnitInfo& unit : units) query.units.push_back(unit.tokens);
    key_lexemes(own, key_, query.sequence);
    prepare(query);
    return query;
  };
  Query code = query_of(kCodeView, lexemes, {});
  if (!prompt.empty()) {
    Lexemes prompt_lexemes;
    lex(prompt, Comments::kAuto, prompt_lexemes);
    key_lexemes(prompt_lexemes, key_, supply);
    mark_supplied(code, supply);
  }
  search_view(code, matches);

  if (syntax && syntax->ast.size() != 0) {
    Query nodes = query_of(kAstView, syntax->ast, syntax->units);
    if (!prompt.empty()) {
      nodes.supplied =
          supplied_as_in(lexemes.starts, lexemes.ends, code.supplied, syntax->ast.starts);
    }
    search_view(nodes, matches);
  }
  std::ranges::stable_sort(matches, [](const Match& a, const Match& b) {
    return a.query_span.start < b.query_span.start;
  });
  return matches;
}

// Gathers the fragments of one view of a query in one segment.
class Searcher::Collector {
 public:
  Collector(const Searcher& searcher, const Query& query, size_t number,
            std::vector<Fragment>& fragments)
      : query_(query),
        number_(static_cast<uint32_t>(number)),
        segment_(*searcher.segments_[number]),
        view_(segment_.view(query.view)),
        dead_(searcher.dead_[number]),
        scheme_(searcher.schemes_[query.view]),
        measures_(measures_of(query.view)),
        fragments_(fragments),
        // T is counted in tokens, not in entries, of which a repetitive text leaves few.
        total_bits_(std::log2(static_cast<float>(view_.tokens()) * kSeedsPerToken + 1)),
        gate_(std::max(0.0f, total_bits_ - kGateSlackBits)) {}

  void collect() {
    const SeedTable& table = view_.seeds();
    if (view_.tokens() == 0) return;
    size_t window = 0;
    for (uint32_t q = 0; q < query_.tiles.size(); ++q) {
      const uint32_t ahead = q + kLookAhead;
      if (ahead < query_.tiles.size() && query_.tiles[ahead] != kNoSeed) {
        table.prefetch(query_.tiles[ahead]);
      }
      for (const auto& gapped : query_.gapped) {
        if (ahead < gapped.size() && gapped[ahead] != kNoSeed) table.prefetch(gapped[ahead]);
      }
      if (query_.tiles[q] != kNoSeed) look_up(query_.tiles[q], q);
      for (const auto& gapped : query_.gapped) {
        if (q < gapped.size() && gapped[q] != kNoSeed) look_up(gapped[q], q);
      }
      // A window is looked up once the tokens in its first half are, so that what a tile explains
      // is not screened again.
      while (window < query_.window_starts.size() &&
             query_.window_starts[window] + scheme_.window_size / 2 <= q) {
        look_up_window(window++);
      }
    }
    while (window < query_.window_starts.size()) look_up_window(window++);
    for (size_t unit = 0; unit < query_.unit_numbers.size(); ++unit) look_up_unit(unit);
  }

 private:
  float bits_of(const Postings& found) const {
    const float frequency =
        found.stopped ? kStoppedFrequency : static_cast<float>(std::max(found.size, 1u));
    return total_bits_ - std::log2(frequency);
  }

  void find(Seed seed) {
    view_.seeds().find(seed, found_);
    if (found_.stopped && !dead_.empty()) refill(seed);
  }

  // Puts living postings in the place of those in documents that are gone. If few are left the seed
  // is common no more.
  void refill(Seed seed) {
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

  void look_up(Seed seed, uint32_t q) {
    find(seed);
    if (found_.size == 0) return;
    const float bits = bits_of(found_);
    for (uint32_t p = 0; p < found_.size; ++p) {
      const uint32_t t = found_.positions[p];
      Track& track = tracks_.at(track_key(static_cast<int64_t>(t) - q), q);
      if (q < track.covered) continue;
      track.bits += bits;
      track.last = q;
      if (track.bits < gate_) continue;
      track.bits = 0;
      open(q, t, false);
    }
  }

  void look_up_window(size_t window) {
    const uint32_t q = query_.window_starts[window];
    for (uint32_t band = 0; band < scheme_.bands; ++band) {
      find(query_.bands[window * scheme_.bands + band]);
      const float bits = bits_of(found_);
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
             true);
      }
    }
  }

  // Units that share bands worth the gate are compared.
  void look_up_unit(size_t number) {
    std::vector<std::pair<uint32_t, float>> evidence;
    for (uint32_t band = 0; band < scheme_.bands; ++band) {
      find(query_.bands[number * scheme_.bands + band]);
      const float bits = bits_of(found_);
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

  // Screens the place where query position q meets the segment's token t, aligns it, and keeps
  // what comes of it. A seed is its own anchor; windows are anchored where the screen says. A tile
  // of lexemes needs no screen: it is longer than what a screen asks for.
  void open(uint32_t q, uint32_t t, bool window) {
    if (is_explained(q, t)) return;
    uint32_t anchor = t;
    if (query_.view == kTextView || window) {
      const uint64_t from = t > 128 ? t - 128 : 0;
      const uint64_t to = std::min<uint64_t>(view_.tokens(), uint64_t{t} + 128);
      const Fingerprints near(view_.fingerprints(from, to - from, scratch_), to - from);
      const Screened screened =
          screen(query_.fingerprints(), near, q, static_cast<int64_t>(t - from),
                 window ? kWindowReach : kSeedReach);
      if (!screened.passed) return;
      if (window) {
        anchor = static_cast<uint32_t>(from + screened.document);
        q = screened.query;
        if (is_explained(q, anchor)) return;
      }
    }
    const uint32_t document = segment_.document_of(query_.view, anchor);
    if (is_dead(dead_, document)) return;
    const TokenRange range = segment_.document(document).views[query_.view];
    if (anchor < range.first || anchor >= range.first + range.tokens) return;
    align_at(document, range, q, anchor - range.first);
  }

  bool is_explained(uint32_t q, uint32_t t) const {
    if (explained_.empty()) return false;
    const auto known = explained_.find(track_key(static_cast<int64_t>(t) - q));
    return known != explained_.end() && q < known->second;
  }

  void align_at(uint32_t document, const TokenRange& range, uint32_t q, uint32_t d) {
    Alignment alignment = aligned(range, q, d);
    if (alignment.pieces.empty() || alignment.score < measures_.least_fragment) return;
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

  // The best alignment through the anchor, of the document as far as it can reach.
  Alignment aligned(const TokenRange& range, uint32_t q, uint32_t d) {
    uint64_t reach = kFirstReach, margin = kLeastMargin;
    for (;; reach *= 8, margin *= 8) {
      const auto window = [&](uint64_t query_tokens, uint64_t document_tokens) {
        return static_cast<uint32_t>(
            std::min(document_tokens, std::min(query_tokens, reach) + margin));
      };
      const uint32_t from = d - window(q, d);
      const uint32_t to = d + window(query_.size() - q, range.tokens - d);
      const Fingerprints near(view_.fingerprints(range.first + from, to - from, scratch_),
                              to - from);
      Alignment alignment = align(query_.fingerprints(), near, q, d - from, measures_.cost);
      if (alignment.pieces.empty() || alignment.score < measures_.least_fragment) return alignment;
      if (query_.view != kTextView) {
        const std::span<const uint8_t> raws(
            view_.raws(range.first + from, to - from, raws_scratch_), to - from);
        alignment = with_names(std::move(alignment), *query_.lexemes, query_.sequence, near, raws,
                               measures_.cost);
      }
      const bool touched = (from > 0 && alignment.document_from() < kTouched) ||
                           (to < range.tokens && alignment.document_to() + kTouched > to - from);
      if (touched) continue;
      for (Piece& piece : alignment.pieces) piece.document += from;
      return alignment;
    }
  }

  // Aligns a unit of the query with the unit of the index that begins at token t wherever they have
  // a shingle in common that no alignment has explained.
  void open_unit(const TokenRange& unit, uint32_t t) {
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
      align_at(document, range, at->second, t + i - range.first);
    }
  }

  const Query& query_;
  const uint32_t number_;
  const Segment& segment_;
  const SegmentView& view_;
  const Tombstones& dead_;
  const Scheme& scheme_;
  const Measures& measures_;
  std::vector<Fragment>& fragments_;
  const float total_bits_, gate_;
  Tracks tracks_;
  std::unordered_map<int64_t, uint32_t> explained_;  // `covered` by long alignments
  Postings found_;
  Scratch scratch_, raws_scratch_;
};

void Searcher::search_view(Query& query, std::vector<Match>& matches) const {
  if (query.tiles.empty()) return;
  query.sequence.fingerprints.resize(query.size() + 64);  // whole vectors may be read
  std::vector<Fragment> fragments;
  for (size_t s = 0; s < segments_.size(); ++s) Collector(*this, query, s, fragments).collect();
  assemble(query, fragments, matches);
}

std::optional<Match> Searcher::judge(const Query& query, const Passage& passage) const {
  const bool whole = passage.fragments.size() == 1;
  const Measures& measures = measures_of(query.view);
  const auto least_score =
      query.view == kTextView
          ? kMatchGain * static_cast<int32_t>(schemes_[kTextView].guaranteed_tokens())
          : kLeastLexemes * kMatchGain;
  const uint32_t length = passage.query_to - passage.query_from;
  std::vector<bool> hit(length, false);
  Match match;
  for (const Fragment* fragment : passage.fragments) {
    for (const Piece& piece : fragment->alignment.pieces) {
      match.run = std::max(match.run, piece.length);
      std::fill_n(hit.begin() + (piece.query - passage.query_from), piece.length, true);
    }
  }
  double all = 0, shared = 0;
  std::unordered_set<uint64_t> words;
  for (uint32_t i = 0; i < length; ++i) {
    const double idf = idf_[query.view][query.sequence.fingerprints[passage.query_from + i]];
    all += idf;
    if (hit[i]) shared += idf;
    match.matched += hit[i];
    if (hit[i] && query.view == kTextView) {
      words.insert(query.sequence.values[passage.query_from + i]);
    }
  }
  match.distinct = static_cast<uint32_t>(words.size());
  if (whole) {
    if (passage.score < least_score) return std::nullopt;
  } else if (passage.score < std::max(least_score, measures.least_joined) ||
             match.matched < kLeastJoinedShare * length) {
    return judge(query, Passage(*passage.fragments.front()));
  }
  const Fragment& best = *passage.fragments.front();
  match.view = query.view;
  match.segment = best.segment;
  match.document = best.document;
  match.supplied = best.supplied;
  match.query_from = passage.query_from;
  match.query_to = passage.query_to;
  match.document_from = passage.document_from;
  match.document_to = passage.document_to;
  match.score = passage.score;
  match.containment = all > 0 ? shared / all : 0;
  match.columns = length;
  if (whole) {
    match.columns = match.matched;
    const auto& pieces = best.alignment.pieces;
    for (size_t i = 1; i < pieces.size(); ++i) {
      match.columns += edits_between(pieces[i - 1], pieces[i]);
    }
  }
  const Segment& segment = *segments_[best.segment];
  const DocumentRecord record = segment.document(best.document);
  const uint64_t base = record.views[query.view].first;
  match.query_span = {(*query.starts)[passage.query_from], (*query.ends)[passage.query_to - 1]};
  match.document_span =
      segment.view(query.view)
          .spans()
          .span(base, base + passage.document_from, base + passage.document_to - 1);
  if (query.view != kTextView) {
    Scratch scratch;
    const uint8_t* raws = segment.view(query.view)
                              .raws(base + passage.document_from,
                                    passage.document_to - passage.document_from, scratch);
    CodeComparison comparison(*query.lexemes, query.sequence, raws, passage.document_from);
    for (const Fragment* fragment : passage.fragments) comparison.add(fragment->alignment);
    match.code = comparison.agreement();
    match.distinct = match.code.distinct;
    if (match.distinct < kLeastDistinct) return std::nullopt;
  }
  if (record.lines != 0) {
    std::tie(match.first_line, match.last_line) = segment.lines_at(record, match.document_span);
    if (const auto unit = segment.unit_at(record, match.document_span)) {
      match.unit = segment.string(unit->name);
    }
  }
  return match;
}

void Searcher::assemble(const Query& query, std::vector<Fragment>& fragments,
                        std::vector<Match>& all) const {
  std::vector<Match> matches;
  // By document, best first: a passage grows around its best part.
  std::ranges::sort(fragments, [](const Fragment& a, const Fragment& b) {
    const auto key = [](const Fragment& f) {
      return std::make_tuple(f.segment, f.document, f.supplied, -f.alignment.score,
                             f.alignment.query_from(), f.alignment.document_from());
    };
    return key(a) < key(b);
  });
  for (size_t i = 0; i < fragments.size();) {
    std::vector<Passage> open;
    // Where in the query the open passages are, by cells of kJoinQuery tokens.
    std::unordered_map<uint32_t, std::vector<size_t>> cells;
    const auto enter = [&](size_t passage) {
      const uint32_t first = open[passage].query_from / kJoinQuery;
      for (uint32_t cell = first; cell <= open[passage].query_to / kJoinQuery; ++cell) {
        auto& there = cells[cell];
        if (there.empty() || there.back() != passage) there.push_back(passage);
      }
    };
    const Fragment& first_of = fragments[i];
    const auto alike = [&](const Fragment& fragment) {
      return fragment.segment == first_of.segment && fragment.document == first_of.document &&
             fragment.supplied == first_of.supplied;
    };
    for (; i < fragments.size() && alike(fragments[i]); ++i) {
      const Alignment& alignment = fragments[i].alignment;
      const uint32_t first = alignment.query_from() / kJoinQuery;
      const uint32_t last = alignment.query_to() / kJoinQuery + 1;
      bool placed = false;
      for (uint32_t cell = first == 0 ? 0 : first - 1; cell <= last && !placed; ++cell) {
        const auto there = cells.find(cell);
        if (there == cells.end()) continue;
        for (const size_t number : there->second) {
          Passage& passage = open[number];
          if (!passage.takes(alignment)) continue;
          placed = true;
          // Half of it explained already: the same words found twice, not another part.
          if (passage.covers(alignment) * 2 > alignment.query_to() - alignment.query_from()) break;
          passage.add(fragments[i], measures_of(query.view).join_cost);
          enter(number);
          break;
        }
      }
      if (placed) continue;
      open.emplace_back(fragments[i]);
      enter(open.size() - 1);
    }
    for (const Passage& passage : open) {
      if (auto match = judge(query, passage)) matches.push_back(*match);
    }
  }

  // Best first, so that a document keeps its best match of a passage; then count the sources.
  std::ranges::sort(matches, [](const Match& a, const Match& b) {
    const auto key = [](const Match& m) {
      return std::make_tuple(-m.score, m.query_from, m.segment, m.document, m.document_from);
    };
    return key(a) < key(b);
  });
  std::vector<Match> kept;
  std::unordered_map<uint64_t, std::vector<size_t>> by_document;
  for (const Match& match : matches) {
    auto& others = by_document[uint64_t{match.segment} << 33 | uint64_t{match.document} << 1 |
                               uint64_t{match.supplied}];
    const bool repeated = std::ranges::any_of(others, [&](size_t other) {
      return overlap(match.query_from, match.query_to, kept[other].query_from,
                     kept[other].query_to) *
                 2 >
             match.query_to - match.query_from;
    });
    if (repeated) continue;
    others.push_back(kept.size());
    kept.push_back(match);
  }
  std::ranges::sort(kept, [](const Match& a, const Match& b) {
    const auto key = [](const Match& m) {
      return std::make_tuple(m.query_from, -m.score, m.segment, m.document, m.document_from);
    };
    return key(a) < key(b);
  });
  uint32_t longest = 0;
  for (const Match& match : kept) longest = std::max(longest, match.query_to - match.query_from);
  std::vector<uint64_t> owners;  // of each match: its owner, or else its corpus
  for (const Match& match : kept) {
    const Segment& segment = *segments_[match.segment];
    const DocumentRecord record = segment.document(match.document);
    const std::string owner = segment.string(record.owner);
    owners.push_back(lexeme_hash(owner.empty() ? segment.string(record.corpus) : owner));
  }
  for (size_t i = 0; i < kept.size(); ++i) {
    uint32_t sources = 1;
    std::unordered_set<uint64_t> known{owners[i]};
    const auto add = [&](size_t j) {
      const Match& other = kept[j];
      const uint32_t own = kept[i].query_to - kept[i].query_from;
      const uint32_t shared =
          overlap(kept[i].query_from, kept[i].query_to, other.query_from, other.query_to);
      if (shared * 2 < own) return;
      if (other.segment == kept[i].segment && other.document == kept[i].document) return;
      ++sources;
      known.insert(owners[j]);
    };
    for (size_t j = i; j-- > 0 && kept[j].query_from + longest > kept[i].query_from;) add(j);
    for (size_t j = i + 1; j < kept.size() && kept[j].query_from < kept[i].query_to; ++j) add(j);
    kept[i].owners = static_cast<uint32_t>(known.size());
    kept[i].sources = sources;
  }
  std::ranges::move(kept, std::back_inserter(all));
}

}  // namespace dedup
