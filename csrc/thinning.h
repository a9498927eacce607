// A text without the words that were put between those of another.
#pragma once

#include <optional>
#include <string_view>

#include "reading.h"

namespace dedup {

std::optional<Reading> thinned(std::string_view utf8, const Vocabulary& vocabulary);

}  // namespace dedup
