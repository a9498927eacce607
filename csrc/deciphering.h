// Rotated, reversed and turned words as what they are.
#pragma once

#include <optional>
#include <string_view>

#include "reading.h"

namespace dedup {

std::optional<Reading> deciphered(std::string_view utf8, const Vocabulary& vocabulary);

}  // namespace dedup
