// Characters written by their numbers or names: what stands at one place of a text, by itself.
//
//   entity             &#87; &#x57; &amp; as HTML reads them, without a semicolon where it allows
//   it percent_escape     %57 of URLs, %u0057 of JavaScript's escape() printable_escape   =57 of
//   quoted-printable backslash_escape   \u0057 (and pairs of surrogates) \u{57} \U00000057 \x57
//   \127
//
// Escapes of bytes are taken together as far as they make a character of UTF-8; a byte from 0xA0 on
// that makes none is one of Latin-1.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace dedup {

struct Escape {
  uint32_t size = 0;  // bytes of the text; 0 if there is no escape
  std::array<char, 8> shown{};
  uint32_t shown_size = 0;

  std::string_view text() const { return {shown.data(), shown_size}; }
};

Escape entity(std::string_view utf8, uint32_t at);
Escape percent_escape(std::string_view utf8, uint32_t at);
Escape printable_escape(std::string_view utf8, uint32_t at);
Escape backslash_escape(std::string_view utf8, uint32_t at);

}  // namespace dedup
