// Two paths make the same tokens. Stretches of plain ASCII, where folding a word is setting bit 5
// of its bytes, are read in blocks of 64: one bit per byte says whether it belongs to a word, and
// the tokens lie between the edges of that mask. Everything else (a byte from 0x80, an apostrophe,
// a control character) sends the word it touches through the walk, one code point at a time.
#include "tokenize.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "error.h"
#include "hash.h"
#include "unicode_tables.h"

namespace dedup {
namespace {

using Byte = unsigned char;

// ---- decoding
// ------------------------------------------------------------------------------------

struct CodePoint {
  std::uint32_t value;
  std::uint32_t size;
};

[[noreturn]] void refuse(std::size_t at, const char* reason) {
  throw ArgumentError("invalid UTF-8 at byte " + std::to_string(at) + ": " + reason);
}

// Says what is wrong with a sequence that decode() does not take (Unicode, table 3-7).
[[noreturn]] void refuse(const Byte* text, std::size_t size, std::size_t at) {
  const Byte lead = text[at];
  if (lead < 0xC0) refuse(at, "continuation byte without a lead byte");
  if (lead < 0xC2) refuse(at, "overlong sequence");
  if (lead > 0xF4) refuse(at, "byte that no character begins with");
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  for (std::size_t next = at + 1; next < at + length; ++next) {
    if (next == size) refuse(at, "sequence cut off by the end of the text");
    if ((text[next] & 0xC0) != 0x80) refuse(at, "sequence cut off by another character");
    if (next > at + 1) continue;
    if (lead == 0xE0 && text[next] < 0xA0) refuse(at, "overlong sequence");
    if (lead == 0xF0 && text[next] < 0x90) refuse(at, "overlong sequence");
    if (lead == 0xED && text[next] > 0x9F) refuse(at, "surrogate");
    if (lead == 0xF4 && text[next] > 0x8F) refuse(at, "code point above U+10FFFF");
  }
  refuse(at, "sequence out of range");
}

// The code point at `at`, whose byte is 0x80 or above.
inline CodePoint decode(const Byte* text, std::size_t size, std::size_t at) {
  const Byte* in = text + at;
  const std::size_t left = size - at;
  const auto tail = [in](int i) { return static_cast<std::uint32_t>(in[i]) ^ 0x80; };
  const std::uint32_t lead = in[0];
  if (lead < 0xE0) {
    if (lead >= 0xC2 && left >= 2 && tail(1) < 0x40) return {(lead & 0x1F) << 6 | tail(1), 2};
  } else if (lead < 0xF0) {
    if (left >= 3 && (tail(1) | tail(2)) < 0x40) {
      const std::uint32_t value = (lead & 0xF) << 12 | tail(1) << 6 | tail(2);
      if (value >= 0x800 && (value < 0xD800 || value > 0xDFFF)) return {value, 3};
    }
  } else if (lead < 0xF5 && left >= 4 && (tail(1) | tail(2) | tail(3)) < 0x40) {
    const std::uint32_t value = (lead & 7) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3);
    if (value >= 0x10000 && value <= 0x10FFFF) return {value, 4};
  }
  refuse(text, size, at);
}

// ---- ASCII
// ---------------------------------------------------------------------------------------

constexpr std::array<std::uint8_t, 128> ascii_kinds = [] {
  std::array<std::uint8_t, 128> kinds{};
  for (std::uint32_t byte = 0; byte < 128; ++byte) {
    const std::uint16_t entry = unicode::entry(byte);
    // Capitals are the only mapped ones, and bit 5 folds them.
    const bool is_capital = entry >= unicode::first_mapping;
    kinds[byte] = static_cast<std::uint8_t>(is_capital ? +unicode::word : entry);
  }
  return kinds;
}();

constexpr Byte lower_bit = 0x20;

// The text is classified one chunk at a time, so that masks, folded bytes and edges stay in the
// first-level cache.
constexpr std::size_t chunk_size = 4096;
constexpr std::size_t chunk_blocks = chunk_size / 64;

struct Chunk {
  std::uint64_t word[chunk_blocks];     // bit i: byte i is an ASCII letter or digit
  std::uint64_t special[chunk_blocks];  // bit i: byte i has to be walked
  alignas(64) Byte folded[chunk_size];  // right for word bytes, whatever for others
};

constexpr std::array<std::uint8_t, 256> mask_bits = [] {
  std::array<std::uint8_t, 256> bits{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const bool is_word = byte < 128 && ascii_kinds[byte] == unicode::word;
    const bool is_separator = byte < 128 && ascii_kinds[byte] == unicode::separator;
    bits[byte] = is_word ? 1 : is_separator ? 0 : 2;
  }
  return bits;
}();

// Fills the masks and folded bytes of the first so many blocks.
using Classify = void (*)(const Byte* text, std::size_t blocks, Chunk& chunk);

void classify_portable(const Byte* text, std::size_t blocks, Chunk& chunk) {
  for (std::size_t block = 0; block < blocks; ++block) {
    std::uint64_t word = 0;
    std::uint64_t special = 0;
    for (std::size_t i = 0; i < 64; ++i) {
      const Byte byte = text[block * 64 + i];
      const std::uint64_t bits = mask_bits[byte];
      word |= (bits & 1) << i;
      special |= (bits >> 1) << i;
      chunk.folded[block * 64 + i] = byte | lower_bit;
    }
    chunk.word[block] = word;
    chunk.special[block] = special;
  }
}

#if defined(__x86_64__)

// Of each low half of a byte: bit h is set if ASCII byte h * 16 + low has the bit in mask_bits.
constexpr std::array<std::uint8_t, 16> rows_with(std::uint8_t bit) {
  std::array<std::uint8_t, 16> rows{};
  for (std::size_t byte = 0; byte < 128; ++byte) {
    if (mask_bits[byte] & bit) rows[byte % 16] |= static_cast<std::uint8_t>(1u << byte / 16);
  }
  return rows;
}
alignas(16) constexpr auto word_rows = rows_with(1);
alignas(16) constexpr auto special_rows = rows_with(2);
// Bytes from 0x80 are in no row.
alignas(16) constexpr std::array<std::uint8_t, 16> row_bits = {1, 2, 4, 8, 16, 32, 64, 128};

[[gnu::target("avx2"), gnu::always_inline]] inline __m256i table_of(
    const std::array<std::uint8_t, 16>& bytes) {
  return _mm256_broadcastsi128_si256(
      _mm_load_si128(reinterpret_cast<const __m128i*>(bytes.data())));
}

[[gnu::target("avx2")]] void classify_avx2(const Byte* text, std::size_t blocks, Chunk& chunk) {
  const __m256i words = table_of(word_rows), specials = table_of(special_rows);
  const __m256i rows = table_of(row_bits), low_half = _mm256_set1_epi8(0x0F);
  const __m256i fold = _mm256_set1_epi8(static_cast<char>(lower_bit));
  const __m256i zero = _mm256_setzero_si256();
  for (std::size_t half = 0; half < 2 * blocks; ++half) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + 32 * half));
    const __m256i low = _mm256_and_si256(bytes, low_half);
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low_half);
    const __m256i row = _mm256_shuffle_epi8(rows, high);
    const __m256i no_word =
        _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(words, low), row), zero);
    const __m256i not_special =
        _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(specials, low), row), zero);
    const auto word = ~static_cast<std::uint32_t>(_mm256_movemask_epi8(no_word));
    const auto special = ~static_cast<std::uint32_t>(_mm256_movemask_epi8(not_special)) |
                         static_cast<std::uint32_t>(_mm256_movemask_epi8(bytes));
    _mm256_store_si256(reinterpret_cast<__m256i*>(chunk.folded + 32 * half),
                       _mm256_or_si256(bytes, fold));
    std::memcpy(reinterpret_cast<Byte*>(chunk.word) + 4 * half, &word, 4);
    std::memcpy(reinterpret_cast<Byte*>(chunk.special) + 4 * half, &special, 4);
  }
}

