#include "respelling.h"

namespace dedup {

std::optional<Reading> respelled(std::string_view, const Vocabulary&) { return std::nullopt; }

}  // namespace dedup
