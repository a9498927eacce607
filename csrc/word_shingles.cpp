#include "word_shingles.h"

#include <algorithm>
#include <array>

namespace dedup {

namespace {

// What a byte becomes in a word, 0 if it ends one.
constexpr std::array<char, 256> word_byte = [] {
  std::array<char, 256> table{};
  for (int byte = 0; byte < 256; ++byte) {
    const bool is_upper = byte >= 'A' && byte <= 'Z';
    const bool is_word = is_upper || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
                         byte == '_' || byte >= 0x80;
    if (is_word) table[byte] = static_cast<char>(is_upper ? byte + ('a' - 'A') : byte);
  }
  return table;
}();

}  // namespace

void word_shingles(std::string_view text, std::size_t size, WordShingles& out) {
  out.shingles.clear();
  out.joined.resize(text.size() + 1);
  char* next = out.joined.data();
  // First the words, one view each; a view then grows over the words behind it, which are joined.
  for (std::size_t at = 0; at < text.size();) {
    char byte = word_byte[static_cast<unsigned char>(text[at])];
    if (byte == 0) {
      ++at;
      continue;
    }
    char* const word = next;
    do {
      *next++ = byte;
      byte = ++at < text.size() ? word_byte[static_cast<unsigned char>(text[at])] : char{0};
    } while (byte != 0);
    out.shingles.emplace_back(word, static_cast<std::size_t>(next - word));
    *next++ = ' ';
  }
  if (out.shingles.empty()) return;
  const std::size_t words = out.shingles.size();
  const std::size_t count = words < size ? 1 : words - size + 1;
  for (std::size_t first = 0; first < count; ++first) {
    const std::string_view last = out.shingles[std::min(first + size, words) - 1];
    const char* const start = out.shingles[first].data();
    out.shingles[first] = {start, static_cast<std::size_t>(last.data() + last.size() - start)};
  }
  out.shingles.resize(count);
}

}  // namespace dedup
