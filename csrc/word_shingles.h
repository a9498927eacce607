// Shingles as strings, for signatures that must equal those other libraries make from the same
// text.
//
// A word is a run of ASCII letters, digits, `_` and bytes from 0x80 up, in ASCII lower case; a
// shingle is `size` words with one space between them. For ASCII text that is Python's
//
//     words = re.findall(r"\w+", text.lower())
//     [" ".join(words[i : i + size]) for i in range(max(1, len(words) - size + 1))] if words else
//     []
//
// and the caller brings other text into a form for which it is (fingerprint.py). The text is not
// validated: a shingle is bytes. Thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace dedup {

struct WordShingles {
  std::string joined;                      // all words, one space between two
  std::vector<std::string_view> shingles;  // each a slice of `joined`
};

// Replaces what `out` held. `size` is at least 1.
void word_shingles(std::string_view text, std::size_t size, WordShingles& out);

}  // namespace dedup