#else

constexpr Classify classify_avx2 = classify_portable;

#endif

// Hangul, of which the tables say nothing.
constexpr bool is_syllable(std::uint32_t point) { return point - 0xAC00 < 11172; }

// A letter of a script without spaces: its UTF-8, first byte lowest.
constexpr std::uint32_t letter_of(const Byte* bytes, std::size_t size) {
  std::uint32_t letter = 0;
  for (std::size_t i = 0; i < size; ++i) letter |= std::uint32_t{bytes[i]} << 8 * i;
  return letter;
}

// Whether a word may end between two such letters: half of all pairs, by chance.
constexpr bool is_seam(std::uint32_t before, std::uint32_t after) {
  return (before * 0x9E3779B1 ^ after * 0x85EBCA77) * 0xC2B2AE3D >> 31;
}

// ---- the scanner
// ---------------------------------------------------------------------------------

// Reads a text once, left to right, and gives each token to `sink(bytes, size, start, end)`.
template <class Sink>
class Scanner {
 public:
  Scanner(std::string_view utf8, Classify classify, Sink& sink)
      : text_(reinterpret_cast<const Byte*>(utf8.data())),
        size_(utf8.size()),
        classify_(classify),
        sink_(sink) {}

  void scan() {
    for (std::size_t at = 0; at < size_;) at = scan_chunk(at);
  }

