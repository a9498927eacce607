#include "search.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <map>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "error.h"
#include "lex.h"
#include "sifting.h"
#include "thinning.h"

namespace dedup {

namespace {

constexpr uint32_t kJoinQuery = 32;  // tokens of the query between parts of one passage
// and of the document, in either direction: a page; 128 lost half of 500 shuffled words
constexpr uint32_t kJoinDocument = 1024;
// A passage of several parts covers at least this share of itself, or it is its best part alone.
constexpr double kLeastJoinedShare = 0.35;

// The least that is a match of lexemes or nodes: about a function of 60 tokens of Python.
constexpr int32_t kLeastLexemes = 20;
// And so many different shingles of it: rows of assignments align with each other in any two
// programs, over 100 lexemes long, and have fewer.
constexpr uint32_t kLeastDistinct = 12;

// Tokens of [a, b) and [c, d) in common.
uint32_t overlap(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  const uint32_t from = std::max(a, c), to = std::min(b, d);
  return from < to ? to - from : 0;
}

bool has_digit(std::string_view word) {
  return std::ranges::any_of(word, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

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

const Vocabulary& Searcher::vocabulary() const {
  std::call_once(vocabulary_made_, [&] {
    uint64_t words = 0;
    for (const auto& segment : segments_) words += segment->words().size();
    if (words == 0) return;
    Vocabulary made(key_, words);
    for (const auto& segment : segments_) {
      segment->words().each([&](uint64_t word) { made.add(word); });
    }
    vocabulary_ = std::move(made);
  });
  return vocabulary_;
}

void Searcher::add_supply(std::string_view prompt, bool is_code, Supply& supply) const {
  const auto add_tiles = [&](Supply::Side& side, View view) {
    const Scheme& scheme = schemes_[view];
    for (uint32_t i = 0; i + scheme.tile_size <= side.sequence.size(); ++i) {
      const Seed seed = tile_seed(side.sequence, i, scheme);
      if (seed != kNoSeed) side.tiles.push_back({seed, i});
    }
    std::ranges::sort(side.tiles);
  };
  Tokens tokens;
  tokenize(prompt, tokens);
  Supply::Side& words = supply.words.emplace_back();
  key_tokens(tokens, key_, words.sequence);
  add_tiles(words, kTextView);
  if (!has_code_ || !is_code) return;
  Lexemes lexemes;
  lex(prompt, Comments::kAuto, lexemes);
  Supply::Side& code = supply.lexemes.emplace_back();
  key_lexemes(lexemes, key_, code.sequence);
  add_tiles(code, kCodeView);
}

Supply Searcher::supply(std::string_view prompt) const {
  Supply supply;
  add_supply(prompt, true, supply);
  for (const UndoneReading& undone : readings_of(prompt, vocabulary())) {
    add_supply(undone.reading.text(), undone.is_code, supply);
  }
  return supply;
}

void Searcher::mark_supplied(Query& query, std::span<const Supply::Side> sides) const {
  const Scheme& scheme = schemes_[query.view];
  const int32_t cost = measures_of(query.view).cost;
  query.supplied.assign(query.size(), false);
  const auto least = kMatchGain * static_cast<int32_t>(scheme.guaranteed_tokens());
  for (const Supply::Side& side : sides) {
    const auto& entries = side.tiles;
    const Fingerprints supply(side.sequence.fingerprints.data(), side.sequence.size());
    Tracks tracks(kTrackBits);
    const auto look_up = [&](Seed seed, uint32_t q) {
      auto entry = std::ranges::lower_bound(entries, SeedEntry{seed, 0});
      for (uint32_t n = 0; n < kMaxPostings && entry != entries.end() && entry->seed == seed;
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
    };
    SeedReader reader(query.sequence, scheme);
    for (SeedBlock block; reader.next(block);) {
      for (uint64_t bits = block.present[0]; bits != 0; bits &= bits - 1) {
        const auto i = static_cast<uint32_t>(std::countr_zero(bits));
        look_up(block.seeds[0][i], block.first + i);
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

namespace {

// Gathers what is found in a text and its readings: of two matches of one document that share half
// of the shorter one the better stays; the first, if they are as good.
class BestMatches {
 public:
  explicit BestMatches(std::vector<Match> found) {
    for (Match& match : found) add(std::move(match));
  }

  void add_better(std::vector<Match> found) {
    for (Match& match : found) {
      std::vector<size_t>& others = by_document_[key_of(match)];
      const auto is_rival = [&](size_t at) { return share_half(matches_[at], match); };
      if (std::ranges::any_of(others, [&](size_t at) {
            return is_rival(at) && matches_[at].score >= match.score;
          })) {
        continue;
      }
      std::erase_if(others, [&](size_t at) {
        if (!is_rival(at)) return false;
        matches_[at].matched = 0;
        return true;
      });
      add(std::move(match));
    }
  }

  std::vector<Match> take() {
    std::erase_if(matches_, [](const Match& match) { return match.matched == 0; });
    return std::move(matches_);
  }

 private:
  using Key = std::tuple<uint32_t, uint32_t, uint32_t, bool>;

  static Key key_of(const Match& match) {
    return {match.view, match.segment, match.document, match.supplied};
  }
  static bool share_half(const Match& a, const Match& b) {
    const uint64_t from = std::max(a.query_span.start, b.query_span.start);
    const uint64_t to = std::min(a.query_span.end, b.query_span.end);
    const uint64_t shorter =
        std::min(a.query_span.end - a.query_span.start, b.query_span.end - b.query_span.start);
    return from < to && (to - from) * 2 > shorter;
  }
  void add(Match match) {
    by_document_[key_of(match)].push_back(matches_.size());
    matches_.push_back(std::move(match));
  }

  std::vector<Match> matches_;
  std::map<Key, std::vector<size_t>> by_document_;
};

// In order of where they begin, then of views.
void sort_by_place(std::vector<Match>& matches) {
  std::ranges::stable_sort(matches, [](const Match& a, const Match& b) {
    return std::tie(a.query_span.start, a.view) < std::tie(b.query_span.start, b.view);
  });
}

}  // namespace

std::vector<Match> Searcher::search(std::string_view text, const Supply* supply,
                                    const CodeInfo* syntax, Trace* trace) const {
  std::vector<Reading> unfilled;
  std::vector<Match> as_it_stands = search_text(text, supply, syntax, true, trace, &unfilled);
  if (segments_.empty()) return as_it_stands;
  std::vector<UndoneReading> readings = readings_of(text, vocabulary());
  for (Reading& reading : unfilled) {
    readings.push_back({std::move(reading), kFiller, false});
  }
  if (readings.empty()) return as_it_stands;
  BestMatches best(std::move(as_it_stands));
  for (const auto& [reading, devices, is_code] : readings) {
    size_t found_in_all = 0;
    for (const Stretch& stretch : changed_stretches(reading)) {
      const std::string_view part =
          std::string_view(reading.text()).substr(stretch.from, stretch.to - stretch.from);
      std::vector<Match> found = search_text(part, supply, nullptr, is_code, nullptr);
      for (Match& match : found) {
        const auto [start, end] = match.query_span;
        match.query_span = reading.original(stretch.from + static_cast<uint32_t>(start),
                                            stretch.from + static_cast<uint32_t>(end));
        match.devices = devices;
      }
      found_in_all += found.size();
      best.add_better(std::move(found));
    }
    if (trace) trace->readings.push_back({devices, found_in_all});
  }
  std::vector<Match> matches = best.take();
  sort_by_place(matches);
  return matches;
}

std::vector<Match> Searcher::search_text(std::string_view text, const Supply* supply,
                                         const CodeInfo* syntax, bool is_code, Trace* trace,
                                         std::vector<Reading>* readings) const {
  std::vector<Match> matches;
  Tokens tokens;
  tokenize(text, tokens);
  if (segments_.empty()) return matches;
  if (tokens.hashes.size() >= 0xFFFFFFF0) {
    throw ArgumentError("search: the query has over 2^32 tokens; cut it");
  }
  Query words = words_of(text, tokens);
  add_bands(words, schemes_[kTextView]);
  if (supply) mark_supplied(words, supply->words);
  search_view(words, matches, trace);
  if (readings) *readings = without_fillers(words, tokens);
  if (!has_code_ || !is_code) return matches;

  Lexemes lexemes;
  lex(text, Comments::kAuto, lexemes);
  const auto query_of = [&](View view, const Lexemes& own, std::span<const UnitInfo> units) {
    Query query;
    query.view = view;
    query.lexemes = &own;
    query.text = text;
    query.starts = &own.starts;
    query.ends = &own.ends;
    for (const UnitInfo& unit : units) query.units.push_back(unit.tokens);
    key_lexemes(own, key_, query.sequence);
    add_bands(query, schemes_[view]);
    return query;
  };
  Query code = query_of(kCodeView, lexemes, {});
  if (supply) mark_supplied(code, supply->lexemes);
  search_view(code, matches, trace);

  if (syntax && syntax->ast.size() != 0) {
    Query nodes = query_of(kAstView, syntax->ast, syntax->units);
    if (supply) {
      nodes.supplied =
          supplied_as_in(lexemes.starts, lexemes.ends, code.supplied, syntax->ast.starts);
    }
    search_view(nodes, matches, trace);
  }
  sort_by_place(matches);
  return matches;
}

Query Searcher::words_of(std::string_view text, const Tokens& tokens) const {
  Query words;
  words.text = text;
  words.starts = &tokens.starts;
  words.ends = &tokens.ends;
  key_tokens(tokens, key_, words.sequence);
  return words;
}

std::vector<Reading> Searcher::without_fillers(std::string_view text) const {
  Tokens tokens;
  tokenize(text, tokens);
  return without_fillers(words_of(text, tokens), tokens);
}

std::vector<Reading> Searcher::without_fillers(const Query& words, const Tokens& tokens) const {
  std::call_once(ordered_, [&] { order_.emplace(segments_); });
  std::vector<Reading> readings;
  if (auto thin = thinned(words.text, tokens); thin && may_be_found(*thin, tokens)) {
    readings.push_back(std::move(*thin));
  }
  if (auto sift = sifted(words, segments_, dead_, *order_, vocabulary()))
    readings.push_back(std::move(*sift));
  return readings;
}

bool Searcher::may_be_found(const Reading& reading, const Tokens& original) const {
  Tokens tokens;
  tokenize(reading.text(), tokens);
  const Query words = words_of(reading.text(), tokens);
  const Scheme& scheme = schemes_[kTextView];
  Postings postings;
  for (uint32_t i = 0; i + scheme.tile_size <= words.size(); ++i) {
    const Seed seed = tile_seed(words.sequence, i, scheme);
    if (seed == kNoSeed) continue;
    const uint32_t start = tokens.starts[i], end = tokens.ends[i + scheme.tile_size - 1];
    for (const auto& segment : segments_) {
      const SegmentView& view = segment->view(kTextView);
      if (view.tokens() == 0) continue;
      const SeedFilter* filter = view.seeds().filter();
      if (filter && !filter->may_hold(seed)) continue;
      const Span span = reading.original(start, end);
      const auto first = std::ranges::lower_bound(original.starts, span.start);
      if (original.starts.end() - first <= scheme.tile_size ||
          first[scheme.tile_size] >= span.end) {
        break;  // they stood together
      }
      view.seeds().find(seed, postings);
      if (postings.stopped || postings.size > 0) return true;
    }
  }
  return false;
}

void Searcher::search_view(Query& query, std::vector<Match>& matches, Trace* trace) const {
  query.sequence.fingerprints.resize(query.size() + 64);  // whole vectors may be read
  std::vector<std::vector<Fragment>> found(segments_.size());
  std::vector<Collector> collectors;
  collectors.reserve(segments_.size());
  for (uint32_t s = 0; s < segments_.size(); ++s) {
    collectors.emplace_back(*segments_[s], dead_[s], s, query, found[s], kTrackBits, trace);
  }
  if (trace) trace->seeds[query.view].made = query.bands.size();
  SeedReader reader(query.sequence, schemes_[query.view]);
  std::array<SeedBlock, 2> blocks;
  bool more = reader.next(blocks[0]);
  for (size_t now = 0; more; now = 1 - now) {
    more = reader.next(blocks[1 - now]);
    for (Collector& collector : collectors) {
      if (more) collector.prefetch(blocks[1 - now]);
      collector.collect(blocks[now]);
    }
    if (!trace) continue;
    for (const uint64_t present : blocks[now].present) {
      trace->seeds[query.view].made += static_cast<uint64_t>(std::popcount(present));
    }
  }
  std::vector<Fragment> fragments;
  for (uint32_t s = 0; s < segments_.size(); ++s) {
    collectors[s].finish();
    std::ranges::move(found[s], std::back_inserter(fragments));
  }
  if (fragments.empty()) return;
  assemble(query, fragments, matches, trace);
}

void Searcher::judge(const Query& query, const Passage& passage, std::vector<Match>& matches,
                     Trace* trace) const {
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
    if (hit[i] && query.view == kTextView && !has_digit(query.written(passage.query_from + i))) {
      words.insert(query.sequence.values[passage.query_from + i]);
    }
  }
  match.distinct = static_cast<uint32_t>(words.size());
  const Fragment& best = *passage.fragments.front();
  const int32_t needed = whole ? least_score : std::max(least_score, measures.least_joined);
  const auto note = [&](Outcome outcome) {
    if (!trace) return;
    trace->add(Trace::Passage{
        query.view, best.segment, best.document, passage.query_from, passage.query_to,
        (*query.starts)[passage.query_from], (*query.ends)[passage.query_to - 1], match.matched,
        static_cast<uint32_t>(passage.fragments.size()), passage.score, needed, match.distinct,
        query.view == kTextView ? 0 : kLeastDistinct, outcome});
  };
  if (whole) {
    if (passage.score < needed) {
      note(Outcome::too_short);
      return;
    }
  } else if (passage.score < needed || match.matched < kLeastJoinedShare * length) {
    note(Outcome::scattered);
    for (const Fragment* fragment : passage.fragments) {
      judge(query, Passage(*fragment), matches, trace);
    }
    return;
  }
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
    if (match.distinct < kLeastDistinct) {
      note(Outcome::repetitive);
      return;
    }
  }
  if (record.lines != 0) {
    std::tie(match.first_line, match.last_line) = segment.lines_at(record, match.document_span);
    if (const auto unit = segment.unit_at(record, match.document_span)) {
      match.unit = segment.string(unit->name);
    }
  }
  note(Outcome::matched);
  matches.push_back(std::move(match));
}

void Searcher::assemble(const Query& query, std::vector<Fragment>& fragments,
                        std::vector<Match>& all, Trace* trace) const {
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
      judge(query, passage, matches, trace);
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
    if (repeated) {
      if (trace) {
        trace->add(Trace::Passage{match.view, match.segment, match.document, match.query_from,
                                  match.query_to, match.query_span.start, match.query_span.end,
                                  match.matched, 1, match.score, 0, match.distinct, 0,
                                  Outcome::repeated});
      }
      continue;
    }
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
