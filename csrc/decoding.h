// Base64, hex and the like as what they hold: runs of kLeastCoded bytes or more of a code (codes.h)
// that give valid UTF-8 which looks like text. All others stay: images, hashes, keys, source maps.
//
// A run may be cut at either end, wrapped, quoted, and broken within: reading begins again where it
// stopped, in whatever phase is right there. What is decoded is decoded again, as often as it can
// be; every code but shortens what it holds, so this ends, and is linear. A decoded run has an
// empty line on both sides, over which no code reads on.
//
// Where two codes give text (digits are hex, octal and base64 as well) words that the vocabulary
// knows decide, then letters.
//
// Cost: ordinary text is passed over in windows that begin where no alphabet fits, 1 ns a byte (3
// of source code); random bytes cost 13 ns a byte of base64 and 40 of hex, the worst that was
// made 70.
#pragma once

#include <optional>
#include <string_view>

#include "reading.h"

namespace dedup {

std::optional<Reading> decoded(std::string_view utf8, const Vocabulary& vocabulary);

}  // namespace dedup
