#include "codes.h"

#include <algorithm>

namespace dedup {
namespace {

using Byte = unsigned char;

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kBase85Signs = "!#$%&()*+-;<=>?@^_`{|}~";

constexpr bool is_space(char c) { return kSpace.find(c) != std::string_view::npos; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
constexpr bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }
constexpr bool is_alphanumeric(char c) { return is_digit(c) || is_letter(c); }

}  // namespace

constexpr std::array<uint8_t, 256> kClasses = [] {
  std::array<uint8_t, 256> classes{};
  const auto mark = [&](std::string_view bytes, uint8_t what) {
    for (const char byte : bytes) classes[static_cast<Byte>(byte)] |= what;
  };
  mark("234567", kBase32);
  mark(kUpper, kBase32);
  mark(kLower, kBase32);
  mark(kDigits, kBase64 | kBase85 | kNumbers);
  mark(kUpper, kBase64 | kBase85);
  mark(kLower, kBase64 | kBase85);
  mark("+/-_", kBase64);
  mark(kBase85Signs, kBase85);
  for (Byte byte = '!'; byte <= 'u'; ++byte) classes[byte] |= kAscii85;
  mark("ABCDEFabcdefXx", kNumbers);
  mark(" \t\r\n,;:.-_/|'\"", kNumbers | kParting);
  mark(" \t\r\n,>|#*'\"`\\", kWrapping);
  mark(" \t\r\n.-_/|\xC2\xE2", kSigns);
  for (unsigned byte = 0x80; byte < 0xC0; ++byte) classes[byte] |= kSigns;
  return classes;
}();
constinit const std::array<uint8_t, 256> kCodeClasses = kClasses;

namespace {

bool is_of(char byte, uint8_t classes) { return kClasses[static_cast<Byte>(byte)] & classes; }

// Where what may part two groups ends; longer indentation and empty lines part two texts.
uint32_t past_gap(std::string_view text, uint32_t at, uint8_t gap) {
  constexpr uint32_t kMaxGap = 64;
  const auto limit = static_cast<uint32_t>(std::min<size_t>(text.size(), at + kMaxGap));
  for (uint32_t lines = 0; at < limit && is_of(text[at], gap); ++at) {
    if (text[at] == '\n' && ++lines == 2) break;
  }
  return at;
}

// ---- digits of a base --------------------------------------------------------------------------

constexpr uint8_t kNoDigit = 0xFF;

// `symbols` digits are one number of `bytes` bytes, most significant first.
struct Radix {
  std::array<uint8_t, 256> digits;
  uint32_t base, symbols, bytes;
  uint8_t gap;
  char prefix;  // of a number: the x of 0x41
  bool has_padding;
};

constexpr std::array<uint8_t, 256> digits(std::string_view first, std::string_view other = {}) {
  std::array<uint8_t, 256> values{};
  values.fill(kNoDigit);
  for (const std::string_view alphabet : {first, other}) {
    for (size_t i = 0; i < alphabet.size(); ++i) {
      values[static_cast<Byte>(alphabet[i])] = static_cast<uint8_t>(i);
    }
  }
  return values;
}

// Both alphabets of RFC 4648: they differ in the last two digits alone.
constexpr Radix kRadix64 = {
    digits("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
           "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
    64,
    4,
    3,
    kWrapping,
    0,
    true};
constexpr Radix kRadix32 = {
    digits("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "abcdefghijklmnopqrstuvwxyz234567"),
    32,
    8,
    5,
    kWrapping,
    0,
    true};
constexpr Radix kRadix16 = {
    digits("0123456789ABCDEF", "0123456789abcdef"), 16, 2, 1, kParting, 'x', false};
constexpr Radix kBytes = {digits("01"), 2, 8, 1, kParting, 'b', false};
constexpr Radix kAscii = {digits("01"), 2, 7, 1, kParting, 'b', false};
constexpr Radix kRadix85 = {
    digits("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"),
    85,
    5,
    4,
    kWrapping,
    0,
    false};
constexpr Radix kAdobe85 = {
    digits(
        "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstu"),
    85,
    5,
    4,
    kWrapping,
    0,
    false};

// Whether what begins at `next`, behind a gap, goes on with what stands before the gap and is no
// word that follows it: it is longer than words, or the rest of a line.
bool goes_on(const Radix& radix, std::string_view text, uint32_t at, uint32_t next) {
  constexpr uint32_t kLongerThanWords = 16;
  uint32_t end = next;
  while (end < text.size() && radix.digits[static_cast<Byte>(text[end])] != kNoDigit) {
    if (++end - next == kLongerThanWords) return true;
  }
  if (text.substr(at, next - at).find('\n') == std::string_view::npos) return false;
  if (end < text.size() && (text[end] == '=' || text[end] == '~')) return true;  // its own end
  return end == text.size() || (is_of(text[end], kWrapping) && text[end] != ' ');
}

template <const Radix& radix>
bool next_digits(std::string_view text, uint32_t at, Group& group) {
  const auto size = static_cast<uint32_t>(text.size());
  const auto digit = [&](uint32_t place) {
    return place < size ? radix.digits[static_cast<Byte>(text[place])] : kNoDigit;
  };
  uint64_t value = 0;
  uint32_t symbols = 0;
  for (; symbols < radix.symbols; ++symbols) {
    uint32_t place = at;
    if (digit(place) == kNoDigit) {
      place = past_gap(text, at, radix.gap);
      if (digit(place) == kNoDigit) break;
      if (radix.gap == kWrapping && !goes_on(radix, text, at, place)) break;
    }
    if (symbols == 0) {
      if (radix.prefix && place + 2 < size && text[place] == '0' &&
          lower(text[place + 1]) == radix.prefix) {
        place += 2;
        if (digit(place) == kNoDigit) return false;
      }
      group.start = place;
    }
    value = value * radix.base + digit(place);
    at = place + 1;
  }
  group.size = symbols * radix.bytes / radix.symbols;
  if (group.size == 0) return false;
  // A group cut short has the high bytes that its digits decide.
  for (uint32_t missing = symbols; missing < radix.symbols; ++missing) {
    value = value * radix.base + (radix.base - 1);
  }
  if (value >> 8 * radix.bytes) return false;
  for (uint32_t i = 0; i < group.size; ++i) {
    group.bytes[i] = static_cast<char>(value >> 8 * (radix.bytes - 1 - i));
  }
  if (radix.has_padding) {
    for (; at < size && text[at] == '='; ++at) {
    }
  }
  group.end = at;
  return true;
}

// ---- numbers of characters ---------------------------------------------------------------------

uint32_t put_character(uint32_t point, char* out) {
  const auto tail = [&](uint32_t shift) { return static_cast<char>(0x80 | (point >> shift & 63)); };
  if (point < 0x80) return out[0] = static_cast<char>(point), 1;
  if (point < 0x800) return out[0] = static_cast<char>(0xC0 | point >> 6), out[1] = tail(0), 2;
  if (point < 0x10000) {
    return out[0] = static_cast<char>(0xE0 | point >> 12), out[1] = tail(6), out[2] = tail(0), 3;
  }
  out[0] = static_cast<char>(0xF0 | point >> 18);
  return out[1] = tail(12), out[2] = tail(6), out[3] = tail(0), 4;
}

bool begins_number(std::string_view text, uint32_t at) {
  return at == 0 || !is_alphanumeric(text[at - 1]);
}

template <uint32_t base>
bool next_number(std::string_view text, uint32_t at, Group& group) {
  constexpr uint32_t kMostDigits = 7;
  at = past_gap(text, at, kParting);
  group.start = at;
  uint32_t point = 0;
  for (; at < text.size() && is_digit(text[at]); ++at) {
    const auto digit = static_cast<uint32_t>(text[at] - '0');
    if (digit >= base || at - group.start == kMostDigits) return false;
    point = point * base + digit;
  }
  if (at == group.start || point > 0x10FFFF || point - 0xD800 < 0x800) return false;
  if (at < text.size() && is_letter(text[at])) return false;
  group.size = put_character(point, group.bytes.data());
  group.end = at;
  return true;
}

// ---- signs -------------------------------------------------------------------------------------

struct MorseLetter {
  char letter;
  std::string_view signs;
};
constexpr MorseLetter kMorse[] = {
    {'a', ".-"},     {'b', "-..."},   {'c', "-.-."},    {'d', "-.."},    {'e', "."},
    {'f', "..-."},   {'g', "--."},    {'h', "...."},    {'i', ".."},     {'j', ".---"},
    {'k', "-.-"},    {'l', ".-.."},   {'m', "--"},      {'n', "-."},     {'o', "---"},
    {'p', ".--."},   {'q', "--.-"},   {'r', ".-."},     {'s', "..."},    {'t', "-"},
    {'u', "..-"},    {'v', "...-"},   {'w', ".--"},     {'x', "-..-"},   {'y', "-.--"},
    {'z', "--.."},   {'0', "-----"},  {'1', ".----"},   {'2', "..---"},  {'3', "...--"},
    {'4', "....-"},  {'5', "....."},  {'6', "-...."},   {'7', "--..."},  {'8', "---.."},
    {'9', "----."},  {'.', ".-.-.-"}, {',', "--..--"},  {'?', "..--.."}, {'\'', ".----."},
    {'!', "-.-.--"}, {'/', "-..-."},  {'(', "-.--."},   {')', "-.--.-"}, {'&', ".-..."},
    {':', "---..."}, {';', "-.-.-."}, {'=', "-...-"},   {'+', ".-.-."},  {'-', "-....-"},
    {'_', "..--.-"}, {'"', ".-..-."}, {'$', "...-..-"}, {'@', ".--.-."},
};

// By their signs, 0 for a dot and 1 for a dash, behind a 1.
constexpr std::array<char, 256> kMorseLetters = [] {
  std::array<char, 256> letters{};
  for (const MorseLetter& one : kMorse) {
    uint32_t number = 1;
    for (const char sign : one.signs) number = number << 1 | (sign == '-');
    letters[number] = one.letter;
  }
  return letters;
}();

struct Sign {
  std::string_view text;
  bool is_dash;
};
constexpr Sign kMorseSigns[] = {
    {".", false}, {"-", true}, {"_", true}, {"·", false}, {"•", false}, {"∙", false},
    {"⋅", false}, {"–", true}, {"—", true}, {"−", true},  {"‐", true},  {"‑", true},
};

// A gap between two words, not two letters: as it is written, a slash, a bar, a line or two spaces.
bool parts_words(std::string_view gap) {
  return gap.find_first_of("/|.\n") != std::string_view::npos || gap.find("  ") < gap.size();
}

uint32_t past_space(std::string_view text, uint32_t at) {
  constexpr uint32_t kMaxGap = 64;
  const uint32_t limit = static_cast<uint32_t>(std::min<size_t>(text.size(), at + kMaxGap));
  uint32_t lines = 0;
  for (; at < limit && (is_space(text[at]) || text[at] == '/' || text[at] == '|'); ++at) {
    if (text[at] == '\n' && ++lines == 2) break;
  }
  return at;
}

void put_letter(std::string_view gap, char letter, Group& group) {
  group.size = 0;
  if (parts_words(gap)) group.bytes[group.size++] = ' ';
  if (letter) group.bytes[group.size++] = letter;
}

bool begins_morse(std::string_view text, uint32_t at) {
  return at == 0 || !(is_of(text[at - 1], kSigns) && !is_of(text[at - 1], kWrapping)) ||
         text[at - 1] == '/';
}

bool next_morse(std::string_view text, uint32_t at, Group& group) {
  group.start = past_space(text, at);
  const std::string_view gap = text.substr(at, group.start - at);
  uint32_t number = 1;
  at = group.start;
  for (bool found = true; found && number < 256;) {
    found = false;
    for (const Sign& sign : kMorseSigns) {
      if (!text.substr(at).starts_with(sign.text)) continue;
      number = number << 1 | sign.is_dash;
      at += static_cast<uint32_t>(sign.text.size());
      found = true;
      break;
    }
  }
  if (number >= 256 || kMorseLetters[number] == 0) return false;
  put_letter(gap, kMorseLetters[number], group);
  group.end = at;
  return true;
}

// The letters of the cells U+2800 to U+283F, uncontracted English; capital and number signs are
// passed over, and digits read as the letters they share their cells with.
constexpr std::array<char, 64> kBrailleLetters = [] {
  std::array<char, 64> letters{};
  constexpr uint8_t kCells[] = {0x01, 0x03, 0x09, 0x19, 0x11, 0x0B, 0x1B, 0x13, 0x0A,
                                0x1A, 0x05, 0x07, 0x0D, 0x1D, 0x15, 0x0F, 0x1F, 0x17,
                                0x0E, 0x1E, 0x25, 0x27, 0x3A, 0x2D, 0x3D, 0x35};
  for (size_t i = 0; i < kLower.size(); ++i) letters[kCells[i]] = kLower[i];
  constexpr std::string_view kMarks = ",;:.!'-?";
  constexpr uint8_t kMarkCells[] = {0x02, 0x06, 0x12, 0x32, 0x16, 0x04, 0x24, 0x26};
  for (size_t i = 0; i < kMarks.size(); ++i) letters[kMarkCells[i]] = kMarks[i];
  return letters;
}();

bool next_braille(std::string_view text, uint32_t at, Group& group) {
  constexpr uint32_t kBlank = 0x00, kCapital = 0x20, kNumber = 0x3C, kNone = 0xFF;
  const auto cell = [&](uint32_t place) -> uint32_t {
    if (place + 3 > text.size() || text[place] != '\xE2' || text[place + 1] != '\xA0') return kNone;
    return static_cast<Byte>(text[place + 2]) & 0x3F;
  };
  constexpr uint32_t kMost = 64;  // blanks and signs before a letter
  const uint32_t from = at;
  uint32_t lines = 0;
  bool begins_word = false;
  group.start = at;
  for (; at < text.size() && at - from < kMost; group.start = at) {
    if (is_space(text[at])) {
      if (text[at] == '\n' && ++lines == 2) return false;
      begins_word = true;
      ++at;
    } else if (const uint32_t found = cell(at); found == kBlank) {
      begins_word = true;
      at += 3;
    } else if (found == kCapital || found == kNumber) {
      at += 3;
    } else {
      break;
    }
  }
  const uint32_t found = cell(at);
  if (found == kNone || kBrailleLetters[found] == 0) return false;
  put_letter(begins_word ? "/" : "", kBrailleLetters[found], group);
  group.end = at + 3;
  return true;
}

// ---- spelling alphabets ------------------------------------------------------------------------

// ITU and ICAO, with the spellings in use.
constexpr std::string_view kNames[] = {
    "alfa",    "alpha",  "bravo",   "charlie", "delta",  "echo",  "foxtrot", "golf",
    "hotel",   "india",  "juliett", "juliet",  "kilo",   "lima",  "mike",    "november",
    "oscar",   "papa",   "quebec",  "romeo",   "sierra", "tango", "uniform", "victor",
    "whiskey", "whisky", "xray",    "x-ray",   "yankee", "zulu",
};

// The letter's name that stands there as a word, or nothing.
std::string_view name_at(std::string_view text, uint32_t at) {
  if (at >= text.size() || (at > 0 && is_letter(text[at - 1]))) return {};
  for (const std::string_view name : kNames) {
    if (lower(text[at]) != name[0]) continue;
    const bool is_same = std::ranges::equal(text.substr(at, name.size()), name, {}, lower);
    const size_t end = at + name.size();
    if (is_same && (end == text.size() || !is_letter(text[end]))) return name;
  }
  return {};
}

bool begins_name(std::string_view text, uint32_t at) { return !name_at(text, at).empty(); }

bool next_name(std::string_view text, uint32_t at, Group& group) {
  group.start = past_gap(text, at, kParting);
  const std::string_view name = name_at(text, group.start);
  if (name.empty()) return false;
  put_letter(text.substr(at, group.start - at), name[0], group);
  group.end = group.start + static_cast<uint32_t>(name.size());
  return true;
}

constexpr Code kCodes[] = {
    {next_digits<kRadix16>, kNumbers, 2, nullptr, false},
    {next_digits<kBytes>, kNumbers, 8, nullptr, false},
    {next_digits<kAscii>, kNumbers, 7, nullptr, false},
    {next_number<10>, kNumbers, 1, begins_number, true},
    {next_number<8>, kNumbers, 1, begins_number, true},
    {next_morse, kSigns, 1, begins_morse, false},
    {next_braille, kSigns, 1, nullptr, false},
    {next_digits<kRadix32>, kBase32, 8, nullptr, false},
    {next_digits<kRadix64>, kBase64, 4, nullptr, false},
    {next_digits<kRadix85>, kBase85, 5, nullptr, false},
    {next_digits<kAdobe85>, kAscii85, 5, nullptr, false},
};

}  // namespace

std::span<const Code> codes() { return kCodes; }

constinit const Code kSpelling = {next_name, 0, 1, begins_name, false};

}  // namespace dedup
