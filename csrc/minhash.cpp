#include "minhash.h"

#include <algorithm>
#include <string>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "error.h"
#include "tokenize.h"

namespace dedup {

namespace {

// Hashes pass every block of slots before the next ones come; this many stay in the L1 cache.
constexpr std::size_t hashes_per_tile = 2048;

constexpr std::uint64_t mersenne_61 = (1ull << 61) - 1;

struct Affine32 {
  using Hash = std::uint32_t;
  using Parameter = std::uint32_t;
  using Slot = std::uint32_t;
  static Slot map(Hash h, Parameter a, Parameter b) { return a * h + b; }
};

struct Affine64 {
  using Hash = std::uint64_t;
  using Parameter = std::uint64_t;
  using Slot = std::uint64_t;
  static Slot map(Hash h, Parameter a, Parameter b) { return a * h + b; }
};

struct Legacy {
  using Hash = std::uint32_t;
  using Parameter = std::uint64_t;
  using Slot = std::uint32_t;
  static Slot map(Hash h, Parameter a, Parameter b) {
    return static_cast<Slot>((a * h + b) % mersenne_61);
  }
};

template <typename Map>
void lower(std::span<const typename Map::Hash> hashes, const typename Map::Parameter* a,
           const typename Map::Parameter* b, std::span<typename Map::Slot> signature) {
  for (const auto h : hashes) {
    for (std::size_t slot = 0; slot < signature.size(); ++slot) {
      signature[slot] = std::min(signature[slot], Map::map(h, a[slot], b[slot]));
    }
  }
}

//
// Each holds the parameters and minima of `slots` slots in registers while a tile of hashes goes
// by.

#if defined(__x86_64__)

template <typename Word>
[[gnu::target("avx2"), gnu::always_inline]] inline __m256i load(const Word* at) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
}

template <typename Word>
[[gnu::target("avx2"), gnu::always_inline]] inline void store(Word* at, __m256i lanes) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), lanes);
}

struct Affine32Avx2 : Affine32 {
  static constexpr std::size_t slots = 32;  // 3 x 4 registers and the hash, of 16

  [[gnu::target("avx2")]] static void lower_block(std::span<const Hash> hashes, const Parameter* a,
                                                  const Parameter* b, Slot* signature) {
    constexpr int parts = slots / 8;
    __m256i factor[parts], offset[parts], minimum[parts];
    for (int part = 0; part < parts; ++part) {
      factor[part] = load(a + 8 * part);
      offset[part] = load(b + 8 * part);
      minimum[part] = load(signature + 8 * part);
    }
    for (const Hash hash : hashes) {
      const __m256i h = _mm256_set1_epi32(static_cast<int>(hash));
      for (int part = 0; part < parts; ++part) {
        const __m256i mapped = _mm256_add_epi32(_mm256_mullo_epi32(h, factor[part]), offset[part]);
        minimum[part] = _mm256_min_epu32(minimum[part], mapped);
      }
    }
    for (int part = 0; part < parts; ++part) store(signature + 8 * part, minimum[part]);
  }
};

struct Affine64Avx2 : Affine64 {
  static constexpr std::size_t slots = 8;

  // AVX2 multiplies 32 by 32 bits and compares signed numbers: the product is put together from
  // three, and offsets and minima have the top bit flipped, so that they compare as unsigned ones.
  [[gnu::target("avx2")]] static void lower_block(std::span<const Hash> hashes, const Parameter* a,
                                                  const Parameter* b, Slot* signature) {
    constexpr int parts = slots / 4;
    const __m256i flip = _mm256_set1_epi64x(static_cast<long long>(1ull << 63));
    __m256i factor[parts], factor_high[parts], offset[parts], minimum[parts];
    for (int part = 0; part < parts; ++part) {
      factor[part] = load(a + 4 * part);
      factor_high[part] = _mm256_srli_epi64(factor[part], 32);
      offset[part] = _mm256_xor_si256(load(b + 4 * part), flip);
      minimum[part] = _mm256_xor_si256(load(signature + 4 * part), flip);
    }
    for (const Hash hash : hashes) {
      const __m256i h = _mm256_set1_epi64x(static_cast<long long>(hash));
      const __m256i h_high = _mm256_srli_epi64(h, 32);
      for (int part = 0; part < parts; ++part) {
        const __m256i cross = _mm256_add_epi64(_mm256_mul_epu32(h, factor_high[part]),
                                               _mm256_mul_epu32(h_high, factor[part]));
        const __m256i low = _mm256_add_epi64(_mm256_mul_epu32(h, factor[part]), offset[part]);
        const __m256i mapped = _mm256_add_epi64(low, _mm256_slli_epi64(cross, 32));
        minimum[part] =
            _mm256_blendv_epi8(minimum[part], mapped, _mm256_cmpgt_epi64(minimum[part], mapped));
      }
    }
    for (int part = 0; part < parts; ++part) {
      store(signature + 4 * part, _mm256_xor_si256(minimum[part], flip));
    }
  }
};

struct LegacyAvx2 : Legacy {
  static constexpr std::size_t slots = 8;

  // The low 32 bits of x mod p, p = 2^61 - 1. With t = (x & p) + (x >> 61), at most p + 7, the
  // remainder is t, or t - p if t >= p; p is -1 modulo 2^32, and t >= p exactly if t + 1 has
  // bit 61.
  [[gnu::target("avx2"), gnu::always_inline]] static inline __m256i reduce(__m256i x) {
    const __m256i p = _mm256_set1_epi64x(static_cast<long long>(mersenne_61));
    const __m256i one = _mm256_set1_epi64x(1);
    const __m256i t = _mm256_add_epi64(_mm256_and_si256(x, p), _mm256_srli_epi64(x, 61));
    return _mm256_add_epi64(t, _mm256_srli_epi64(_mm256_add_epi64(t, one), 61));
  }

