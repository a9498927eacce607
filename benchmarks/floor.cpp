// The floor of benchmarks/throughput.py: text in, signature out, by hand, with nothing that a
// product needs. ASCII words only, no spans, no checks, all lanes of the building machine.
#include <immintrin.h>

#include <algorithm>
#include <array>
#include <vector>

#include "hash.h"

namespace {

constexpr std::array<char, 256> word_byte = [] {
  std::array<char, 256> table{};
  for (int byte = 0; byte < 256; ++byte) {
    const bool is_upper = byte >= 'A' && byte <= 'Z';
    const bool is_word = is_upper || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
                         byte == '_' || byte >= 0x80;
    if (is_word) table[byte] = static_cast<char>(is_upper ? byte + 32 : byte);
  }
  return table;
}();

constexpr std::uint64_t base = 0x9E3779B97F4A7C15ull;

void shingles_of(const char* text, const char* end, std::vector<std::uint32_t>& shingles) {
  constexpr std::uint64_t base_to_5 = base * base * base * base * base;
  std::array<std::uint64_t, 8>
      last{};  // of the last tokens, the fifth before is the one that leaves
  std::uint64_t sum = 0;
  std::size_t tokens = 0;
  std::array<char, 256> word;
  shingles.clear();
  while (text < end) {
    std::size_t size = 0;
    for (; text < end; ++text) {
      const char byte = word_byte[static_cast<unsigned char>(*text)];
      if (byte == 0) break;
      word[std::min<std::size_t>(size++, 255)] = byte;
    }
    ++text;
    if (size == 0) continue;
    const std::uint64_t token = dedup::xxh3_64(word.data(), std::min<std::size_t>(size, 256));
    sum = sum * base + token - last[(tokens + 3) % 8] * base_to_5;
    last[tokens % 8] = token;
    if (++tokens >= 5) shingles.push_back(static_cast<std::uint32_t>(dedup::fmix64(sum)));
  }
}

}  // namespace

// Signatures of 128 slots, one text after another.
extern "C" void floor_signatures(const char* const* texts, const std::uint64_t* sizes,
                                 std::size_t count, const std::uint32_t* a, const std::uint32_t* b,
                                 std::uint32_t* signatures) {
  std::vector<std::uint32_t> shingles;
  for (std::size_t text = 0; text < count; ++text, signatures += 128) {
    shingles_of(texts[text], texts[text] + sizes[text], shingles);
    for (int block = 0; block < 128; block += 32) {
      __m256i factor[4], offset[4], minimum[4];
      for (int part = 0; part < 4; ++part) {
        const int slot = block + 8 * part;
        factor[part] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a + slot));
        offset[part] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b + slot));
        minimum[part] = _mm256_set1_epi32(-1);
      }
      for (const std::uint32_t shingle : shingles) {
        const __m256i h = _mm256_set1_epi32(static_cast<int>(shingle));
        for (int part = 0; part < 4; ++part) {
          const __m256i mapped =
              _mm256_add_epi32(_mm256_mullo_epi32(h, factor[part]), offset[part]);
          minimum[part] = _mm256_min_epu32(minimum[part], mapped);
        }
      }
      for (int part = 0; part < 4; ++part) {
        const int slot = block + 8 * part;
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(signatures + slot), minimum[part]);
      }
    }
  }
}
