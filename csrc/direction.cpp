#include "direction.h"

#include <algorithm>
#include <vector>

#include "code_point.h"

namespace dedup {

namespace {

enum Control : uint32_t {
  kLeftEmbedding = 0x202A,
  kRightEmbedding = 0x202B,
  kPop = 0x202C,
  kLeftOverride = 0x202D,
  kRightOverride = 0x202E,
  kFirstIsolate = 0x2066,
  kLastIsolate = 0x2068,
  kPopIsolate = 0x2069,
};

// Deeper ones count for nothing, as in the standard, whose limit is 125: each costs a pass.
constexpr size_t kMostDepth = 16;

bool is_control(uint32_t value) {
  return (value >= kLeftEmbedding && value <= kRightOverride) ||
         (value >= kFirstIsolate && value <= kPopIsolate);
}

bool is_right_to_left(uint32_t value) {
  return (value >= 0x590 && value < 0x900) || (value >= 0xFB1D && value < 0xFE00) ||
         (value >= 0xFE70 && value < 0xFF00) || (value >= 0x10800 && value < 0x11000) ||
         (value >= 0x1E800 && value < 0x1F000);
}

// A character with the marks that stand on it, or a control.
struct Unit {
  uint32_t start, end;
  uint32_t value;
  uint8_t level;
};

bool is_mark(uint32_t value) {
  return unicode::entry(value) == unicode::ignored && value >= 0x300 && !is_control(value);
}

std::vector<Unit> units_of(std::string_view utf8, uint32_t start, uint32_t end) {
  std::vector<Unit> units;
  for (uint32_t at = start; at < end;) {
    const CodePoint point = code_point_at(utf8.substr(0, end), at);
    at += point.size;
    if (is_mark(point.value) && !units.empty() && !is_control(units.back().value)) {
      units.back().end = at;
    } else {
      units.push_back({at - point.size, at, point.value, 0});
    }
  }
  return units;
}

// For the control at each unit: by how many letters from left to right those in its reach exceed
// those from right to left.
std::vector<int32_t> balances(const std::vector<Unit>& units) {
  std::vector<int32_t> balance(units.size());
  std::vector<uint32_t> open;
  int32_t sum = 0;
  const auto close = [&] {
    balance[open.back()] = sum - balance[open.back()];
    open.pop_back();
  };
  for (uint32_t i = 0; i < units.size(); ++i) {
    const uint32_t value = units[i].value;
    if (value == kPop || value == kPopIsolate) {
      if (!open.empty()) close();
    } else if (is_control(value)) {
      balance[i] = sum;
      open.push_back(i);
    } else if (joins_words(value)) {
      sum += is_right_to_left(value) ? -1 : 1;
    }
  }
  while (!open.empty()) close();
  return balance;
}

// Gives every unit its level; whether any is turned.
bool set_levels(std::vector<Unit>& units) {
  struct Status {
    uint8_t level;
    bool isolates;
  };
  const std::vector<int32_t> balance = balances(units);
  std::vector<Status> statuses{{0, false}};
  size_t too_deep = 0;
  bool turns = false;
  for (size_t i = 0; i < units.size(); ++i) {
    const uint32_t value = units[i].value;
    const uint8_t level = statuses.back().level;
    units[i].level = level;
    turns |= level % 2 == 1 && !is_control(value);
    if (!is_control(value)) continue;
    if (value == kPop || value == kPopIsolate) {
      if (too_deep > 0) {
        --too_deep;
      } else if (value == kPopIsolate) {
        const bool is_open = std::ranges::any_of(statuses, &Status::isolates);
        while (is_open && !statuses.back().isolates) statuses.pop_back();
        if (is_open) statuses.pop_back();
      } else if (statuses.size() > 1 && !statuses.back().isolates) {
        statuses.pop_back();
      }
    } else if (statuses.size() > kMostDepth) {
      ++too_deep;
    } else {
      const bool is_turned =
          (value == kRightOverride && balance[i] > 0) || (value == kLeftOverride && balance[i] < 0);
      const auto even = static_cast<uint8_t>((level + 1) / 2 * 2);
      const auto odd = static_cast<uint8_t>(level / 2 * 2 + 1 + (level % 2) * 2);
      // An override from left to right within a turned text turns it back.
      statuses.push_back({is_turned ? odd : even, value >= kFirstIsolate});
    }
  }
  return turns;
}

// Rule L2: from the highest level down, every stretch of at least that level is reversed.
void reverse_levels(std::vector<Unit>& units) {
  uint8_t highest = 0;
  for (const Unit& unit : units) highest = std::max(highest, unit.level);
  for (uint8_t level = highest; level > 0; --level) {
    for (auto from = units.begin(); from != units.end();) {
      const auto is_below = [level](const Unit& unit) { return unit.level < level; };
      from = std::find_if_not(from, units.end(), is_below);
      const auto to = std::find_if(from, units.end(), is_below);
      std::reverse(from, to);
      from = to;
    }
  }
}

}  // namespace

std::optional<Reading> in_visual_order(std::string_view utf8) {
  std::optional<Reading> reading = Reading();
  bool turns = false;
  const auto size = static_cast<uint32_t>(utf8.size());
  for (uint32_t start = 0; start < size;) {
    const size_t found = utf8.find('\n', start);
    const uint32_t end = found == std::string_view::npos ? size : static_cast<uint32_t>(found) + 1;
    const std::string_view line = utf8.substr(start, end - start);
    if (line.find("\u202A"[0]) == std::string_view::npos) {  // no control begins otherwise
      reading->copy(utf8, start, end);
      start = end;
      continue;
    }
    const uint32_t stop = line.back() == '\n' ? end - 1 : end;
    std::vector<Unit> units = units_of(utf8, start, stop);
    turns |= set_levels(units);
    reverse_levels(units);
    for (const Unit& unit : units) {
      if (!is_control(unit.value)) reading->copy(utf8, unit.start, unit.end);
    }
    reading->copy(utf8, stop, end);
    start = end;
  }
  if (!turns) reading.reset();
  return reading;
}

}  // namespace dedup
