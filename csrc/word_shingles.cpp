#include "word_shingles.h"

#include <algorithm>
#include <array>

namespace dedup {

namespace {

// What an ASCII byte becomes in a word, 0 if it ends one.
constexpr std::array<char, 128> ascii_word = [] {
  std::array<char, 128> table{};
  for (int byte = 0; byte < 128; ++byte) {
    const bool is_upper = byte >= 'A' && byte <= 'Z';
    const bool is_word =
        is_upper || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '_';
    if (is_word) table[byte] = static_cast<char>(is_upper ? byte + ('a' - 'A') : byte);
  }
  return table;
}();

// The code point at `at`, which moves behind it; word_unknown if there is none, or it is ASCII.
std::uint32_t decode(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t offset) {
    return at + offset < text.size() ? static_cast<unsigned char>(text[at + offset]) : 0u;
  };
  const unsigned lead = byte(0);
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  std::uint32_t code = lead & (0xFFu >> (length + 1));
  for (std::size_t offset = 1; offset < length; ++offset) {
    if ((byte(offset) & 0xC0) != 0x80) return word_unknown;
    code = code << 6 | (byte(offset) & 0x3F);
  }
  // Too long a form, half a surrogate pair, beyond Unicode, or a byte that cannot lead.
  constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (lead < 0xC0 || lead > 0xF7 || code < least[length] || (code >> 11) == 0xD800 >> 11) {
    return word_unknown;
  }
  at += length;
  return code;
}

char* encode(std::uint32_t code, char* out) {
  const auto put = [&](std::uint32_t byte) { *out++ = static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
  return out;
}

// Lets each word's view grow over the words behind it, which are joined already.
void grow(std::vector<std::string_view>& words, std::size_t size) {
  if (words.empty()) return;
  const std::size_t count = words.size() < size ? 1 : words.size() - size + 1;
  for (std::size_t first = 0; first < count; ++first) {
    const std::string_view last = words[std::min(first + size, words.size()) - 1];
    const char* const start = words[first].data();
    words[first] = {start, static_cast<std::size_t>(last.data() + last.size() - start)};
  }
  words.resize(count);
}

}  // namespace

bool word_shingles(std::string_view text, std::size_t size, std::span<const std::uint32_t> table,
                   WordShingles& out) {
  out.shingles.clear();
  // Lower case is at most one half longer (2 bytes to 3), and the last word gets a space as well.
  const std::size_t longest = text.size() + text.size() / 2 + 1;
  if (out.joined.size() < longest) out.joined.resize(longest);
  char* next = out.joined.data();
  char* word = next;
  const auto end_word = [&] {
    if (next == word) return;
    out.shingles.emplace_back(word, static_cast<std::size_t>(next - word));
    *next++ = ' ';
    word = next;
  };
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x80) {
      ++at;
      if (ascii_word[byte] != 0) {
        *next++ = ascii_word[byte];
      } else {
        end_word();
      }
      continue;
    }
    const std::uint32_t code = decode(text, at);
    const std::uint32_t lower = code < table.size() ? table[code] : word_unknown;
    if (lower == word_unknown) {
      out.shingles.clear();
      return false;
    }
    if (lower == word_separator) {
      end_word();
    } else {
      next = encode(lower, next);
    }
  }
  end_word();
  grow(out.shingles, size);
  return true;
}

}  // namespace dedup