 private:
  // Makes the tokens that begin in the chunk at `base`, and returns where the next chunk begins.
  // Between tokens nothing is remembered, so a chunk may begin at any byte that no token holds.
  std::size_t scan_chunk(std::size_t base) {
    const std::size_t size = std::min(chunk_size, size_ - base);
    const std::size_t blocks = classify(base, size);
    std::size_t walked = base;  // the walk has made all tokens before this byte
    std::size_t start = 0;
    bool open = false;  // a word began at `start` and has not ended
    for (std::size_t block = 0; block < blocks;) {
      const std::size_t origin = base + block * 64;
      const std::uint64_t left =
          walked > origin ? ~std::uint64_t{0} << (walked - origin) : ~std::uint64_t{0};
      const std::uint64_t word = chunk_.word[block] & left;
      const std::uint64_t special = chunk_.special[block] & left;
      std::uint64_t edges = (word ^ (word << 1 | std::uint64_t{open}));
      if (special != 0) edges &= (special & -special) - 1;
      while (edges != 0) {
        const std::size_t edge = origin + static_cast<std::size_t>(std::countr_zero(edges));
        edges &= edges - 1;
        if (open) {
          ascii_token(base, start, edge);
        } else {
          start = edge;
        }
        open = !open;
      }
      if (special == 0) {
        ++block;
        continue;
      }
      walked = walk(open ? start : origin + static_cast<std::size_t>(std::countr_zero(special)));
      open = false;
      if (walked >= base + size) return walked;
      block = (walked - base) / 64;
    }
    return open ? walk(start) : base + size;
  }

  std::size_t classify(std::size_t base, std::size_t size) {
    const std::size_t whole = size / 64;
    classify_(text_ + base, whole, chunk_);
    if (size % 64 == 0) return whole;
    Byte last[64];
    std::memset(last, ' ', sizeof last);
    std::memcpy(last, text_ + base + whole * 64, size % 64);
    Chunk rest;
    classify_(last, 1, rest);
    chunk_.word[whole] = rest.word[0];
    chunk_.special[whole] = rest.special[0];
    std::memcpy(chunk_.folded + whole * 64, rest.folded, 64);
    return whole + 1;
  }

  void ascii_token(std::size_t base, std::size_t start, std::size_t end) {
    for (; end - start > max_token_bytes; start += max_token_bytes) {
      sink_(chunk_.folded + (start - base), max_token_bytes, start, start + max_token_bytes);
    }
    sink_(chunk_.folded + (start - base), end - start, start, end);
  }

  // Makes the tokens from `at`, where no token is open, to a place where none is open again and
  // plain ASCII lies ahead, or to the end; returns that place, which is behind `at`.
  std::size_t walk(std::size_t at) {
    while (at < size_) {
      std::uint32_t length = 1;
      if (text_[at] < 0x80) {
        const Byte folded = text_[at] | lower_bit;
        const std::uint16_t kind = ascii_kinds[text_[at]];
        take(kind, &folded, 1, {at, at + 1});
      } else {
        const CodePoint point = decode(text_, size_, at);
        length = point.size;
        take(point, {at, at + length});
      }
      at += length;
      if (length_ == 0 && is_plain(at)) return at;
    }
    close();
    return at;
  }

  // Eight bytes of ASCII are worth a return to the masks; fewer at the end of the text are not.
  bool is_plain(std::size_t at) const {
    return size_ - at >= 8 && (read64(text_ + at) & 0x8080808080808080) == 0;
  }

  struct Source {
    std::size_t start, end;
  };

