// What stands in a text and is not shown as it stands: escapes (escapes.h), and the marks of
// markup.
//
//   HTML, XML   comments, tags with their attributes, elements that are not displayed. Block-level
//               tags part words, cells and rows become those of a table of bars (columns.h), all
//               else vanishes: wo<b>rd</b> is a word. A tag is one by its name, or because the text
//               closes it, or it has attributes, or stands within a word; List<int> is none.
//   Markdown    emphasis, if it is balanced and begins or ends within a word; links without their
//               addresses, footnote marks. **Whole words** stay: their marks part no words.
//   BBCode      [b]wo[/b]rd, if the text closes it
//   TeX         \textbf{wo}rd, {\bf wo}rd, wo{}rd, accents
//   strings     \n \t \r \" \' \/ \\ and an escaped end of line
//   mail        =57, and soft ends of lines within a word
//
// An edit *counts* if it takes letters or digits away from what is read, or joins letters: what
// else is shown differently makes no other words. A line's end written \n counts only if two
// stand before it on the same line, as in a text that is a string of JSON; programs write one a
// line, or two.
//
// One pass, linear: what is looked for ahead is bounded, and in all by a multiple of the text.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace dedup {

// Bytes [start, end) are shown as something else, of up to eight bytes.
struct Edit {
  uint32_t start, end;
  std::array<char, 8> shown;
  uint8_t shown_size;
  bool counts;
  bool awaits;  // the other half of a pair, without which it is none

  std::string_view text() const { return {shown.data(), shown_size}; }
};

struct Markup {
  std::vector<Edit> edits;           // in order, apart, all of them certain
  bool overrides_direction = false;  // holds U+202D or U+202E (direction.h)
};

Markup find_markup(std::string_view utf8);

// Whether an edit can begin with the byte.
bool begins_markup(char byte);

}  // namespace dedup
