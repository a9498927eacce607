#include "decoding.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "codes.h"
#include "unicode_tables.h"

namespace dedup {
namespace {

using Byte = unsigned char;

constexpr uint32_t kLeastCoded = 40;  // bytes of a run: fewer hold no passage worth finding
constexpr uint32_t kLeastText = 16;   // bytes it gives
// From so many bytes on it is enough that they are printable, which random ones are not: less than
// half of them are. Fewer, or lists of numbers, must have words.
constexpr uint32_t kSurelyText = 48;
constexpr uint32_t kSample = 96;  // bytes that are decoded to see whether they are text
// Bytes that one alphabet must fit; what wraps base64 leaves no shorter line. Where no code gives
// text from the beginning of a window, the next begins at its end.
constexpr uint32_t kWindow = 24;
// How far before the place where text was found it may begin.
constexpr uint32_t kSooner = 80;
// A spelled letter is looked for so often: far denser than the least run of them.
constexpr uint32_t kSpellingStep = 64;

constexpr std::string_view kEmptyLine = "\n\n";

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_continuation(char byte) { return (byte & 0xC0) == 0x80; }

// Takes valid UTF-8 without control characters, byte by byte.
class Utf8Meter {
 public:
  bool take(char signed_byte) {
    const auto byte = static_cast<Byte>(signed_byte);
    if (left_ == 0) {
      if (byte < 0x80)
        return (byte >= ' ' && byte != 0x7F) || byte == '\n' || byte == '\r' || byte == '\t';
      if (byte < 0xC2 || byte > 0xF4) return false;
      left_ = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
      // Controls from 0x80, overlong forms, surrogates and what is beyond Unicode.
      low_ = byte == 0xC2 || byte == 0xE0 ? 0xA0 : byte == 0xF0 ? 0x90 : 0x80;
      high_ = byte == 0xED ? 0x9F : byte == 0xF4 ? 0x8F : 0xBF;
      return true;
    }
    if (byte < low_ || byte > high_) return false;
    low_ = 0x80;
    high_ = 0xBF;
    --left_;
    return true;
  }
  bool is_complete() const { return left_ == 0; }

