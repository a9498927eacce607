// Look-alikes, leet, spaced letters and joined words as plain words (look_alikes.h, leet.h,
// word_cuts.h), one after the other until nothing is left to undo.
#pragma once

#include <optional>
#include <string_view>

#include "reading.h"

namespace dedup {

std::optional<Reading> respelled(std::string_view utf8, const Vocabulary& vocabulary);

}  // namespace dedup
