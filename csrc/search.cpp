#include "search.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "error.h"

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
constexpr int32_t kSeedReach = 4;        // diagonals a screen tries around a tile hit
constexpr int32_t kWindowReach = 20;     // and around two windows that agree
constexpr uint32_t kWindowPause = 16;  // tokens until the same place is screened again for a window
constexpr uint32_t kLookAhead = 16;    // probes in flight
constexpr uint32_t kLeastFragment = 10;  // score of a lone tile of five
constexpr uint32_t kJoinQuery = 32;      // tokens of the query between parts of one passage
// and of the document, in either direction: a page; 128 lost half of 500 shuffled words
constexpr uint32_t kJoinDocument = 1024;
constexpr int32_t kJoinCost = 4;  // what joining a part costs the passage
// A passage of several parts needs more evidence than one that hangs together: the parts may be
// common phrases. 20 words in chunks, covering a third of the passage, are no accident.
constexpr int32_t kLeastJoinedScore = 32;
constexpr double kLeastJoinedShare = 0.35;

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

// A query as the search needs it.
struct Searcher::Query {
  Tokens tokens;
  std::vector<uint64_t> keyed;
  std::vector<uint8_t> fingerprints;
  std::vector<Seed> tiles;
  std::vector<Seed> gapped[kShifts];  // as they are, with a word put into the hole, with one taken
  std::vector<Seed> bands;            // of each window, `scheme.bands` in a row
  std::vector<uint32_t> window_starts;
  std::vector<bool> supplied;  // tokens that repeat the prompt; empty without one

  uint32_t size() const { return static_cast<uint32_t>(fingerprints.size()); }
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
  void add(const Fragment& next) {
    fragments.push_back(&next);
    const Alignment& alignment = next.alignment;
    query_from = std::min(query_from, alignment.query_from());
    query_to = std::max(query_to, alignment.query_to());
    document_from = std::min(document_from, alignment.document_from());
    document_to = std::max(document_to, alignment.document_to());
    score += alignment.score - kJoinCost;
  }
};

Searcher::Searcher(std::vector<std::shared_ptr<const Segment>> segments,
                   std::vector<Tombstones> dead, TokenKey key)
    : segments_(std::move(segments)), dead_(std::move(dead)), key_(key), idf_(256) {
  dead_.resize(segments_.size());
  std::vector<double> counts(256, 1);
  double total = 256;
  for (const auto& segment : segments_) {
    if (!(segment->scheme() == segments_[0]->scheme())) {
      throw ArgumentError("search: " + segment->path() + " was built with another scheme");
    }
    if (segment->key_id() != key_.id()) {
      throw ArgumentError("search: " + segment->path() + " was built with another key");
    }
    for (size_t i = 0; i < 256; ++i) {
      counts[i] += static_cast<double>(segment->fingerprint_counts()[i]);
    }
    total += static_cast<double>(segment->tokens());
  }
  for (size_t i = 0; i < 256; ++i) idf_[i] = static_cast<float>(std::log2(total / counts[i]));
  if (!segments_.empty()) scheme_ = segments_[0]->scheme();
  least_score_ = kMatchGain * static_cast<int32_t>(scheme_.guaranteed_tokens());
}

// The alignment in parts that the prompt supplied wholly or not at all.
static std::vector<std::pair<bool, Alignment>> cut(const Alignment& whole,
                                                   const std::vector<bool>& supplied) {
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
  for (auto& [kind, part] : parts) part.score = score_of(part.pieces);
  return parts;
}

std::vector<bool> Searcher::supplied_tokens(const Query& query, std::string_view prompt) const {
  std::vector<bool> supplied(query.size());
  Tokens tokens;
  tokenize(prompt, tokens);
  const uint32_t k = scheme_.tile_size;
  if (tokens.hashes.size() < k) return supplied;
  std::vector<uint64_t> keyed(tokens.hashes.size());
  std::vector<uint8_t> fingerprints(keyed.size());
  for (size_t i = 0; i < keyed.size(); ++i) {
    keyed[i] = key_(tokens.hashes[i]);
    fingerprints[i] = token_fingerprint(keyed[i]);
  }
  std::vector<SeedEntry> entries;
  for (uint32_t i = 0; i + k <= keyed.size(); ++i) entries.push_back({tile_seed(&keyed[i], k), i});
  std::ranges::sort(entries);
  Tracks tracks;
  for (uint32_t q = 0; q < query.tiles.size(); ++q) {
    auto entry = std::ranges::lower_bound(entries, SeedEntry{query.tiles[q], 0});
    for (uint32_t n = 0;
         n < kMaxPostings && entry != entries.end() && entry->seed == query.tiles[q];
         ++n, ++entry) {
      const int64_t diagonal = static_cast<int64_t>(entry->position) - q;
      if (q < tracks.at(track_key(diagonal), q).covered) continue;
      const Alignment alignment = align(query.fingerprints, fingerprints, q, entry->position);
      for (const Piece& piece : alignment.pieces) {
        const int64_t on = static_cast<int64_t>(piece.document) - piece.query;
        Track& track = tracks.at(track_key(on), piece.query);
        track.covered = std::max(track.covered, alignment.query_to());
        if (alignment.score < least_score_) continue;
        std::fill_n(supplied.begin() + piece.query, piece.length, true);
      }
    }
  }
  return supplied;
}

