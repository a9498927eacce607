// Code points of UTF-8, and which of them make words (tokenize.h). Of bytes that are no UTF-8 each
// is a code point of its own, so that nothing is ever read past an end.
#pragma once

#include <cstdint>
#include <string_view>

#include "unicode_tables.h"

namespace dedup {

struct CodePoint {
  uint32_t value;
  uint32_t size;  // bytes; 0 if there is none
};

inline bool is_continuation(char byte) { return (byte & 0xC0) == 0x80; }

inline CodePoint code_point_at(std::string_view utf8, uint32_t at) {
  if (at >= utf8.size()) return {0, 0};
  const auto byte = [&](uint32_t i) { return static_cast<uint32_t>(utf8[at + i]) & 0xFF; };
  const uint32_t lead = byte(0);
  const uint32_t size = lead < 0xC2 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 1;
  if (size == 1 || at + size > utf8.size()) return {lead, 1};
  uint32_t value = lead & (0x7F >> size);
  for (uint32_t i = 1; i < size; ++i) {
    if (!is_continuation(utf8[at + i])) return {lead, 1};
    value = value << 6 | (byte(i) & 0x3F);
  }
  return {value, size};
}

inline CodePoint code_point_before(std::string_view utf8, uint32_t at) {
  if (at == 0) return {0, 0};
  uint32_t start = at - 1;
  while (start > 0 && at - start < 4 && is_continuation(utf8[start])) --start;
  const CodePoint found = code_point_at(utf8, start);
  if (start + found.size == at) return found;
  return {static_cast<uint32_t>(utf8[at - 1]) & 0xFF, 1};
}

// Writes up to four bytes; returns how many.
inline uint32_t encode(uint32_t value, char* out) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | (value >> shift & 0x3F)); };
  if (value < 0x80) {
    out[0] = static_cast<char>(value);
    return 1;
  }
  if (value < 0x800) {
    out[0] = static_cast<char>(0xC0 | value >> 6);
    out[1] = tail(0);
    return 2;
  }
  if (value < 0x10000) {
    out[0] = static_cast<char>(0xE0 | value >> 12);
    out[1] = tail(6);
    out[2] = tail(0);
    return 3;
  }
  out[0] = static_cast<char>(0xF0 | value >> 18);
  out[1] = tail(12);
  out[2] = tail(6);
  out[3] = tail(0);
  return 4;
}

inline bool is_surrogate(uint32_t value) { return value >= 0xD800 && value < 0xE000; }

// Whether it joins with its neighbours to a word: a letter or digit, of a script with spaces.
inline bool joins_words(uint32_t value) {
  if (value >= 0xAC00 && value < 0xAC00 + 11172) return true;  // Hangul, not in the tables
  const uint16_t entry = unicode::entry(value);
  if (entry < unicode::first_mapping) return entry == unicode::word;
  return unicode::mappings[entry - unicode::first_mapping] >> 31 == 0;
}

inline bool is_ascii_letter(char byte) {
  return static_cast<unsigned char>((byte | 0x20) - 'a') < 26;
}
inline bool is_ascii_digit(char byte) { return static_cast<unsigned char>(byte - '0') < 10; }
inline bool is_ascii_word(char byte) { return is_ascii_letter(byte) || is_ascii_digit(byte); }

inline bool word_before(std::string_view utf8, uint32_t at) {
  if (at == 0) return false;
  if (utf8[at - 1] >= 0) return is_ascii_word(utf8[at - 1]);
  return joins_words(code_point_before(utf8, at).value);
}
inline bool word_after(std::string_view utf8, uint32_t at) {
  if (at >= utf8.size()) return false;
  if (utf8[at] >= 0) return is_ascii_word(utf8[at]);
  return joins_words(code_point_at(utf8, at).value);
}

}  // namespace dedup
