// Tables with a word in most cells, row by row and besides column by column.
//
// A table is three lines or more, one after another, with the same number of cells, two or more,
// parted by bars, tabs, semicolons or commas; the last cell may be missing. It has at least kCells
// of them that hold letters, and three in four of those hold one word. The line under the head of a
// Markdown table is none. In the reading white space parts the cells, so that it holds no table.
#pragma once

#include <optional>
#include <string_view>

#include "reading.h"

namespace dedup {

std::optional<Reading> by_columns(std::string_view utf8);

}  // namespace dedup
