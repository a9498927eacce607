// Text whose direction is overridden, in the order in which it is read.
//
// U+202E shows what follows from right to left, to U+202C or the line's end, and U+202D from left
// to right: letters that stand backwards are shown forwards. Overrides, embeddings and isolates
// nest; levels and their reversal are those of UAX #9 (X1-X8, L2) for text whose own direction is
// left to right. An override in the direction in which its letters are read anyway turns nothing,
// so that Hebrew under U+202E, and all text in logical order, stays as it is.
#pragma once

#include <optional>
#include <string_view>

#include "reading.h"

namespace dedup {

// Without any control of direction, or nothing if no override turns anything.
std::optional<Reading> in_visual_order(std::string_view utf8);

}  // namespace dedup
