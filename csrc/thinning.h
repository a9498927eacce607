// A text without the fillers that were put between its words: the same word or words after every
// one, or every second, and so on, or numbers that count.
//
// A token is a filler if it stands kLeastFillers times in a row at one distance of 2 to kMostPeriod
// tokens, as no word of prose does. Tables and logs have such columns; without them they are
// searched in vain. What else was put between words is told by what it was put into (sifting.h).
#pragma once

#include <optional>
#include <string_view>

#include "reading.h"
#include "tokenize.h"

namespace dedup {

std::optional<Reading> thinned(std::string_view utf8);
// The same, of a text that has these tokens.
std::optional<Reading> thinned(std::string_view utf8, const Tokens& tokens);

}  // namespace dedup
