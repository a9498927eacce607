// Letters of other scripts, symbols and ornamental forms that are drawn like Latin letters, as
// these: the skeleton of Unicode's UTS #39, word by word, and more (generate_look_alikes.py).
//
// A word is respelled if all that is foreign in it looks like Latin, and it
//
//   mixes scripts      such as Latin and Cyrillic, which no language does in one word
//   or makes a word    of the vocabulary, which as it stands it is not
//
// and of the latter those of one foreign script, which may be words of a language that is not
// protected, only in a streak of their like, or beside Latin.
#pragma once

#include <optional>
#include <string_view>

#include "reading.h"

namespace dedup {

std::optional<Reading> without_look_alikes(std::string_view utf8, const Vocabulary& vocabulary);

}  // namespace dedup