std::vector<Match> Searcher::search(std::string_view text, std::string_view prompt) const {
  std::vector<Match> matches;
  Query query;
  tokenize(text, query.tokens);
  if (segments_.empty() || query.tokens.hashes.size() < scheme_.tile_size) return matches;
  const size_t n = query.tokens.hashes.size();
  if (n >= 0xFFFFFFF0) throw ArgumentError("search: the query has over 2^32 tokens; cut it");
  query.keyed.resize(n);
  query.fingerprints.resize(n + 64);  // whole vectors may be read
  for (size_t i = 0; i < n; ++i) {
    query.keyed[i] = key_(query.tokens.hashes[i]);
    query.fingerprints[i] = token_fingerprint(query.keyed[i]);
  }
  query.fingerprints.resize(n);
  query.tiles.resize(n - scheme_.tile_size + 1);
  for (size_t i = 0; i < query.tiles.size(); ++i) {
    query.tiles[i] = tile_seed(&query.keyed[i], scheme_.tile_size);
  }
  for (size_t s = 0; s < kShifts && scheme_.gapped_shape; ++s) {
    const int32_t span = static_cast<int32_t>(scheme_.gapped_span()) + kShift[s];
    if (n < static_cast<size_t>(span)) continue;
    query.gapped[s].resize(n - static_cast<size_t>(span) + 1);
    for (size_t i = 0; i < query.gapped[s].size(); ++i) {
      query.gapped[s][i] = gapped_seed(&query.keyed[i], scheme_.gapped_shape, kShift[s]);
    }
  }
  WindowMinima(scheme_).each(
      query.keyed, WindowMinima::kStep, [&](size_t start, const uint32_t* minima) {
        query.window_starts.push_back(static_cast<uint32_t>(start));
        for (uint32_t band = 0; band < scheme_.bands; ++band) {
          query.bands.push_back(band_seed(minima + band * scheme_.rows, scheme_.rows, band));
        }
      });

  if (!prompt.empty()) query.supplied = supplied_tokens(query, prompt);

  std::vector<Fragment> fragments;
  for (size_t s = 0; s < segments_.size(); ++s) collect(query, s, fragments);
  assemble(query, fragments, matches);
  return matches;
}

