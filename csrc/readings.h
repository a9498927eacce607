// Which readings of a text (reading.h) are worth a search, and which parts of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reading.h"

namespace dedup {

// What was undone to come to a reading; several may have been.
enum Device : uint32_t {
  kMarkup = 1 << 0,
  kEncoding = 1 << 1,
  kCipher = 1 << 2,
  kSpelling = 1 << 3,
  kFiller = 1 << 4,
};
inline constexpr const char* kDeviceNames[] = {"markup", "encoding", "cipher", "spelling",
                                               "filler"};

struct UndoneReading {
  Reading reading;
  uint32_t devices;
  bool is_code;  // what programs undo leaves code as it was; what people undo does not
};

// The text with what programs undo undone, and that again with what people undo; those that are
// the text itself are left out, as are those that nothing was worth undoing for.
std::vector<UndoneReading> readings_of(std::string_view utf8, const Vocabulary& vocabulary);

// Bytes [from, to) of a reading.
struct Stretch {
  uint32_t from, to;
};
// The parts of a reading that differ from the original, with what stands around them, in order and
// apart: what is elsewhere has been searched as it stands. They begin and end between words.
std::vector<Stretch> changed_stretches(const Reading& reading);

}  // namespace dedup
