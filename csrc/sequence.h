// A text in one view, keyed: what seeds are made of and fingerprints are taken from.
//
// A token of `text` has one value, its keyed hash. A lexeme of the code views has the value of what
// it is, whoever named it:
//
//   fixed      the keyed symbol
//   literal    one value for all strings, one for all numbers
//   name       by its link: how many names back, plain, members and labels counted apart, the same
//              name stood last; 0 if it did not within kMaxLink names
//
// In a run of tokens (a tile, a shingle) a name whose link leads out of the run counts as linked to
// nothing, so equal code has equal runs whatever it stands in. That is the numbering of identifiers
// within the shingle: as robust to renaming as one value for all names, and more specific.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hash.h"
#include "lexemes.h"
#include "tokenize.h"

namespace dedup {

enum View : uint32_t { kTextView = 0, kCodeView = 1, kAstView = 2 };
inline constexpr uint32_t kViews = 3;

// How tokens become secret: by SipHash under a key, or, without one, as they are.
struct TokenKey {
  std::optional<Key> key;

  uint64_t operator()(uint64_t token_hash) const {
    return key ? siphash(*key, token_hash) : token_hash;
  }
  // Of each, to `out`, which may be the hashes themselves.
  void all(std::span<const uint64_t> token_hashes, uint64_t* out) const {
    if (key) {
      siphash_all(*key, token_hashes, out);
    } else {
      std::ranges::copy(token_hashes, out);
    }
  }
  // Names the key without telling it; 0 is "no key".
  uint64_t id() const { return key ? siphash(*key, std::string_view("dedup key id")) | 1 : 0; }
};

inline uint8_t token_fingerprint(uint64_t keyed_token) {
  return static_cast<uint8_t>(keyed_token >> 56);
}

// No run of tokens that is hashed holds more names than this.
inline constexpr uint32_t kMaxLink = 32;

struct Sequence {
  std::vector<uint64_t> values;
  std::vector<uint64_t> unlinked;     // the values of names linked to nothing; empty for `text`
  std::vector<uint32_t> linked_to;    // of a name: 1 + the token it is linked to; else 0
  std::vector<uint8_t> fingerprints;  // of values
  std::vector<uint8_t> raws;          // of what stands there, letter by letter; empty for `text`
  std::vector<uint8_t> classes;       // LexemeClass; empty for `text`

  uint32_t size() const { return static_cast<uint32_t>(values.size()); }
  void clear() { *this = Sequence(); }
  // What kind of lexeme a token is, whatever its link.
  uint8_t fingerprint_of_kind(size_t at) const { return token_fingerprint(unlinked[at]); }
  bool has_names() const { return !unlinked.empty(); }
  // Token `at` as one of a run that begins at `from`.
  uint64_t value(size_t at, size_t from) const {
    return linked_to[at] > from ? values[at] : unlinked[at];
  }
};

// Tokens [first, first + tokens): those of a function, a method or a class.
struct TokenRange {
  uint32_t first, tokens;
};

// Replaces `out`.
void key_tokens(const Tokens& tokens, const TokenKey& key, Sequence& out);
// Goes on where `out` ends.
void extend_tokens(const Tokens& tokens, const TokenKey& key, Sequence& out);

// Keys the lexemes of one text, as far as there are any yet.
class LexemeKeyer {
 public:
  explicit LexemeKeyer(const TokenKey& key);
  // Goes on where `out` ends, which holds what this keyer made of the lexemes before.
  void extend(const Lexemes& lexemes, Sequence& out);

 private:
  struct Last {
    uint32_t token, name;
  };
  using Links = std::array<std::array<uint64_t, kMaxLink + 1>, kLexemeClasses>;

  const TokenKey key_;
  Links made_up_, near_;
  std::unordered_map<uint64_t, Last> last_;
  std::array<uint32_t, kLexemeClasses> names_{};
};

// Replaces `out`.
void key_lexemes(const Lexemes& lexemes, const TokenKey& key, Sequence& out);

}  // namespace dedup
