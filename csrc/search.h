// One query against the segments of an index -> matches.
//
//   tokens -> seeds -> postings -> gate -> screen -> alignment -> fragments -> passages
//
// Postings that agree on a diagonal (document position less query position) add up their idf; a
// place is opened once its evidence reaches log2(T) - 3 bits: one seed with at most 8 postings, or
// several commoner ones. What alignment finds there is a fragment; fragments of one document that
// lie near each other on both sides are one passage, so a passage whose parts were moved about is
// still one match. A Searcher is immutable and may be used by many threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "align.h"
#include "segment.h"

namespace dedup {

struct Match {
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
  bool supplied = false;   // the prompt held this passage already
};

class Searcher {
 public:
  // `dead[s]` are the documents of segment s to leave out. Throws ArgumentError if the segments'
  // schemes differ or their key is another.
  Searcher(std::vector<std::shared_ptr<const Segment>> segments, std::vector<Tombstones> dead,
           TokenKey key);

  const std::vector<std::shared_ptr<const Segment>>& segments() const { return segments_; }

  // Every match of the query, by where it begins in the query, best first. Words that the query
  // repeats from the prompt, in passages of at least the guaranteed length, make matches of their
  // own, marked `supplied`; what goes before or after them does not. Throws ArgumentError on
  // invalid UTF-8, FormatError if a damaged block is met.
  std::vector<Match> search(std::string_view query, std::string_view prompt = {}) const;

 private:
  struct Query;
  struct Fragment;
  struct Passage;
  std::vector<bool> supplied_tokens(const Query& query, std::string_view prompt) const;
  void collect(const Query& query, size_t segment, std::vector<Fragment>& fragments) const;
  std::optional<Match> judge(const Query& query, const Passage& passage) const;
  void assemble(const Query& query, std::vector<Fragment>& fragments,
                std::vector<Match>& matches) const;

  std::vector<std::shared_ptr<const Segment>> segments_;
  std::vector<Tombstones> dead_;
  TokenKey key_;
  Scheme scheme_;
  std::vector<float> idf_;  // bits, of each fingerprint
  int32_t least_score_ = 0;
};

}  // namespace dedup
