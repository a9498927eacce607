// Source text of any language -> the lexemes of the `code` view, incrementally.
//
// One lexer for all languages: it must read code that is cut at both ends, in prose, under a wrong
// fence tag. It knows the common families of comments, strings and operators and no grammar.
//
//   left out   white space, comments, docstrings, fences, line numbers and diff or prompt marks at
//   a
//              line's start; what a formatter adds or takes: ; { } ) ] and a comma before one of
//              them, a ( that opens no call, the accessor of a member, a line's trailing backslash
//   fixed      operators, and words that are reserved in several languages: as they are
//   names      plain, member (behind . -> ?. ::), label (f(key=...), {key: ...})
//   literals   strings (escapes, triple, raw, template, regular expressions), numbers; neighbouring
//              strings are one
//
// A comment, row of line comments or string of kNestedBytes or more that reads as code is lexed as
// code, so quoting a program hides nothing. One that does not end within kMaxQuotedBytes is none:
// its opening mark is skipped and what follows is lexed, so a lone mark hides nothing either.
//
// Whether # and // open comments is told by the caller, who knows a file's language, or else by
// what has been read so far; fence tags are not believed.
//
// The lexemes are the same however the text is cut into chunks. Time is linear, memory beyond the
// lexemes is a few kB. Any bytes are accepted; what is no UTF-8 separates.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lexemes.h"

namespace dedup {

// The longest literal or comment; docstrings of a page are not uncommon.
inline constexpr uint32_t kMaxQuotedBytes = 8192;
inline constexpr uint32_t kNestedBytes = 256;

enum class Comments : uint8_t {
  kAuto,   // by the evidence of the text
  kHash,   // # : Python, Ruby, shells, Perl, R, YAML
  kSlash,  // // and /* */ : C and its kin
  kDash,   // -- : SQL, Lua, Haskell, Ada
};

// The family of a language, named as dedup.units names them; kAuto if it is not known.
Comments comments_of(std::string_view language);

class Lexer {
 public:
  explicit Lexer(Comments comments = Comments::kAuto, bool nested = true);

  // Appends the lexemes that are certain by now. Spans count from the first byte ever fed; the text
  // is shorter than 4 GiB.
  void feed(std::string_view chunk, Lexemes& out);
  // The rest, as at the end of the text.
  void finish(Lexemes& out);

 private:
  friend void lex(std::string_view text, Comments comments, Lexemes& out);
  // A kind of literal or comment by its closing mark.
  enum Mark : uint8_t {
    kDouble,
    kSingle,
    kBack,
    kTripleDouble,
    kTripleSingle,
    kRegex,
    kRaw,
    kBlock,
    kMarkup,
    kMarks
  };
  struct Quote {
    Mark mark;
    std::string_view close;
    bool one_line = false, escapes = false, is_comment = false;
  };
  struct Pending {
    bool held = false;
    LexemeClass kind{};
    uint64_t symbol = 0, raw = 0;
    bool tells = false;
    uint32_t start = 0, end = 0;
    bool opens_argument = false;  // a name behind ( or ,
    bool opens_entry = false;     // a name behind { or ,
    bool is_comma = false;
  };

  // Lexes from data[at] on; stops where more text could change what is next, unless it is the last.
  // Returns how many bytes are done with.
  uint32_t scan(std::string_view data, bool last, Lexemes& out);
  uint32_t line_start(std::string_view data, uint32_t at, bool last) const;
  uint32_t name(std::string_view data, uint32_t at, bool last, Lexemes& out);
  uint32_t number(std::string_view data, uint32_t at, bool last, Lexemes& out);
  uint32_t operator_at(std::string_view data, uint32_t at, bool last, Lexemes& out);
  uint32_t quoted(std::string_view data, uint32_t open, uint32_t body, const Quote& quote,
                  bool last, Lexemes& out);
  uint32_t line_comment(std::string_view data, uint32_t at, std::string_view mark, bool last,
                        Lexemes& out);
  uint32_t comment_line(std::string_view data, uint32_t at, bool last) const;
  bool is_hash_comment(std::string_view data, uint32_t at) const;
  uint32_t find_close(std::string_view data, uint32_t open, uint32_t body, const Quote& quote,
                      bool last);
  bool lex_nested(std::string_view content, uint32_t at, Lexemes& out);
  void emit(LexemeClass kind, uint64_t symbol, uint64_t raw, bool tells, uint32_t start,
            uint32_t end, Lexemes& out);
  void flush(Lexemes& out);
  void open(char bracket);
  char innermost() const;  // the bracket that is open here; 0 if unknown
  bool slashes_comment() const;
  bool hashes_comment() const;

  const Comments comments_;
  const bool nested_;
  std::string held_;
  uint32_t base_ = 0;  // offset in the text of the data being scanned
  Pending pending_;
  bool at_line_start_ = true;  // nothing but space since the last newline
  bool at_column_0_ = true;    // nothing at all
  char before_ = 0;            // last byte that was neither space nor comment; 0 at the start
  bool operand_ = false;       // what came before can be called, indexed or divided
  bool accessor_ = false;      // what came before is an accessor
  static constexpr uint32_t kMaxDepth = 64;
  char brackets_[kMaxDepth] = {};
  uint32_t depth_ = 0;
  uint32_t regex_end_ = 0xFFFFFFFF;
  int32_t hash_evidence_ = 0, slash_evidence_ = 0;
  // Where a search for a closing mark stands, so that a text fed byte by byte is searched once.
  uint32_t search_open_ = 0xFFFFFFFF, search_at_ = 0;
  Mark search_mark_ = kMarks;
  // Up to where no mark of a kind opens anything, as one before it was never closed: what keeps a
  // text of lone marks linear.
  uint32_t dead_until_[kMarks] = {};
};

// All lexemes of a text; replaces `out`.
void lex(std::string_view text, Comments comments, Lexemes& out);

}  // namespace dedup
