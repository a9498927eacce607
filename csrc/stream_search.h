// A query that arrives in pieces: tells where it may be turning into a copy.
//
// Tokens are read one by one as soon as they are certain (tokenize.h), and with each the lexemes
// that lie before its end. A token brings evidence if a seed that it completes leads to an
// alignment (collect.h). Any run of words that a document of the index holds brings evidence before
// it is longer than two strides and a tile less one: 20 words by the default scheme, unless its
// tiles are boilerplate. What a token brings is a function of the text before its end, so that
// every way of cutting a text into pieces gives the same. Time a token does not grow with the text;
// memory grows by some 40 bytes a token, and is some 10 kB for each segment.
//
// It says where to look, not what is there: that is search.h's to say.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lex.h"
#include "search.h"
#include "tokenize.h"

namespace dedup {

// A token that was read.
struct StreamStep {
  bool is_evidence = false;
  uint32_t start = 0, end = 0;  // bytes
  uint64_t token = 0;           // its number, from 1
};

class StreamSearch {
 public:
  // Searches what each searcher searches: segments under several keys have one each.
  explicit StreamSearch(std::vector<std::shared_ptr<const Searcher>> searchers);
  ~StreamSearch();

  // Takes more text, of whole characters. Throws ArgumentError on invalid UTF-8.
  void feed(std::string_view utf8);
  // There is no more.
  void finish();
  // Reads on until a token brings evidence, or is number `until`, or ends at byte `until_byte` or
  // after it; 0 stands for never. Returns the last token read; none if all that is certain was read
  // before.
  std::optional<StreamStep> next(uint64_t until = 0, uint64_t until_byte = 0);
  // Where token number `token`, which was read, begins.
  uint64_t start_of(uint64_t token) const { return tokens_.starts.at(token - 1); }
  // Bytes up to which all was read when next() returned none.
  uint64_t certain() const { return certain_; }

 private:
  struct GrowingView;
  struct Part;

  void read_certain(size_t bytes);
  // Lexes up to a byte of the text, or to its end; whether a lexeme brings evidence.
  bool lex_to(uint64_t end);

  std::vector<std::unique_ptr<Part>> parts_;
  bool has_code_ = false;
  std::string pending_;   // what is not certain yet
  size_t looked_at_ = 0;  // of it
  uint64_t certain_ = 0;
  std::string unlexed_;  // what is certain and, but for its first bytes, not lexed yet
  uint64_t unlexed_from_ = 0, lexed_ = 0;
  Tokens tokens_;    // all that are certain
  size_t read_ = 0;  // of them
  Lexer lexer_;
  Lexemes lexemes_;
  bool finished_ = false;
};

}  // namespace dedup