  void take(CodePoint point, Source source) {
    if (is_syllable(point.value)) return take_syllable(point.value, source);
    const std::uint16_t entry = unicode::entry(point.value);
    if (entry < unicode::first_mapping) {
      return take(entry, text_ + source.start, point.size, source);
    }
    const std::uint32_t mapping = unicode::mappings[entry - unicode::first_mapping];
    if (const std::uint32_t size = mapping >> 24 & 3; size != 0) {
      const Byte bytes[3] = {static_cast<Byte>(mapping), static_cast<Byte>(mapping >> 8),
                             static_cast<Byte>(mapping >> 16)};
      if (mapping >> 31 != 0) return take(unicode::own_word, bytes, size, source);
      return take(unicode::word, bytes, size, source);
    }
    const Byte* pooled = unicode::pool + (mapping & 0xFFFF);
    const std::size_t size = mapping >> 16;
    for (std::size_t at = 0; at < size;) {
      const std::uint32_t length = character_size(pooled[at]);
      const std::uint32_t value = length == 1 ? pooled[at] : decode(pooled, size, at).value;
      take(unicode::entry(value), pooled + at, length, source);
      at += length;
    }
  }

  // A syllable is its conjoining letters, as in NFD (Unicode, section 3.12).
  void take_syllable(std::uint32_t point, Source source) {
    const std::uint32_t index = point - 0xAC00;
    const auto letter = [&](std::uint32_t value) {
      const Byte bytes[3] = {static_cast<Byte>(0xE0 | value >> 12),
                             static_cast<Byte>(0x80 | (value >> 6 & 0x3F)),
                             static_cast<Byte>(0x80 | (value & 0x3F))};
      take(unicode::word, bytes, 3, source);
    };
    letter(0x1100 + index / 588);
    letter(0x1161 + index % 588 / 28);
    if (index % 28 != 0) letter(0x11A7 + index % 28);
  }

  // One folded character and what it does to the open word. A joiner that needs to see what comes
  // next waits in `apostrophe_`; hyphens at the end of a line would wait the same way.
  void take(std::uint16_t kind, const Byte* bytes, std::uint32_t size, Source source) {
    switch (kind) {
      case unicode::word:
        if (is_unspaced_) close();
        return append(bytes, size, source);
      case unicode::ignored:
        return;
      case unicode::apostrophe:
        if (apostrophe_) close();
        apostrophe_ = length_ != 0;
        return;
      case unicode::own_word:
        close();
        append(bytes, size, source);
        return close();
      case unicode::unspaced:
        return take_unspaced(bytes, size, source);
      default:
        return close();
    }
  }

  // A word ends at the first of seams that follow each other, so that it has two letters or more,
  // but for the last.
  void take_unspaced(const Byte* bytes, std::uint32_t size, Source source) {
    const std::uint32_t letter = letter_of(bytes, size);
    if (!is_unspaced_) close();
    const bool was_seam = std::exchange(at_seam_, length_ == 0 || is_seam(letter_, letter));
    if (length_ != 0 && at_seam_ && !was_seam) close();
    append(bytes, size, source);
    letter_ = letter;
    is_unspaced_ = true;
  }

  static std::uint32_t character_size(Byte lead) {
    return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  }

  // Adds whole characters to the open word, or opens one.
  void append(const Byte* bytes, std::uint32_t size, Source source) {
    if (length_ + size > max_token_bytes) {
      const std::uint32_t first = character_size(bytes[0]);
      if (first < size) {
        append(bytes, first, source);
        return append(bytes + first, size - first, source);
      }
      close();
    }
    if (length_ == 0) start_ = std::max(source.start, end_);
    std::memcpy(word_ + length_, bytes, size);
    length_ += size;
    end_ = source.end;
    apostrophe_ = false;
  }

  void close() {
    if (length_ != 0) sink_(word_, length_, start_, end_);
    length_ = 0;
    apostrophe_ = is_unspaced_ = false;
  }

  const Byte* text_;
  std::size_t size_;
  Classify classify_;
  Sink& sink_;

  Byte word_[max_token_bytes];  // the open word of the walk, normalised
  std::size_t length_ = 0;      // 0 if none is open
  std::size_t start_ = 0;
  std::size_t end_ = 0;
  bool apostrophe_ = false;   // one has followed the open word and waits for the next character
  bool is_unspaced_ = false;  // the open word is of a script without spaces
  bool at_seam_ = false;      // its last letter stands behind a seam, or is its first
  std::uint32_t letter_ = 0;  // its last letter

  Chunk chunk_;
};

// Appends to `out`, which is longer than it has tokens until finish(): one check a token, not
// three.
class HashSink {
 public:
  HashSink(std::size_t bytes, Tokens& out) : out_(out), tokens_(out.size()) {
    grow(bytes / bytes_of_a_token + 16);
  }

