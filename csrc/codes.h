// The codes that texts are written in so that no word of them shows: base64 and the like, numbers,
// Morse, Braille, spelling alphabets. What finds them in a text is decoding.h.
//
// A code is read group by group: so many symbols give so many bytes. Groups may be parted by what
// wraps and quotes them (spaces, one line break, commas, quotes), never by an empty line.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace dedup {

struct Group {
  std::array<char, 8> bytes;
  uint32_t size;        // of the bytes
  uint32_t start, end;  // its symbols in the text
};

// What a byte may be part of. The first ones are the alphabets that a window is sought of.
enum CodeClass : uint8_t {
  kBase32 = 1,
  kBase64 = 2,
  kBase85 = 4,     // RFC 1924, as Python and git write it
  kAscii85 = 8,    // Adobe
  kNumbers = 16,   // hex, binary, decimal, octal
  kSigns = 32,     // Morse, Braille
  kWrapping = 64,  // may part two groups of the first four
  kParting = 128,  // may part two numbers
};
inline constexpr uint8_t kSolid = kBase32 | kBase64 | kBase85 | kAscii85;
inline constexpr uint8_t kAlphabets = kSolid | kNumbers | kSigns;

extern const std::array<uint8_t, 256> kCodeClasses;

struct Code {
  // Reads the group that begins at `at` or behind what may part it from there; false if none does.
  bool (*next)(std::string_view text, uint32_t at, Group& group);
  uint8_t alphabet;
  // A group begins at one of so many symbols on, if the text was cut inside one.
  uint32_t phases;
  // Whether a group can begin there, by what stands before; null if anything may.
  bool (*begins)(std::string_view text, uint32_t at);
  // Ordinary text may look so: lists of numbers are mostly lists of numbers.
  bool is_common;
};

std::span<const Code> codes();

// Letters by their names: "alfa bravo charlie".
extern const Code kSpelling;

}  // namespace dedup
