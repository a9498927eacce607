// Shingles as strings, for signatures that must equal those other libraries make from the same
// text.
//
// A shingle is `size` words with one space between them, where Python's
//
//     words = re.findall(r"\w+", text.lower())
//
// A text of fewer words, but of at least one, is one shingle. What is a word and what its lower
// case depends on the Unicode version of that Python, which therefore supplies a table
// (fingerprint.py); ASCII is known here. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace dedup {

// An entry of the table: the code point in lower case, or one of these.
inline constexpr std::uint32_t word_separator = 0;
inline constexpr std::uint32_t word_unknown = 0xFFFFFFFF;  // its neighbours decide, or it grows

struct WordShingles {
  std::vector<char> joined;                // begins with all words, one space between two
  std::vector<std::string_view> shingles;  // each a slice of `joined`
};

// Replaces what `out` held. False, and no shingles, if the text is not UTF-8 or has a code point
// that is unknown or beyond the end of `table`, which is indexed by code point. `size` is at
// least 1.
bool word_shingles(std::string_view text, std::size_t size, std::span<const std::uint32_t> table,
                   WordShingles& out);

}  // namespace dedup
