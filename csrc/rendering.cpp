#include "rendering.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "columns.h"
#include "direction.h"
#include "markup.h"

namespace dedup {

namespace {

constexpr size_t kEdits = 4;
constexpr uint32_t kNear = 400;
constexpr int kLevels = 3;

// Leaves the edits that are made. Distances are those of what is shown: a tag may be long.
void drop_lone(std::vector<Edit>& edits) {
  struct Counted {
    uint32_t place, start, end;
  };
  std::vector<Counted> counted;
  uint32_t hidden = 0;
  for (const Edit& edit : edits) {
    if (edit.counts) counted.push_back({edit.start - hidden, edit.start, edit.end});
    hidden += edit.end - edit.start;
  }
  struct Region {
    uint32_t start, end;
  };
  std::vector<Region> regions;
  for (size_t i = 0; i + kEdits <= counted.size(); ++i) {
    const Counted& last = counted[i + kEdits - 1];
    if (last.place - counted[i].place > kNear) continue;
    const uint32_t start = counted[i].start - std::min(counted[i].start, kNear);
    const uint32_t end = last.end + kNear;
    if (!regions.empty() && start <= regions.back().end) {
      regions.back().end = std::max(regions.back().end, end);
    } else {
      regions.push_back({start, end});
    }
  }
  auto region = regions.begin();
  std::erase_if(edits, [&](const Edit& edit) {
    while (region != regions.end() && region->end < edit.end) ++region;
    return region == regions.end() || edit.start < region->start;
  });
}

Reading made_of(std::string_view utf8, const std::vector<Edit>& edits) {
  Reading reading;
  uint32_t at = 0;
  for (const Edit& edit : edits) {
    reading.copy(utf8, at, edit.start);
    reading.put(edit.text(), edit.start, edit.end);
    at = edit.end;
  }
  reading.copy(utf8, at, static_cast<uint32_t>(utf8.size()));
  return reading;
}

enum class Undoing { shows, blanks };

std::optional<Reading> undone(std::string_view utf8, Undoing undoing = Undoing::shows) {
  Markup markup = find_markup(utf8);
  if (markup.edits.size() >= kEdits) drop_lone(markup.edits);
  if (undoing == Undoing::blanks) {
    for (Edit& edit : markup.edits) edit.shown[0] = ' ', edit.shown_size = 1;
  }
  std::optional<Reading> reading;
  if (markup.edits.size() >= kEdits) reading = made_of(utf8, markup.edits);
  if (markup.overrides_direction) {
    std::optional<Reading> turned = in_visual_order(reading ? reading->text() : utf8);
    if (turned) reading = reading ? turned->of(*reading) : std::move(turned);
  }
  return reading;
}

// With blanks for what markup and tables are made of.
Reading without_marks(std::string_view utf8) {
  Reading reading;
  for (uint32_t at = 0; at < utf8.size(); ++at) {
    const char byte = utf8[at];
    const bool is_mark =
        (byte >= 0 && begins_markup(byte)) || byte == '|' || byte == ',' || byte == ';';
    if (is_mark || byte == '\t') {
      reading.put(" ", at, at + 1);
    } else {
      reading.copy(utf8, at, at + 1);
    }
  }
  return reading;
}

}  // namespace

std::optional<Reading> rendered(std::string_view utf8) {
  std::optional<Reading> whole;
  const auto now = [&] { return whole ? std::string_view(whole->text()) : utf8; };
  const auto read = [&](std::optional<Reading> next) {
    if (!next) return false;
    whole = whole ? next->of(*whole) : std::move(*next);
    return true;
  };
  int level = 0;
  while (level < kLevels && read(undone(now()))) ++level;
  const bool has_table = read(by_columns(now()));
  if (has_table || level == kLevels) {
    read(undone(now(), Undoing::blanks));
    if (undone(now()) || by_columns(now())) read(without_marks(now()));
  }
  return whole;
}

}  // namespace dedup
