// The tokens of the code views: what they are, whichever of the two made them.
//
// `code` comes from the lexer (lex.h), `ast` from tree-sitter's nodes (dedup/syntax.py). Both hand
// on the same struct, so that all behind it (shapes.h, the segment, the search) is written once.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "hash.h"

namespace dedup {

enum class LexemeClass : uint8_t {
  kFixed,   // keyword, operator, syntax node: itself
  kName,    // an identifier: what renaming changes
  kMember,  // an identifier behind an accessor: renamed apart from the names above, if at all
  kLabel,   // a keyword argument or the key of an object: likewise
  kString,  // any literal but a number
  kNumber,
};
inline constexpr uint8_t kLexemeClasses = 6;

inline bool is_name(uint8_t value) { return value >= 1 && value <= 3; }

struct Lexemes {
  std::vector<uint8_t> classes;        // LexemeClass
  std::vector<uint64_t> symbols;       // of kFixed: the hash of what it is; of others 0
  std::vector<uint64_t> raws;          // the hash of what stands there, letter by letter
  std::vector<uint8_t> telling;        // 1 if the raw says something by itself: see is_telling()
  std::vector<uint32_t> starts, ends;  // bytes

  size_t size() const { return classes.size(); }
  void clear() {
    classes.clear();
    symbols.clear();
    raws.clear();
    telling.clear();
    starts.clear();
    ends.clear();
  }
  void add(LexemeClass kind, uint64_t symbol, uint64_t raw, bool tells, uint32_t start,
           uint32_t end) {
    classes.push_back(static_cast<uint8_t>(kind));
    symbols.push_back(symbol);
    raws.push_back(raw);
    telling.push_back(tells);
    starts.push_back(start);
    ends.push_back(end);
  }
};

inline uint64_t lexeme_hash(std::string_view bytes) { return xxh3_64(bytes.data(), bytes.size()); }

// Whether the word of this hash is reserved in one of the major languages.
bool is_reserved(uint64_t hash);

// Whether two texts that both hold this name or literal agree on something: not on one of the names
// that half of all programs have (`self`, `get`, `length`), a short literal, or a small number.
bool is_telling(LexemeClass kind, std::string_view bytes);

}  // namespace dedup
