#include "columns.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "code_point.h"

namespace dedup {

namespace {

constexpr uint32_t kRows = 3, kCells = 12;
constexpr uint32_t kMostWord = 64;  // bytes of a word in a cell
// Words of a cell, above which the line is a sentence and no row.
constexpr uint32_t kMostWords = 4, kMostFirstWords = 2;

struct Cell {
  uint32_t start, end;
  uint32_t words;
  bool has_letters;
};

bool is_blank(char byte) { return byte == ' ' || byte == '\r'; }
bool parts(char byte) { return byte == '|' || byte == ',' || byte == ';' || byte == '\t'; }

// What parts the cells of a line, or 0 if it begins like no row of a table.
char separator_of(std::string_view line) {
  size_t at = 0;
  while (at < line.size() && is_blank(line[at])) ++at;
  if (at == line.size()) return '\0';
  if (line[at] == '|') return '|';
  bool is_quoted = false;
  for (uint32_t words = 0, size = 0; at < line.size(); ++at) {
    const char byte = line[at];
    if (byte == '"') is_quoted = !is_quoted;
    if (parts(byte) && !is_quoted) {
      // What parts cells is what they hold least often.
      for (const char bar : {'|', '\t', ';'}) {
        if (line.find(bar, at) != std::string_view::npos) return bar;
      }
      return byte;
    }
    size = is_blank(byte) ? 0 : size + 1;
    words += size == 1;
    const bool is_code = size > 1 && (byte == '(' || byte == '=' || byte == '[' || byte == '{');
    if (size > kMostWord || words > kMostFirstWords || is_code) break;
  }
  return '\0';
}

// The cells of a line, those without anything at either end left out; none if it is no row.
void cells_of(std::string_view utf8, uint32_t start, uint32_t end, char separator,
              std::vector<Cell>& cells) {
  cells.clear();
  for (uint32_t at = start; at <= end;) {
    uint32_t stop = at;
    Cell cell{0, 0, 0, false};
    uint32_t size = 0;
    bool is_quoted = false;
    for (; stop < end && (is_quoted || utf8[stop] != separator); ++stop) {
      const char byte = utf8[stop];
      if (byte == '"') is_quoted = !is_quoted;
      size = is_blank(byte) ? 0 : size + 1;
      cell.words += size == 1;
      cell.has_letters |= byte < 0 || is_ascii_letter(byte);
      if (size > kMostWord || cell.words > kMostWords) {
        cells.clear();
        return;
      }
    }
    cell.start = at;
    cell.end = stop;
    while (cell.start < cell.end && is_blank(utf8[cell.start])) ++cell.start;
    while (cell.start < cell.end && is_blank(utf8[cell.end - 1])) --cell.end;
    const bool is_edge = cell.start == cell.end && (at == start || stop == end);
    if (!is_edge) cells.push_back(cell);
    at = stop + 1;
  }
}

bool is_rule(std::string_view line) {
  return line.find('-') != std::string_view::npos &&
         line.find_first_not_of("|-: \r") == std::string_view::npos;
}

class Tables {
 public:
  explicit Tables(std::string_view utf8) : utf8_(utf8) {}

  std::optional<Reading> run() {
    const auto size = static_cast<uint32_t>(utf8_.size());
    for (uint32_t start = 0; start < size;) {
      const size_t found = utf8_.find('\n', start);
      const uint32_t end = found == std::string_view::npos ? size : static_cast<uint32_t>(found);
      look_at_line(start, end);
      start = end + 1;
    }
    finish();
    if (!has_table_) return std::nullopt;
    reading_.copy(utf8_, copied_, size);
    return std::move(reading_);
  }

 private:
  // Of every kRows lines one is looked at, until it may be a row: no table is shorter.
  void look_at_line(uint32_t start, uint32_t end) {
    if (rows_ == 0 && skipped_ + 1 < kRows) {
      skipped_starts_[skipped_++] = start;
      return;
    }
    const uint32_t skipped = std::exchange(skipped_, 0);
    if (skipped > 0) {
      if (separator_of(utf8_.substr(start, end - start)) == '\0') return;
      for (uint32_t i = 0; i < skipped; ++i) {
        take_line(skipped_starts_[i], (i + 1 < skipped ? skipped_starts_[i + 1] : start) - 1);
      }
    }
    take_line(start, end);
  }

  void take_line(uint32_t start, uint32_t end) {
    const std::string_view line = utf8_.substr(start, end - start);
    const char separator = separator_of(line);
    if (separator == '\0') return finish();
    if (rows_ > 0 && is_rule(line)) {
      end_ = end;
      return;
    }
    cells_of(utf8_, start, end, separator, row_);
    const auto count = static_cast<uint32_t>(row_.size());
    if (count < 2) return finish();
    const bool fits = separator == separator_ && (count == width_ || count + 1 == width_);
    if (rows_ > 0 && !fits) finish();
    if (rows_ == 0) {
      start_ = start;
      width_ = count;
      separator_ = separator;
    }
    cells_.insert(cells_.end(), row_.begin(), row_.end());
    if (count < width_) cells_.push_back({end, end, 0, false});
    ++rows_;
    end_ = end;
  }

  // Ends the table that the last lines were, if they were one.
  void finish() {
    if (rows_ >= kRows && has_words()) put_table();
    cells_.clear();
    rows_ = 0;
  }

  bool has_words() const {
    const auto filled = std::ranges::count_if(cells_, &Cell::has_letters);
    const auto single = std::ranges::count_if(
        cells_, [](const Cell& cell) { return cell.has_letters && cell.words == 1; });
    return filled >= kCells && single * 4 >= filled * 3;
  }

  void put_table() {
    has_table_ = true;
    reading_.copy(utf8_, copied_, start_);
    for (uint32_t row = 0; row < rows_; ++row) {
      for (uint32_t column = 0; column < width_; ++column) {
        put_cell(cells_[row * width_ + column], column + 1 < width_ ? " " : "\n");
      }
    }
    for (uint32_t column = 0; column < width_; ++column) {
      for (uint32_t row = 0; row < rows_; ++row) {
        put_cell(cells_[row * width_ + column], row + 1 < rows_ ? " " : "\n");
      }
    }
    copied_ = end_;
  }

  void put_cell(const Cell& cell, std::string_view then) {
    // What other tables part cells by would make one of this reading.
    for (uint32_t at = cell.start; at < cell.end;) {
      uint32_t stop = at;
      while (stop < cell.end && !parts(utf8_[stop])) ++stop;
      reading_.copy(utf8_, at, stop);
      if (stop < cell.end) reading_.put(" ", stop, stop + 1);
      at = stop + 1;
    }
    reading_.put(then, cell.end, std::min(cell.end + 1, static_cast<uint32_t>(utf8_.size())));
  }

  std::string_view utf8_;
  std::vector<Cell> cells_, row_;  // of the table so far, row by row; of a line
  uint32_t rows_ = 0, width_ = 0, start_ = 0, end_ = 0;
  char separator_ = '\0';
  std::array<uint32_t, kRows> skipped_starts_{};  // of the lines that were not looked at
  uint32_t skipped_ = 0;
  bool has_table_ = false;
  uint32_t copied_ = 0;
  Reading reading_;
};

}  // namespace

std::optional<Reading> by_columns(std::string_view utf8) { return Tables(utf8).run(); }

}  // namespace dedup
