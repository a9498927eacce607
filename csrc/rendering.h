// Markup, entities, escapes and direction overrides as they are shown (markup.h, escapes.h,
// direction.h), and the words of tables by column (columns.h).
//
// What is shown differently makes a reading where it hides words, not where it stands alone: an
// edit is made if it is one of kEdits that count (markup.h) within kNear bytes of what is shown, or
// stands no further than that from such. One such edit in a hundred bytes or more leaves enough
// words in a row for the text to be found as it stands.
//
// What an edit makes may be markup again: a string of JSON in a string of JSON. kLevels are undone;
// of what would be left after them the marks are made blank, so that nobody can write what has ever
// another reading.
#pragma once

#include <optional>
#include <string_view>

#include "reading.h"

namespace dedup {

std::optional<Reading> rendered(std::string_view utf8);

}  // namespace dedup