 private:
  uint32_t left_ = 0;
  Byte low_ = 0, high_ = 0;
};

struct Run {
  uint32_t end = 0;   // in the text, behind its last group
  uint32_t skip = 0;  // bytes of a character cut by its beginning
  uint32_t size = 0;  // bytes of whole characters behind those
};

// Reads groups from `at` while they give text, up to `limit` bytes, each byte to `sink`.
template <typename Sink>
Run read(const Code& code, std::string_view text, uint32_t at, uint64_t limit, Sink sink) {
  constexpr uint32_t kMostCut = 3;
  Run run;
  Utf8Meter meter;
  Group group;
  uint32_t size = 0;
  for (uint32_t next = at; size < limit && code.next(text, next, group); next = group.end) {
    for (uint32_t i = 0; i < group.size; ++i) {
      const char byte = group.bytes[i];
      if (size == 0 && run.skip < kMostCut && is_continuation(byte)) {
        ++run.skip;
        continue;
      }
      if (!meter.take(byte)) return run;
      sink(byte);
      ++size;
      if (meter.is_complete()) {
        run.size = size;
        run.end = group.end;
      }
    }
  }
  return run;
}

bool is_letter(uint32_t point) {
  const uint16_t entry = unicode::entry(point);
  return entry >= unicode::word || (point >= 0xAC00 && point < 0xD7A4);
}

// How much a sample looks like text: 0 if it does not; more than 1 if words of it are known.
double likeness(std::string_view sample, const Code& code, const Vocabulary& vocabulary) {
  uint32_t letters = 0, spaces = 0, digits = 0, characters = 0, different = 0, words = 0, known = 0;
  std::array<bool, 256> seen{};
  std::string word;
  const auto end_word = [&] {
    if (word.size() >= 3) {
      ++words;
      known += vocabulary.knows(word);
    }
    word.clear();
  };
  for (size_t i = 0; i < sample.size();) {
    const auto byte = static_cast<Byte>(sample[i]);
    uint32_t point = byte, size = 1;
    if (byte >= 0x80) {
      size = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
      point = byte & (0x7F >> size);
      for (uint32_t next = 1; next < size; ++next) {
        point = point << 6 | (static_cast<Byte>(sample[i + next]) & 0x3F);
      }
    }
    i += size;
    ++characters;
    different += !std::exchange(seen[point & 0xFF], true);
    if (point >= '0' && point <= '9') {
      ++digits;
    } else if (point == ' ' || point == '\n') {
      ++spaces;
    } else if (is_letter(point)) {
      ++letters;
    }
    if (point < 0x80 && is_letter(point)) {
      word += static_cast<char>(point >= 'A' && point <= 'Z' ? point | 0x20 : point);
    } else {
      end_word();
    }
  }
  end_word();
  const auto share = [](uint32_t of, uint32_t all) { return all ? 1.0 * of / all : 0; };
  const double read = share(letters + spaces, characters), known_words = share(known, words);
  if (code.is_common || sample.size() < kSurelyText) {
    const double parted = share(spaces, characters);
    const bool has_words = known_words > 0.3 || (read > 0.85 && parted > 0.08 && parted < 0.3);
    if (read < 0.7 || different < 6 || !has_words) return 0;
  } else if (letters + spaces + digits < 0.6 * characters || different < (code.begins ? 6u : 2u)) {
    return 0;
  }
  return known_words + read;
}

struct Found {
  const Code* code = nullptr;
  uint32_t start = 0;
  double likeness = 0;
  // Up to here some code gave characters that are no text; so it would from all places before.
  uint32_t unlike = 0;
};

// Keeps the code if it gives text from there, and likelier text than what was found.
void attempt(const Code& code, std::string_view text, uint32_t at, const Vocabulary& vocabulary,
             Found& found) {
  std::array<char, kSample + 8> sample;
  uint32_t size = 0;
  const Run run = read(code, text, at, kSample, [&](char byte) { sample[size++] = byte; });
  if (run.size < kLeastText || run.end - at < kLeastCoded) return;
  const double likely = likeness({sample.data(), run.size}, code, vocabulary);
  if (likely == 0) found.unlike = std::max(found.unlike, at + (run.end - at) / 2);
  if (likely > found.likeness) {
    found.code = &code;
    found.start = at;
    found.likeness = likely;
  }
}

// The alphabets that all bytes of the window at `at` are of. If none is, moves `at` to where the
// next window may begin: what ends one for all alphabets ends all windows that it lies in.
uint8_t fitting(std::string_view text, uint32_t& at) {
  uint8_t alphabets = kAlphabets;
  uint32_t edge = at + kWindow;
  const auto classes = [&](uint32_t place) { return kCodeClasses[static_cast<Byte>(text[place])]; };
  while (edge > at && (alphabets &= classes(edge - 1))) --edge;
  if (edge > at) return at = edge, 0;
  // Words of source code are as long as windows, but go on with a space.
  bool is_wrapped = false;
  const uint32_t least = std::min(at + kLeastCoded, static_cast<uint32_t>(text.size()));
  for (uint32_t place = at + kWindow; place < least && (alphabets & kSolid); ++place) {
    if (text[place] == '\n') is_wrapped = true;
    if (!is_wrapped) alphabets &= classes(place) | static_cast<uint8_t>(~kSolid);
  }
  if (alphabets == 0) at += kWindow;
  return alphabets;
}

void attempt_all(std::string_view text, uint32_t at, uint8_t alphabets,
                 const Vocabulary& vocabulary, Found& found) {
  for (const Code& code : codes()) {
    if (!(code.alphabet & alphabets)) continue;
    uint32_t start = at;
    if (code.begins != nullptr) {
      while (start < at + kWindow && !code.begins(text, start)) ++start;
    }
    for (uint32_t phase = 0; phase < code.phases; ++phase) {
      attempt(code, text, start + phase, vocabulary, found);
    }
  }
}

// Looks for a run of spelled letters from the word on that begins at or behind `at`.
void attempt_spelling(std::string_view text, uint32_t at, const Vocabulary& vocabulary,
                      Found& found) {
  constexpr uint32_t kLongestName = 9;
  const uint32_t limit = std::min<uint32_t>(at + kLongestName, static_cast<uint32_t>(text.size()));
  while (at < limit && !kSpelling.begins(text, at)) ++at;
  if (at < limit) attempt(kSpelling, text, at, vocabulary, found);
}

// The first place from `from` on where the code found gives text.
void begin_sooner(std::string_view text, uint32_t from, const Vocabulary& vocabulary,
                  Found& found) {
  from = std::max(from, found.start - std::min(found.start, kSooner));
  for (const uint32_t end = found.start; from < end && found.start == end; ++from) {
    if (found.code->begins != nullptr && !found.code->begins(text, from)) continue;
    Found sooner;
    attempt(*found.code, text, from, vocabulary, sooner);
    if (sooner.code != nullptr) found = sooner;
  }
}

// What the code found gives, as a reading of the text, and where it ends.
Reading decode_run(std::string_view text, const Found& found, uint32_t& end) {
  const Code& code = *found.code;
  const Run run = read(code, text, found.start, text.size() * Reading::kMaxGrowth, [](char) {});
  Reading reading;
  Group group;
  uint32_t skip = run.skip, left = run.size;
  for (uint32_t next = found.start; left > 0 && code.next(text, next, group); next = group.end) {
    std::string_view bytes(group.bytes.data(), group.size);
    const auto cut = std::min(skip, group.size);
    bytes = bytes.substr(cut, left);
    reading.put(bytes, group.start, group.end);
    skip -= cut;
    left -= static_cast<uint32_t>(bytes.size());
  }
  end = run.end;
  return reading;
}

}  // namespace

std::optional<Reading> decoded(std::string_view text, const Vocabulary& vocabulary) {
  const auto size = static_cast<uint32_t>(text.size());
  Reading reading;
  uint32_t copied = 0, next_spelling = 0;
  for (uint32_t at = 0; at + kWindow <= size;) {
    Found found;
    if (at >= next_spelling) {
      attempt_spelling(text, at, vocabulary, found);
      next_spelling = std::max(at + kSpellingStep, found.unlike);
    }
    if (found.code == nullptr) {
      const uint8_t alphabets = fitting(text, at);
      if (alphabets == 0) continue;  // fitting() moved on
      if (is_space(text[at])) {
        while (at < size && is_space(text[at])) ++at;
        continue;
      }
      attempt_all(text, at, alphabets, vocabulary, found);
    }
    if (found.code == nullptr) {
      at = std::max(at + kWindow, found.unlike);
      while (at < size && is_continuation(text[at])) ++at;
      continue;
    }
    begin_sooner(text, copied, vocabulary, found);
    uint32_t end;
    Reading run = decode_run(text, found, end);
    if (const auto deeper = decoded(run.text(), vocabulary)) run = deeper->of(run);
    reading.copy(text, copied, found.start);
    reading.put(kEmptyLine, found.start, found.start);
    for (const Reading::Run& part : run.runs()) {
      reading.put(std::string_view(run.text()).substr(part.at, part.size), part.start, part.end);
    }
    reading.put(kEmptyLine, end, end);
    copied = at = end;
  }
  if (copied == 0) return std::nullopt;
  reading.copy(text, copied, size);
  return reading;
}

}  // namespace dedup
