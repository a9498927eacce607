// Look-alikes, leet, spaced letters and joined words as plain words.
#pragma once

#include <optional>
#include <string_view>

#include "reading.h"

namespace dedup {

std::optional<Reading> respelled(std::string_view utf8, const Vocabulary& vocabulary);

}  // namespace dedup
