// Markup, entities, escapes and direction overrides as they are shown.
#pragma once

#include <optional>
#include <string_view>

#include "reading.h"

namespace dedup {

std::optional<Reading> rendered(std::string_view utf8);

}  // namespace dedup
