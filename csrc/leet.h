// Digits and signs that stand for letters, as the letters: 7h3 w0r|d is the world.
//
// A word is respelled if it makes none of the vocabulary as it stands and one with its digits and
// signs read as letters, in a streak of words of which that is true. Words of digits or signs
// alone, and short ones, are respelled within such streaks only.
#pragma once

#include <optional>
#include <string_view>

#include "reading.h"

namespace dedup {

std::optional<Reading> without_leet(std::string_view utf8, const Vocabulary& vocabulary);

}  // namespace dedup
