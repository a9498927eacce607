#include "stream_search.h"

#include <algorithm>

namespace dedup {

namespace {

constexpr uint64_t kCompactBytes = 64 * 1024;  // of a piece that is being read

}  // namespace

// A view of the text so far, under one key.
struct StreamSearch::GrowingView {
  GrowingView(const Searcher& searcher, View view) : scheme(searcher.scheme(view)), minima(scheme) {
    query.view = view;
    for (uint32_t s = 0; s < searcher.segments().size(); ++s) {
      collectors.emplace_back(*searcher.segments()[s], searcher.dead(s), s, query, fragments,
                              kStreamTrackBits);
    }
  }

  // Looks up what the query's newest tokens complete; whether that led to an alignment.
  bool grow() {
    window.clear();
    const uint32_t span = scheme.window_size + scheme.shingle_size - 1;
    if (scheme.bands != 0 && scheme.window_size != 0 && query.size() >= span &&
        (query.size() - span) % WindowMinima::kStep == 0) {
      const uint32_t* of_window = minima.at(query.sequence, query.size() - span);
      for (uint32_t band = 0; band < scheme.bands; ++band) {
        window.push_back(band_seed(of_window + band * scheme.rows, scheme.rows, band));
      }
    }
    for (Collector& collector : collectors) collector.advance(window);
    const bool is_evidence = !fragments.empty();
    fragments.clear();
    return is_evidence;
  }

  const Scheme scheme;
  Query query;
  WindowMinima minima;
  std::vector<Seed> window;
  std::vector<Fragment> fragments;
  std::vector<Collector> collectors;
};

struct StreamSearch::Part {
  explicit Part(std::shared_ptr<const Searcher> from)
      : searcher(std::move(from)),
        words(*searcher, kTextView),
        code(*searcher, kCodeView),
        keyer(searcher->key()) {}

  std::shared_ptr<const Searcher> searcher;
  GrowingView words, code;
  LexemeKeyer keyer;
};

StreamSearch::StreamSearch(std::vector<std::shared_ptr<const Searcher>> searchers) {
  for (auto& searcher : searchers) {
    has_code_ = has_code_ || searcher->has_code();
    Part& part = *parts_.emplace_back(std::make_unique<Part>(std::move(searcher)));
    part.code.query.lexemes = &lexemes_;
  }
}

StreamSearch::~StreamSearch() = default;

void StreamSearch::feed(std::string_view utf8) {
  pending_ += utf8;
  read_certain(certain_prefix(pending_, looked_at_));
}

void StreamSearch::finish() {
  finished_ = true;
  read_certain(pending_.size());
}

void StreamSearch::read_certain(size_t bytes) {
  const size_t known = tokens_.size();
  append_tokens(std::string_view(pending_).substr(0, bytes), tokens_);
  for (size_t i = known; i < tokens_.size(); ++i) {
    tokens_.starts[i] += static_cast<uint32_t>(certain_);
    tokens_.ends[i] += static_cast<uint32_t>(certain_);
  }
  if (has_code_) unlexed_.append(pending_, 0, bytes);
  pending_.erase(0, bytes);
  certain_ += bytes;
}

bool StreamSearch::lex_to(uint64_t end) {
  const size_t known = lexemes_.size();
  const std::string_view ready = std::string_view(unlexed_).substr(lexed_ - unlexed_from_);
  lexer_.feed(ready.substr(0, end - lexed_), lexemes_);
  lexed_ = end;
  if (finished_ && end == certain_) lexer_.finish(lexemes_);
  if (lexemes_.size() == known) return false;
  bool is_evidence = false;
  for (auto& part : parts_) {
    part->keyer.extend(lexemes_, part->code.query.sequence);
    is_evidence |= part->code.grow();
  }
  return is_evidence;
}

std::optional<StreamStep> StreamSearch::next(uint64_t until, uint64_t until_byte) {
  std::optional<StreamStep> step;
  const auto is_there = [&] {
    return step->is_evidence || step->token == until || (until_byte && step->end >= until_byte);
  };
  while (read_ < tokens_.size() && !(step && is_there())) {
    step = StreamStep{false, tokens_.starts[read_], tokens_.ends[read_], read_ + 1};
    for (auto& part : parts_) {
      Sequence& words = part->words.query.sequence;
      words.values.push_back(part->searcher->key()(tokens_.hashes[read_]));
      words.fingerprints.push_back(token_fingerprint(words.values.back()));
      step->is_evidence |= part->words.grow();
    }
    ++read_;
    if (!has_code_) continue;
    const bool is_last = finished_ && read_ == tokens_.size();
    step->is_evidence |= lex_to(is_last ? certain_ : step->end);
  }
  if (read_ == tokens_.size() || lexed_ - unlexed_from_ > kCompactBytes) {
    unlexed_.erase(0, lexed_ - unlexed_from_);
    unlexed_from_ = lexed_;
  }
  return step;
}

}  // namespace dedup