void Searcher::collect(const Query& query, size_t number, std::vector<Fragment>& fragments) const {
  const Segment& segment = *segments_[number];
  const SeedTable& table = segment.seeds();
  if (segment.tokens() == 0) return;
  // T is counted in tokens, not in entries, of which a repetitive text leaves few.
  const float total_bits = std::log2(static_cast<float>(segment.tokens()) * kSeedsPerToken + 1);
  const float gate = std::max(0.0f, total_bits - kGateSlackBits);
  const Fingerprints query_bytes(query.fingerprints);
  Tracks tracks;
  Postings found;

  // Screens the place where query position q meets the segment's token t, aligns it, and keeps
  // what comes of it. A seed is its own anchor; windows are anchored where the screen says.
  const auto open = [&](uint32_t q, uint32_t t, SeedKind kind) {
    const bool windows = kind == SeedKind::kBand;
    const uint64_t from = t > 128 ? t - 128 : 0;
    const uint64_t to = std::min<uint64_t>(segment.tokens(), uint64_t{t} + 128);
    const Fingerprints near(segment.fingerprints(from, to - from), to - from);
    const Screened screened = screen(query_bytes, near, q, static_cast<int64_t>(t - from),
                                     windows ? kWindowReach : kSeedReach);
    if (!screened.passed) return;
    const auto anchor = windows ? static_cast<uint32_t>(from + screened.document) : t;
    const uint32_t document = segment.document_of(anchor);
    if (is_dead(dead_[number], document)) return;
    const DocumentRecord record = segment.document(document);
    if (anchor < record.first_token || anchor >= record.first_token + record.tokens) return;
    const Fingerprints whole(segment.fingerprints(record.first_token, record.tokens),
                             record.tokens);
    Alignment alignment =
        align(query_bytes, whole, windows ? screened.query : q, anchor - record.first_token);
    if (alignment.pieces.empty() || alignment.score < static_cast<int32_t>(kLeastFragment)) return;
    for (const Piece& piece : alignment.pieces) {
      const int64_t diagonal =
          static_cast<int64_t>(piece.document) + record.first_token - piece.query;
      Track& track = tracks.at(track_key(diagonal), piece.query);
      track.covered = std::max(track.covered, alignment.query_to());
    }
    const auto number_of = static_cast<uint32_t>(number);
    if (query.supplied.empty()) {
      fragments.push_back({number_of, document, false, std::move(alignment)});
      return;
    }
    for (auto& [supplied, part] : cut(alignment, query.supplied)) {
      if (part.score < static_cast<int32_t>(kLeastFragment)) continue;
      fragments.push_back({number_of, document, supplied, std::move(part)});
    }
  };

  const auto look_up = [&](Seed seed, uint32_t q, SeedKind kind) {
    table.find(seed, found);
    if (found.size == 0) return;
    const float frequency = found.stopped ? kStoppedFrequency : static_cast<float>(found.size);
    const float bits = total_bits - std::log2(frequency);
    for (uint32_t p = 0; p < found.size; ++p) {
      const uint32_t t = found.positions[p];
      Track& track = tracks.at(track_key(static_cast<int64_t>(t) - q), q);
      if (q < track.covered) continue;
      track.bits += bits;
      track.last = q;
      if (track.bits < gate) continue;
      track.bits = 0;
      open(q, t, kind);
    }
  };

  const auto look_up_window = [&](size_t window) {
    const uint32_t q = query.window_starts[window];
    for (uint32_t band = 0; band < scheme_.bands; ++band) {
      table.find(query.bands[window * scheme_.bands + band], found);
      const float frequency =
          found.stopped ? kStoppedFrequency : static_cast<float>(std::max(found.size, 1u));
      const float bits = total_bits - std::log2(frequency);
      for (uint32_t p = 0; p < found.size; ++p) {
        const uint32_t t = found.positions[p];
        const Track& passed = tracks.at(track_key(static_cast<int64_t>(t) - q), q);
        if (q < passed.covered) continue;
        // A window's evidence is about the place, whatever the diagonal; odd keys keep it apart.
        Track& track = tracks.at(static_cast<int64_t>(t) * 2 + 1, q);
        if (q < track.covered) continue;
        track.bits += bits;
        track.last = q;
        if (track.bits < gate) continue;
        track.bits = 0;
        track.covered = q + kWindowPause;
        const uint32_t middle = scheme_.window_size / 2;
        open(q + middle,
             static_cast<uint32_t>(std::min<uint64_t>(t + middle, segment.tokens() - 1)),
             SeedKind::kBand);
      }
    }
  };

  size_t window = 0;
  for (uint32_t q = 0; q < query.tiles.size(); ++q) {
    const uint32_t ahead = q + kLookAhead;
    if (ahead < query.tiles.size()) table.prefetch(query.tiles[ahead]);
    for (const auto& gapped : query.gapped) {
      if (ahead < gapped.size()) table.prefetch(gapped[ahead]);
    }
    look_up(query.tiles[q], q, SeedKind::kTile);
    for (const auto& gapped : query.gapped) {
      if (q < gapped.size()) look_up(gapped[q], q, SeedKind::kGapped);
    }
    // A window is looked up once the tokens in its first half are, so that what a tile explains
    // is not screened again.
    while (window < query.window_starts.size() &&
           query.window_starts[window] + scheme_.window_size / 2 <= q) {
      look_up_window(window++);
    }
  }
  while (window < query.window_starts.size()) look_up_window(window++);
}

std::optional<Match> Searcher::judge(const Query& query, const Passage& passage) const {
  const bool whole = passage.fragments.size() == 1;
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
  for (uint32_t i = 0; i < length; ++i) {
    const double idf = idf_[query.fingerprints[passage.query_from + i]];
    all += idf;
    if (hit[i]) shared += idf;
    match.matched += hit[i];
  }
  if (whole) {
    if (passage.score < least_score_) return std::nullopt;
  } else if (passage.score < std::max(least_score_, kLeastJoinedScore) ||
             match.matched < kLeastJoinedShare * length) {
    return judge(query, Passage(*passage.fragments.front()));
  }
  const Fragment& best = *passage.fragments.front();
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
  const uint64_t base = segment.document(best.document).first_token;
  match.query_span = {query.tokens.starts[passage.query_from],
                      query.tokens.ends[passage.query_to - 1]};
  match.document_span =
      segment.spans().span(base, base + passage.document_from, base + passage.document_to - 1);
  return match;
}

void Searcher::assemble(const Query& query, std::vector<Fragment>& fragments,
                        std::vector<Match>& matches) const {
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
          passage.add(fragments[i]);
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
  for (size_t i = 0; i < kept.size(); ++i) {
    uint32_t sources = 1;
    const auto counts = [&](const Match& other) {
      const uint32_t own = kept[i].query_to - kept[i].query_from;
      return overlap(kept[i].query_from, kept[i].query_to, other.query_from, other.query_to) * 2 >=
                 own &&
             (other.segment != kept[i].segment || other.document != kept[i].document);
    };
    for (size_t j = i; j-- > 0 && kept[j].query_from + longest > kept[i].query_from;) {
      sources += counts(kept[j]);
    }
    for (size_t j = i + 1; j < kept.size() && kept[j].query_from < kept[i].query_to; ++j) {
      sources += counts(kept[j]);
    }
    kept[i].sources = sources;
  }
  matches = std::move(kept);
}

}  // namespace dedup