  [[gnu::target("avx2")]] static void lower_block(std::span<const Hash> hashes, const Parameter* a,
                                                  const Parameter* b, Slot* signature) {
    // The eight minima lie as 0 4 1 5 2 6 3 7: slots 0..3 in the low halves of four 64-bit lanes,
    // where reduce() leaves them, slots 4..7 shifted into the high halves.
    const __m256i interleave = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i separate = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
    __m256i factor[2], factor_high[2], offset[2];
    for (int part = 0; part < 2; ++part) {
      factor[part] = load(a + 4 * part);
      factor_high[part] = _mm256_srli_epi64(factor[part], 32);
      offset[part] = load(b + 4 * part);
    }
    __m256i minimum = _mm256_permutevar8x32_epi32(load(signature), interleave);
    for (const Hash hash : hashes) {
      const __m256i h = _mm256_set1_epi64x(static_cast<long long>(hash));
      __m256i reduced[2];
      for (int part = 0; part < 2; ++part) {
        const __m256i low = _mm256_add_epi64(_mm256_mul_epu32(h, factor[part]), offset[part]);
        const __m256i high = _mm256_slli_epi64(_mm256_mul_epu32(h, factor_high[part]), 32);
        reduced[part] = reduce(_mm256_add_epi64(low, high));
      }
      const __m256i mapped =
          _mm256_blend_epi32(reduced[0], _mm256_slli_epi64(reduced[1], 32), 0b10101010);
      minimum = _mm256_min_epu32(minimum, mapped);
    }
    store(signature, _mm256_permutevar8x32_epi32(minimum, separate));
  }
};

template <typename Map>
void lower_avx2(std::span<const typename Map::Hash> hashes, const typename Map::Parameter* a,
                const typename Map::Parameter* b, std::span<typename Map::Slot> signature) {
  const std::size_t whole = signature.size() / Map::slots * Map::slots;
  for (std::size_t first = 0; first < hashes.size(); first += hashes_per_tile) {
    const auto tile = hashes.subspan(first, std::min(hashes_per_tile, hashes.size() - first));
    for (std::size_t slot = 0; slot < whole; slot += Map::slots) {
      Map::lower_block(tile, a + slot, b + slot, &signature[slot]);
    }
  }
  if (whole == signature.size()) return;
  // The remaining slots are computed as a block of their own, padded.
  typename Map::Parameter a_rest[Map::slots] = {}, b_rest[Map::slots] = {};
  typename Map::Slot rest[Map::slots] = {};
  const std::size_t count = signature.size() - whole;
  std::copy_n(a + whole, count, a_rest);
  std::copy_n(b + whole, count, b_rest);
  std::copy_n(signature.data() + whole, count, rest);
  Map::lower_block(hashes, a_rest, b_rest, rest);
  std::copy_n(rest, count, signature.data() + whole);
}

#else

struct Affine32Avx2 : Affine32 {};
struct Affine64Avx2 : Affine64 {};
struct LegacyAvx2 : Legacy {};

template <typename Map>
void lower_avx2(std::span<const typename Map::Hash> hashes, const typename Map::Parameter* a,
                const typename Map::Parameter* b, std::span<typename Map::Slot> signature) {
  lower<Map>(hashes, a, b, signature);
}

#endif

}  // namespace

void affine32(std::span<const std::uint32_t> hashes, std::span<const std::uint32_t> a,
              std::span<const std::uint32_t> b, std::span<std::uint32_t> signature,
              Dispatch dispatch) {
  const auto body = use_avx2(dispatch) ? &lower_avx2<Affine32Avx2> : &lower<Affine32>;
  body(hashes, a.data(), b.data(), signature);
}

void affine64(std::span<const std::uint64_t> hashes, std::span<const std::uint64_t> a,
              std::span<const std::uint64_t> b, std::span<std::uint64_t> signature,
              Dispatch dispatch) {
  const auto body = use_avx2(dispatch) ? &lower_avx2<Affine64Avx2> : &lower<Affine64>;
  body(hashes, a.data(), b.data(), signature);
}

void legacy(std::span<const std::uint32_t> hashes, std::span<const std::uint64_t> a,
            std::span<const std::uint64_t> b, std::span<std::uint32_t> signature,
            Dispatch dispatch) {
  const auto body = use_avx2(dispatch) ? &lower_avx2<LegacyAvx2> : &lower<Legacy>;
  body(hashes, a.data(), b.data(), signature);
}

void text_signatures(std::span<const std::string_view> texts, std::size_t shingle_size,
                     std::span<const std::uint32_t> a, std::span<const std::uint32_t> b,
                     std::span<std::uint32_t> signatures, Dispatch dispatch) {
  Tokens tokens;
  std::vector<std::uint32_t> shingles;
  std::ranges::fill(signatures, empty_slot32);
  for (std::size_t text = 0; text < texts.size(); ++text) {
    try {
      tokenize(texts[text], tokens);
    } catch (const ArgumentError& error) {
      throw ArgumentError("text " + std::to_string(text) + ": " + error.what());
    }
    shingle_hashes(std::span<const std::uint64_t>(tokens.hashes), shingle_size, shingles);
    affine32(shingles, a, b, signatures.subspan(text * a.size(), a.size()), dispatch);
  }
}

}  // namespace dedup
