// The characters of valid UTF-8, and what each gives to a word, as tokenize.h has it.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "code_point.h"
#include "unicode_tables.h"

namespace dedup {

struct Character {
  uint32_t point, size;
};

inline Character character_at(std::string_view utf8, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(utf8[i])); };
  const auto tail = [&](size_t i) { return byte(at + i) & 0x3F; };
  const uint32_t lead = byte(at);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) return {(lead & 0x1F) << 6 | tail(1), 2};
  if (lead < 0xF0) return {(lead & 0xF) << 12 | tail(1) << 6 | tail(2), 3};
  return {(lead & 7) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4};
}

// A character folded. One of a script without spaces counts as a word of its own, wherever words
// are cut there. One that is not simply a part of a word (a ligature of many letters, a fraction, a
// Hangul syllable) counts as a separator.
struct Letter {
  unicode::Kind kind;
  uint8_t size;
  char bytes[4];

  std::string_view text() const { return {bytes, size}; }
};

inline Letter folded(std::string_view utf8, size_t at, Character character) {
  const uint16_t entry = unicode::entry(character.point);
  Letter letter{unicode::separator, 0, {}};
  if (entry < unicode::first_mapping) {
    letter.kind =
        entry == unicode::unspaced ? unicode::own_word : static_cast<unicode::Kind>(entry);
    letter.size = static_cast<uint8_t>(character.size);
    std::memcpy(letter.bytes, utf8.data() + at, character.size);
    return letter;
  }
  const uint32_t mapping = unicode::mappings[entry - unicode::first_mapping];
  letter.size = mapping >> 24 & 3;
  if (letter.size == 0) return letter;
  letter.kind = mapping >> 31 != 0 ? unicode::own_word : unicode::word;
  for (uint32_t i = 0; i < letter.size; ++i) letter.bytes[i] = static_cast<char>(mapping >> 8 * i);
  return letter;
}

}  // namespace dedup
