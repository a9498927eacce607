// Hashes of tokens, shingles and seeds. Every function is pure and thread-safe.
//
//   xxh3_64, xxh64, xxh32   equal to the xxhash package's for every input, length and seed
//   sha1_64                 the first 8 bytes of SHA-1, little-endian (datasketch's token hash)
//   siphash                 SipHash-2-4: the keyed hash of every seed that reaches the disk
//   fmix32, fmix64          MurmurHash3's finalisers: bijections that avalanche
//   shingle_hashes          each n consecutive tokens, hashed in order, O(1) for each
//
// Token hashing is the hot loop: words are mostly 1 to 16 bytes, so that part of xxh3_64 is inlined
// and the longer lengths are called.
//
// References: Y. Collet, "xxHash fast digest algorithm" (specification, version 0.2); FIPS 180-4
// (SHA-1); J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", 2012.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "cpu.h"

namespace dedup {

// Multi-byte words are read as they lie; the formats on disk are little-endian as well.
static_assert(std::endian::native == std::endian::little, "dedup supports little-endian machines");

inline std::uint32_t read32(const unsigned char* at) {
  std::uint32_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

inline std::uint64_t read64(const unsigned char* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

constexpr std::uint32_t fmix32(std::uint32_t h) {
  h = (h ^ (h >> 16)) * 0x85EBCA6Bu;
  h = (h ^ (h >> 13)) * 0xC2B2AE35u;
  return h ^ (h >> 16);
}

constexpr std::uint64_t fmix64(std::uint64_t h) {
  h = (h ^ (h >> 33)) * 0xFF51AFD7ED558CCDull;
  h = (h ^ (h >> 33)) * 0xC4CEB9FE1A85EC53ull;
  return h ^ (h >> 33);
}

namespace xxh {

inline constexpr std::uint64_t prime64_1 = 0x9E3779B185EBCA87ull;
inline constexpr std::uint64_t prime64_2 = 0xC2B2AE3D27D4EB4Full;
inline constexpr std::uint64_t prime64_3 = 0x165667B19E3779F9ull;

// The words of the specification's 192-byte secret that inputs of up to 16 bytes use, already
// combined: secret[0..4) ^ [4..8), [8..16) ^ [16..24), [24..32) ^ [32..40), [40..48) ^ [48..56).
// hash.cpp asserts that they agree with the whole secret.
inline constexpr std::uint64_t flip_1_to_3 = 0x0000000087275A9Bull;
inline constexpr std::uint64_t flip_4_to_8 = 0xC73AB174C5ECD5A2ull;
inline constexpr std::uint64_t flip_9_to_16_low = 0x6782737BEA4239B9ull;
inline constexpr std::uint64_t flip_9_to_16_high = 0xAF56BC3B0996523Aull;

inline std::uint64_t folded_multiply(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

constexpr std::uint64_t avalanche64(std::uint64_t h) {
  h = (h ^ (h >> 33)) * prime64_2;
  h = (h ^ (h >> 29)) * prime64_3;
  return h ^ (h >> 32);
}

constexpr std::uint64_t avalanche3(std::uint64_t h) {
  h = (h ^ (h >> 37)) * 0x165667919E3779F9ull;
  return h ^ (h >> 32);
}

std::uint64_t hash3_over_16(const unsigned char* data, std::size_t size, std::uint64_t seed);
std::uint64_t hash3_empty(std::uint64_t seed);

}  // namespace xxh

// XXH3_64bits_withSeed. `data` may be null if `size` is 0.
inline std::uint64_t xxh3_64(const void* data, std::size_t size, std::uint64_t seed = 0) {
  const auto* in = static_cast<const unsigned char*>(data);
  if (size > 16) return xxh::hash3_over_16(in, size, seed);
  if (size > 8) {
    const std::uint64_t low = read64(in) ^ (xxh::flip_9_to_16_low + seed);
    const std::uint64_t high = read64(in + size - 8) ^ (xxh::flip_9_to_16_high - seed);
    return xxh::avalanche3(size + __builtin_bswap64(low) + high + xxh::folded_multiply(low, high));
  }
  if (size >= 4) {
    const std::uint64_t mixed_seed =
        seed ^
        (static_cast<std::uint64_t>(__builtin_bswap32(static_cast<std::uint32_t>(seed))) << 32);
    const std::uint64_t both =
        read32(in + size - 4) + (static_cast<std::uint64_t>(read32(in)) << 32);
    std::uint64_t h = both ^ (xxh::flip_4_to_8 - mixed_seed);
    h ^= std::rotl(h, 49) ^ std::rotl(h, 24);
    h *= 0x9FB21C651E98DF25ull;
    h ^= (h >> 35) + size;
    h *= 0x9FB21C651E98DF25ull;
    return h ^ (h >> 28);
  }
  if (size > 0) {
    const std::uint32_t packed = (static_cast<std::uint32_t>(in[0]) << 16) |
                                 (static_cast<std::uint32_t>(in[size >> 1]) << 24) | in[size - 1] |
                                 (static_cast<std::uint32_t>(size) << 8);
    return xxh::avalanche64(packed ^ (xxh::flip_1_to_3 + seed));
  }
  return xxh::hash3_empty(seed);
}

inline std::uint64_t xxh3_64(std::string_view bytes, std::uint64_t seed = 0) {
  return xxh3_64(bytes.data(), bytes.size(), seed);
}

std::uint64_t xxh64(std::string_view bytes, std::uint64_t seed = 0);
std::uint32_t xxh32(std::string_view bytes, std::uint32_t seed = 0);

// The first 8 bytes of the digest as a little-endian number; its low 32 bits are the first 4 bytes.
// Chosen for interoperation, not for security.
std::uint64_t sha1_64(std::string_view bytes, Dispatch dispatch = Dispatch::best);

// The hashes that other MinHash libraries give their tokens.
enum class TokenHash {
  sha1,   // sha1_64; a 32-bit scheme keeps the low half, which is the first 4 bytes
  xxh32,  // seed 0
  xxh64,  // seed 0
};

// The hash of each token; `hashes.size() == tokens.size()`.
void token_hashes(std::span<const std::string_view> tokens, TokenHash token_hash,
                  std::span<std::uint64_t> hashes, Dispatch dispatch = Dispatch::best);

// The 128-bit secret of an index, as the two little-endian halves of its 16 bytes.
struct Key {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

class SipState {
 public:
  static constexpr std::uint64_t start[4] = {0x736F6D6570736575, 0x646F72616E646F6D,
                                             0x6C7967656E657261, 0x7465646279746573};

  explicit SipState(Key key)
      : v0_(key.low ^ start[0]),
        v1_(key.high ^ start[1]),
        v2_(key.low ^ start[2]),
        v3_(key.high ^ start[3]) {}

  void absorb(std::uint64_t word) {
    v3_ ^= word;
    round();
    round();
    v0_ ^= word;
  }

  std::uint64_t finish() {
    v2_ ^= 0xFF;
    round();
    round();
    round();
    round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  void round() {
    v0_ += v1_;
    v2_ += v3_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v1_;
    v0_ += v3_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ = std::rotl(v2_, 32);
  }

  std::uint64_t v0_, v1_, v2_, v3_;
};

// SipHash-2-4 of the 8 little-endian bytes of `word`.
inline std::uint64_t siphash(Key key, std::uint64_t word) {
  SipState state(key);
  state.absorb(word);
  state.absorb(8ull << 56);
  return state.finish();
}

// The same of each word, to `out`, which may be the words themselves.
void siphash_all(Key key, std::span<const std::uint64_t> words, std::uint64_t* out,
                 Dispatch dispatch = Dispatch::best);

// SipHash-2-4 of a byte string.
inline std::uint64_t siphash(Key key, std::string_view bytes) {
  SipState state(key);
  const auto* in = reinterpret_cast<const unsigned char*>(bytes.data());
  const std::size_t whole = bytes.size() & ~std::size_t{7};
  for (std::size_t at = 0; at < whole; at += 8) state.absorb(read64(in + at));
  std::uint64_t last = static_cast<std::uint64_t>(bytes.size()) << 56;
  for (std::size_t at = whole; at < bytes.size(); ++at) {
    last |= static_cast<std::uint64_t>(in[at]) << (8 * (at - whole));
  }
  state.absorb(last);
  return state.finish();
}

// Replaces `shingles` by the hash of each `size` consecutive tokens t, with `size` at least 1:
//
//     fmix64(sum of t[i] * base^(size-1-i)) modulo 2^64; a 32-bit Word keeps the low half
//
// It depends on those tokens and their order alone, so that any way of cutting a text into chunks
// gives the same shingles. A polynomial rather than rotate-and-xor, under which equal tokens
// cancel; tokens must be well mixed already, for the low bits of the sum know nothing of their high
// bits. Fewer tokens than `size`, but at least one, are one shingle: only a text without tokens has
// none.
template <typename Word>
void shingle_hashes(std::span<const std::uint64_t> tokens, std::size_t size,
                    std::vector<Word>& shingles) {
  // The golden ratio of 2^64: odd, and 5 modulo 8, so that its powers repeat as late as they can.
  constexpr std::uint64_t base = 0x9E3779B97F4A7C15ull;
  shingles.clear();
  if (tokens.empty()) return;
  const std::size_t first = std::min(size, tokens.size());
  std::uint64_t sum = 0;
  std::uint64_t base_to_size = 1;
  for (const std::uint64_t token : tokens.first(first)) {
    sum = sum * base + token;
    base_to_size *= base;
  }
  shingles.resize(tokens.size() - first + 1);
  shingles[0] = static_cast<Word>(fmix64(sum));
  for (std::size_t last = first; last < tokens.size(); ++last) {
    // The chain from one sum to the next is one multiplication and one addition.
    sum = sum * base + (tokens[last] - tokens[last - first] * base_to_size);
    shingles[last - first + 1] = static_cast<Word>(fmix64(sum));
  }
}

}  // namespace dedup
