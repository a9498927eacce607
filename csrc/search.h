// One query against the segments of an index -> matches.
//
//   tokens -> seeds -> alignments (collect.h) -> passages
//
// This is done in each view: in the words of the query, in its lexemes, and, where the caller had
// it parsed, in its syntax nodes. It is done again in the readings of the query that undo what
// hides its words (readings.h), if it has any. What alignment finds is a fragment; fragments of one
// document that lie near each other on both sides are one passage, so a passage whose parts were
// moved about is still one match. A Searcher is immutable and may be used by many threads.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "collect.h"
#include "readings.h"
#include "renaming.h"
#include "segment.h"
#include "trace.h"
#include "vocabulary.h"
#include "word_order.h"

namespace dedup {

struct Match {
  uint32_t view = kTextView;
  uint32_t segment = 0, document = 0;
  Span query_span, document_span;               // bytes
  uint32_t query_from = 0, query_to = 0;        // tokens of the query
  uint32_t document_from = 0, document_to = 0;  // tokens of the document
  uint32_t matched = 0;                         // equal tokens
  uint32_t run = 0;                             // the longest run of them
  uint32_t columns = 0;                         // of the alignment
  int32_t score = 0;
  double containment = 0;  // share of the passage's idf that was found
  uint32_t sources = 1;    // documents in which this passage of the query was found
  uint32_t owners = 1;     // different owners of these, or corpora where no owner is known
  bool supplied = false;   // the prompt held this passage already
  // Different words that were matched, those with digits aside; of the code views, different
  // shingles of five matched tokens. Few where the passage repeats itself, or counts: a table, a
  // row of assignments.
  uint32_t distinct = 0;
  uint32_t devices = 0;  // what was undone to read it so: see readings.h

  Agreement code;                          // of the code views
  std::string unit;                        // the function, method or class of the document
  uint32_t first_line = 0, last_line = 0;  // of the document, from 1; 0 if it has none
};

// A request, prepared to be compared with what is generated for it.
struct Supply {
  struct Side {
    Sequence sequence;
    std::vector<SeedEntry> tiles;  // in order
  };
  std::vector<Side> words, lexemes;  // of the request as it stands, and of its readings
};

class Searcher {
 public:
  // `dead[s]` are the documents of segment s to leave out. Throws ArgumentError if the segments'
  // schemes differ or their key is another.
  Searcher(std::vector<std::shared_ptr<const Segment>> segments, std::vector<Tombstones> dead,
           TokenKey key);

  const std::vector<std::shared_ptr<const Segment>>& segments() const { return segments_; }
  const Tombstones& dead(uint32_t segment) const { return dead_[segment]; }
  const TokenKey& key() const { return key_; }
  const Scheme& scheme(uint32_t view) const { return schemes_[view]; }

  // Whether any segment holds code, so that a query is worth lexing and parsing.
  bool has_code() const { return has_code_; }

  // What a prompt supplies. Throws ArgumentError on invalid UTF-8.
  Supply supply(std::string_view prompt) const;

  // Every match of the query, by where it begins in the query, best first. `syntax` is what parsing
  // the query gave, if it was parsed. What the query repeats from the prompt, in passages of at
  // least the guaranteed length, makes matches of its own, marked `supplied`; what goes before or
  // after does not. What is met on the way goes to the trace, if one is given. Throws ArgumentError
  // on invalid UTF-8, FormatError if a damaged block is met.
  //
  // A match in a reading of the query has its spans in the query as it stands, and of what is found
  // there in several readings only the best is given.
  std::vector<Match> search(std::string_view query, const Supply* supply = nullptr,
                            const CodeInfo* syntax = nullptr, Trace* trace = nullptr) const;

  // Whether the query has readings to be searched besides, other than without_fillers().
  bool is_disguised(std::string_view query) const {
    return !segments_.empty() && !readings_of(query, vocabulary()).empty();
  }
  // The words of what is protected, of segments that know them; those of documents that are gone
  // may be among them. Made when first asked for. Throws FormatError if a damaged block is met.
  const Vocabulary& vocabulary() const;

  // Those of them that leave out words of the query that were put between others (thinning.h,
  // sifting.h), as far as what is left may be found. Throws as search().
  std::vector<Reading> without_fillers(std::string_view query) const;

 private:
  struct Passage;
  // The words of a text, keyed. `tokens` outlives it.
  Query words_of(std::string_view text, const Tokens& tokens) const;
  std::vector<Reading> without_fillers(const Query& words, const Tokens& tokens) const;
  // Whether some words that were apart in the original, and are not in the reading, are a tile of
  // the index. Where none are, words that are left of a table or of code are not searched in vain.
  bool may_be_found(const Reading& reading, const Tokens& original) const;
  void add_supply(std::string_view prompt, bool is_code, Supply& supply) const;
  void mark_supplied(Query& query, std::span<const Supply::Side> supply) const;
  // Of the text as it stands, or of a part of a reading. If asked, reads it without fillers.
  std::vector<Match> search_text(std::string_view text, const Supply* supply,
                                 const CodeInfo* syntax, bool is_code, Trace* trace,
                                 std::vector<Reading>* readings = nullptr) const;
  void search_view(Query& query, std::vector<Match>& matches, Trace* trace) const;
  // Adds what the passage is; if it is too scattered for one match, what each part of it is.
  void judge(const Query& query, const Passage& passage, std::vector<Match>& matches,
             Trace* trace) const;
  void assemble(const Query& query, std::vector<Fragment>& fragments, std::vector<Match>& matches,
                Trace* trace) const;

  std::vector<std::shared_ptr<const Segment>> segments_;
  std::vector<Tombstones> dead_;
  TokenKey key_;
  Schemes schemes_{Scheme{}, Scheme::code(), Scheme::ast()};
  std::array<std::vector<float>, kViews> idf_;  // bits, of each fingerprint
  bool has_code_ = false;
  mutable std::once_flag vocabulary_made_;
  mutable Vocabulary vocabulary_;
  mutable std::once_flag ordered_;
  mutable std::optional<WordOrder> order_;  // when the first query was read
};

}  // namespace dedup
