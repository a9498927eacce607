// Letters spaced, words joined, spaces in wrong places: the letters cut into words again.
//
// Where stretches of a text hold no words, or letters alone, their letters without what separates
// them are cut into words of the vocabulary: of all ways the likeliest, long words before short
// ones and short ones before letters that make none. It is taken where words make up most of it.
// Letters that stand apart from others by more than these do among themselves are words by that
// alone, whatever the vocabulary knows.
#pragma once

#include <optional>
#include <string_view>

#include "reading.h"

namespace dedup {

std::optional<Reading> with_words_cut(std::string_view utf8, const Vocabulary& vocabulary);

}  // namespace dedup
