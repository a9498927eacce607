// Base64, hex and the like as what they hold.
#pragma once

#include <optional>
#include <string_view>

#include "reading.h"

namespace dedup {

std::optional<Reading> decoded(std::string_view utf8, const Vocabulary& vocabulary);

}  // namespace dedup