  void operator()(const Byte* bytes, std::size_t size, std::size_t start, std::size_t end) {
    if (tokens_ == out_.hashes.size()) grow(tokens_ / 2);
    out_.hashes[tokens_] = xxh3_64(bytes, size);
    out_.starts[tokens_] = static_cast<std::uint32_t>(start);
    out_.ends[tokens_] = static_cast<std::uint32_t>(end);
    ++tokens_;
  }

  void finish() { resize(tokens_); }

 private:
  static constexpr std::size_t bytes_of_a_token = 5;  // of English 5.8 with the space

  void grow(std::size_t more) { resize(tokens_ + more); }
  void resize(std::size_t size) {
    out_.hashes.resize(size);
    out_.starts.resize(size);
    out_.ends.resize(size);
  }

  Tokens& out_;
  std::size_t tokens_;
};

struct TextSink {
  std::vector<std::string>& out;

  void operator()(const Byte* bytes, std::size_t size, std::size_t, std::size_t) {
    out.emplace_back(reinterpret_cast<const char*>(bytes), size);
  }
};

// Where the character before `at` begins.
std::size_t before(const Byte* text, std::size_t at) {
  while (at != 0 && (text[--at] & 0xC0) == 0x80) continue;
  return at;
}

void check_size(std::size_t size) {
  constexpr std::size_t limit = std::numeric_limits<std::uint32_t>::max();
  if (size <= limit) return;
  throw ArgumentError("a text has at most " + std::to_string(limit) + " bytes, got " +
                      std::to_string(size));
}

}  // namespace

void append_tokens(std::string_view utf8, Tokens& out, Dispatch dispatch) {
  check_size(utf8.size());
  HashSink sink(utf8.size(), out);
  Scanner<HashSink>(utf8, use_avx2(dispatch) ? classify_avx2 : classify_portable, sink).scan();
  sink.finish();
}

void tokenize(std::string_view utf8, Tokens& out, Dispatch dispatch) {
  out.hashes.clear();
  out.starts.clear();
  out.ends.clear();
  append_tokens(utf8, out, dispatch);
}

std::size_t certain_prefix(std::string_view utf8, std::size_t& from) {
  const Byte* text = reinterpret_cast<const Byte*>(utf8.data());
  std::size_t certain = 0;
  // Two letters back, as they say whether a seam is one.
  std::size_t at = before(text, before(text, from));
  std::uint32_t letter = 0;
  bool was_seam = true;
  while (at < utf8.size()) {
    if (text[at] < 0x80) {
      ++at;
      letter = 0;
      if (ascii_kinds[text[at - 1]] == unicode::separator) certain = at;
      continue;
    }
    const std::size_t size = text[at] < 0xE0 ? 2 : text[at] < 0xF0 ? 3 : 4;
    if (at + size > utf8.size()) break;
    const std::uint32_t point = decode(text, utf8.size(), at).value;
    const std::uint16_t entry = is_syllable(point) ? +unicode::word : unicode::entry(point);
    if (entry == unicode::unspaced) {
      // What is ignored may stand between two letters; such a seam is left to others.
      const std::uint32_t last = std::exchange(letter, letter_of(text + at, size));
      const bool seam = last == 0 || is_seam(last, letter);
      if (last != 0 && seam && !was_seam) certain = at;
      was_seam = seam;
      at += size;
      continue;
    }
    letter = 0;
    at += size;
    const bool is_own = entry == unicode::own_word ||
                        (entry >= unicode::first_mapping &&
                         unicode::mappings[entry - unicode::first_mapping] >> 31 != 0);
    if (entry == unicode::separator || is_own) certain = at;
  }
  if (certain == 0) {
    // A run of letters and digits is cut into tokens of max_token_bytes as soon as it is longer.
    std::size_t run = 0;
    while (run < at && text[run] < 0x80 && ascii_kinds[text[run]] == unicode::word) ++run;
    if (run > max_token_bytes) certain = (run - 1) / max_token_bytes * max_token_bytes;
  }
  from = at - std::min(at, certain);
  return certain;
}

std::vector<std::string> normalised_tokens(std::string_view utf8) {
  check_size(utf8.size());
  std::vector<std::string> tokens;
  TextSink sink{tokens};
  Scanner<TextSink>(utf8, classify_portable, sink).scan();
  return tokens;
}

std::string_view unicode_version() { return unicode::version; }

}  // namespace dedup
