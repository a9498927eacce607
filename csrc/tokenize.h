// UTF-8 text -> the tokens of the `text` view: normalised words, hashed, with byte spans.
//
// A token is a run of word characters: letters, numbers and spacing vowel signs (L*, N*, Mc). What
// a reader does not see or may not notice never matters:
//
//   compatibility, case, accents   every code point is folded: NFKD, marks off, case folded
//   invisible characters           deleted, also inside a word: format characters, controls other
//                                  than white space, all Default_Ignorable_Code_Point, blanks such
//                                  as U+2800; a soft hyphen is one of them. So is what only draws
//                                  a word out: the Arabic tatweel
//   apostrophes of every kind      deleted if one stands between two word characters: don't = dont
//
// All else separates and forms no token: white space, punctuation (with hyphen and underscore),
// symbols, emoji. Hangul is folded to conjoining letters.
//
// Some scripts do not mark where a word ends. Each Han character is a token of its own. Kana, Thai,
// Lao, Khmer and Myanmar have too few letters for that: unrelated texts share most runs of five. A
// run of these is cut at seams, between two letters by which alone a seam is known, into tokens of
// two letters and more, about as many as there are words. So a passage is cut the same wherever it
// stands, but for a token at either end.
//
// Therefore NFC, NFD, NFKC and NFKD of a text have the same tokens. The spacing accents U+00B4,
// U+0384, U+1FBD, U+1FBF and U+1FFE are the one exception: taken as the apostrophes they are typed
// for, although NFKD makes a space of them.
//
// A token longer than max_token_bytes is cut after as many whole characters as fit, and again, so
// that a text without a space costs linear time and no memory beyond its tokens.
//
// The span of a token runs from the first to the last code point that gave it a character. Spans
// never overlap and never decrease. If one code point gives characters to two tokens (U+00BD is "1"
// and "2"), the first one has its bytes, and a token left without any has an empty span behind.
//
// The hash is xxh3_64 of the normalised UTF-8. Both functions are thread-safe, take a text of less
// than 4 GiB, and throw ArgumentError if it is longer or not valid UTF-8, with the place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cpu.h"

namespace dedup {

// Far above any word, far below what would make one token a document.
inline constexpr std::size_t max_token_bytes = 256;

struct Tokens {
  std::vector<std::uint64_t> hashes;
  std::vector<std::uint32_t> starts;
  std::vector<std::uint32_t> ends;

  std::size_t size() const { return hashes.size(); }
};

// Replaces `out`, keeping its capacity; after an exception it holds an unspecified part.
void tokenize(std::string_view utf8, Tokens& out, Dispatch dispatch = Dispatch::best);

// The same behind the tokens that `out` has; spans count from the start of `utf8`.
void append_tokens(std::string_view utf8, Tokens& out, Dispatch dispatch = Dispatch::best);

// How much of a text that may go on is certain: tokens up to there are what they are, whatever
// follows, and those behind are the same if they are made of the rest alone. The text begins where
// no token is open; it may end inside a character. `from` is how much of it was looked at before,
// and becomes how much of what is left was.
std::size_t certain_prefix(std::string_view utf8, std::size_t& from);

// The normalised token that stands behind each hash.
std::vector<std::string> normalised_tokens(std::string_view utf8);

// The Unicode version of the tables, such as "14.0.0".
std::string_view unicode_version();

}  // namespace dedup
