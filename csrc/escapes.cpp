#include "escapes.h"

#include <algorithm>

#include "code_point.h"
#include "entities.h"

namespace dedup {

namespace {

constexpr uint32_t kLimit = 0x110000;
constexpr uint32_t kReplacement = 0xFFFD;

struct Number {
  uint32_t value;
  uint32_t size;  // digits; 0 if there is none
};

int digit_of(char byte, bool is_hex) {
  if (is_ascii_digit(byte)) return byte - '0';
  const char lower = static_cast<char>(byte | 0x20);
  return is_hex && lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// As many digits as stand there, up to `most`; larger numbers than any code point are kLimit.
Number number_at(std::string_view utf8, uint32_t at, uint32_t base, uint32_t most = ~0u) {
  Number number{0, 0};
  for (; number.size < most && at + number.size < utf8.size(); ++number.size) {
    const int digit = digit_of(utf8[at + number.size], base == 16);
    if (digit < 0 || digit >= static_cast<int>(base)) break;
    number.value = std::min(number.value * base + static_cast<uint32_t>(digit), kLimit);
  }
  return number;
}

bool stands_at(std::string_view utf8, uint32_t at, char byte) {
  return at < utf8.size() && utf8[at] == byte;
}

void append(Escape& escape, uint32_t value) {
  escape.shown_size += encode(value, escape.shown.data() + escape.shown_size);
}

Escape escape_of(uint32_t value, uint32_t size) {
  Escape escape;
  if (value >= kLimit || is_surrogate(value)) return escape;
  escape.size = size;
  append(escape, value);
  return escape;
}

// A byte, and how much of the text writes it.
using ReadByte = Number (*)(std::string_view utf8, uint32_t at);

Escape escape_of_bytes(std::string_view utf8, uint32_t at, ReadByte read) {
  const Number first = read(utf8, at);
  if (first.size == 0) return {};
  if (first.value < 0x80) return escape_of(first.value, first.size);
  std::array<char, 4> bytes{static_cast<char>(first.value)};
  uint32_t size = first.size;
  for (uint32_t known = 1; known < 4; ++known) {
    const Number next = read(utf8, at + size);
    if (next.size == 0) break;
    bytes[known] = static_cast<char>(next.value);
    size += next.size;
    const std::string_view so_far(bytes.data(), known + 1);
    const CodePoint found = code_point_at(so_far, 0);
    if (found.size != known + 1) continue;
    std::array<char, 4> again;
    const uint32_t written = encode(found.value, again.data());
    if (std::string_view(again.data(), written) != so_far) break;  // too long a form
    return escape_of(found.value, size);
  }
  return first.value < 0xA0 ? Escape{} : escape_of(first.value, first.size);
}

Number percent_byte(std::string_view utf8, uint32_t at) {
  if (!stands_at(utf8, at, '%')) return {0, 0};
  const Number number = number_at(utf8, at + 1, 16, 2);
  return number.size == 2 ? Number{number.value, 3} : Number{0, 0};
}

// Capitals only, as the standard has it: so that x=10 stays code more often.
Number printable_byte(std::string_view utf8, uint32_t at) {
  if (!stands_at(utf8, at, '=')) return {0, 0};
  const Number number = number_at(utf8, at + 1, 16, 2);
  const bool is_capital =
      number.size == 2 && utf8[at + 1] < 'a' && utf8[at + 2] < 'a' && number.value >= 0x20;
  return is_capital ? Number{number.value, 3} : Number{0, 0};
}

Number x_byte(std::string_view utf8, uint32_t at) {
  if (!stands_at(utf8, at, '\\') || !stands_at(utf8, at + 1, 'x')) return {0, 0};
  const Number number = number_at(utf8, at + 2, 16, 2);
  return number.size == 2 ? Number{number.value, 4} : Number{0, 0};
}

// Three digits: fewer are references back to a group.
Number octal_byte(std::string_view utf8, uint32_t at) {
  if (!stands_at(utf8, at, '\\')) return {0, 0};
  const Number number = number_at(utf8, at + 1, 8, 3);
  return number.size == 3 && number.value < 0x100 ? Number{number.value, 4} : Number{0, 0};
}

Escape unicode_escape(std::string_view utf8, uint32_t at, uint32_t digits) {
  const Number number = number_at(utf8, at + 2, 16, digits);
  if (number.size != digits) return {};
  const uint32_t size = 2 + digits;
  if (number.value < 0xD800 || number.value >= 0xDC00) return escape_of(number.value, size);
  if (utf8.substr(at + size, 2) != utf8.substr(at, 2)) return {};
  const Number low = number_at(utf8, at + size + 2, 16, digits);
  if (low.size != digits || low.value < 0xDC00 || low.value >= 0xE000) return {};
  return escape_of(0x10000 + ((number.value - 0xD800) << 10) + (low.value - 0xDC00), 2 * size);
}

// What HTML makes of the numbers 0x80 to 0x9F: those of Windows-1252, where it has them.
constexpr uint16_t kWindows[32] = {0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                   0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D,   0x017D, 0x8F,
                                   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                   0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};

Escape numeric_entity(std::string_view utf8, uint32_t at) {
  const bool is_hex = stands_at(utf8, at + 2, 'x') || stands_at(utf8, at + 2, 'X');
  const uint32_t start = at + (is_hex ? 3 : 2);
  const Number number = number_at(utf8, start, is_hex ? 16 : 10);
  if (number.size == 0) return {};
  const uint32_t end = start + number.size;
  uint32_t value = number.value;
  if (value == 0 || value >= kLimit || is_surrogate(value)) value = kReplacement;
  if (value >= 0x80 && value < 0xA0) value = kWindows[value - 0x80];
  return escape_of(value, end - at + stands_at(utf8, end, ';'));
}

std::string_view name_of(uint32_t number) {
  const uint32_t begin = entities::begins[number];
  return {entities::names + begin, static_cast<size_t>(entities::begins[number + 1] - begin)};
}

// The number of a name, or entities::count.
uint32_t find_name(std::string_view name) {
  uint32_t low = 0, high = entities::count;
  while (low < high) {
    const uint32_t middle = (low + high) / 2;
    if (name_of(middle) < name) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < entities::count && name_of(low) == name ? low : entities::count;
}

Escape escape_of_name(uint32_t number, uint32_t size) {
  const uint32_t value = entities::values[number] & ~(1u << 31);
  Escape escape = escape_of(value & ((1u << entities::second_shift) - 1), size);
  if (const uint32_t second = value >> entities::second_shift) {
    append(escape, entities::seconds[second - 1]);
  }
  return escape;
}

}  // namespace

Escape entity(std::string_view utf8, uint32_t at) {
  if (stands_at(utf8, at + 1, '#')) return numeric_entity(utf8, at);
  uint32_t size = 0;
  while (size <= entities::longest && at + 1 + size < utf8.size() &&
         is_ascii_word(utf8[at + 1 + size])) {
    ++size;
  }
  const std::string_view name = utf8.substr(at + 1, size);
  if (stands_at(utf8, at + 1 + size, ';')) {
    const uint32_t number = find_name(name);
    if (number < entities::count) return escape_of_name(number, size + 2);
  }
  // Without a semicolon. A letter may be the start of a word; all else ends before white space or
  // more markup, so that neither `&parameter` nor `f(&copy, n)` nor a query's `&copy=` is one.
  for (uint32_t part = std::min(size, entities::longest_legacy); part >= 2; --part) {
    const uint32_t number = find_name(name.substr(0, part));
    if (number == entities::count || entities::values[number] >> 31 == 0) continue;
    const Escape escape = escape_of_name(number, part + 1);
    const uint32_t end = at + 1 + size;
    const bool is_whole =
        part == size &&
        (end == utf8.size() || std::string_view(" \t\r\n<&").find(utf8[end]) != utf8.npos);
    return is_whole || word_after(escape.text(), 0) ? escape : Escape{};
  }
  return {};
}

Escape percent_escape(std::string_view utf8, uint32_t at) {
  if (stands_at(utf8, at + 1, 'u')) return unicode_escape(utf8, at, 4);
  const Escape escape = escape_of_bytes(utf8, at, percent_byte);
  // Control characters are the width of a format: %02d.
  const bool is_control = escape.size > 0 && static_cast<unsigned char>(escape.shown[0]) < 0x20;
  const bool is_line =
      is_control && (escape.shown[0] == '\n' || escape.shown[0] == '\r' || escape.shown[0] == '\t');
  return is_control && !is_line ? Escape{} : escape;
}

Escape printable_escape(std::string_view utf8, uint32_t at) {
  return escape_of_bytes(utf8, at, printable_byte);
}

Escape backslash_escape(std::string_view utf8, uint32_t at) {
  const char kind = at + 1 < utf8.size() ? utf8[at + 1] : '\0';
  if (kind == 'x') return escape_of_bytes(utf8, at, x_byte);
  if (kind == 'U') return unicode_escape(utf8, at, 8);
  if (kind != 'u') return escape_of_bytes(utf8, at, octal_byte);
  if (!stands_at(utf8, at + 2, '{')) return unicode_escape(utf8, at, 4);
  const Number number = number_at(utf8, at + 3, 16, 8);
  const uint32_t end = at + 3 + number.size;
  return number.size > 0 && stands_at(utf8, end, '}') ? escape_of(number.value, end + 1 - at)
                                                      : Escape{};
}

}  // namespace dedup
