#include "hash.h"

#include <algorithm>
#include <array>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace dedup {

namespace xxh {
namespace {

constexpr std::uint64_t prime64_4 = 0x85EBCA77C2B2AE63ull;
constexpr std::uint64_t prime64_5 = 0x27D4EB2F165667C5ull;
constexpr std::uint32_t prime32_1 = 0x9E3779B1u;
constexpr std::uint32_t prime32_2 = 0x85EBCA77u;
constexpr std::uint32_t prime32_3 = 0xC2B2AE3Du;
constexpr std::uint32_t prime32_4 = 0x27D4EB2Fu;
constexpr std::uint32_t prime32_5 = 0x165667B1u;

constexpr std::size_t secret_bytes = 192;
constexpr std::size_t secret_words = secret_bytes / 8;

// The default secret of the specification, as little-endian words.
constexpr std::array<std::uint64_t, secret_words> default_secret = {
    0xBE4BA423396CFEB8, 0x1CAD21F72C81017C, 0xDB979083E96DD4DE, 0x1F67B3B7A4A44072,
    0x78E5C0CC4EE679CB, 0x2172FFCC7DD05A82, 0x8E2443F7744608B8, 0x4C263A81E69035E0,
    0xCB00C391BB52283C, 0xA32E531B8B65D088, 0x4EF90DA297486471, 0xD8ACDEA946EF1938,
    0x3F349CE33F76FAA8, 0x1D4F0BC7C7BBDCF9, 0x3159B4CD4BE0518A, 0x647378D9C97E9FC8,
    0xC3EBD33483ACC5EA, 0xEB6313FAFFA081C5, 0x49DAF0B751DD0D17, 0x9E68D429265516D3,
    0xFCA1477D58BE162B, 0xCE31D07AD1B8F88F, 0x280416958F3ACB45, 0x7E404BBBCAFBD7AF,
};

static_assert(flip_4_to_8 == (default_secret[1] ^ default_secret[2]));
static_assert(flip_9_to_16_low == (default_secret[3] ^ default_secret[4]));
static_assert(flip_9_to_16_high == (default_secret[5] ^ default_secret[6]));
static_assert(flip_1_to_3 == ((default_secret[0] ^ (default_secret[0] >> 32)) & 0xFFFFFFFFu));

const unsigned char* bytes_of(const std::array<std::uint64_t, secret_words>& secret) {
  return reinterpret_cast<const unsigned char*>(secret.data());
}

std::uint64_t mix16(const unsigned char* in, const unsigned char* secret, std::uint64_t seed) {
  return folded_multiply(read64(in) ^ (read64(secret) + seed),
                         read64(in + 8) ^ (read64(secret + 8) - seed));
}

// 17 to 128 bytes: pairs of 16-byte lanes from both ends, meeting in the middle.
std::uint64_t hash3_17_to_128(const unsigned char* in, std::size_t size, std::uint64_t seed) {
  const unsigned char* secret = bytes_of(default_secret);
  std::uint64_t h = size * prime64_1;
  for (std::size_t pair = (size - 1) / 32 + 1; pair-- > 0;) {
    h += mix16(in + 16 * pair, secret + 32 * pair, seed);
    h += mix16(in + size - 16 * (pair + 1), secret + 32 * pair + 16, seed);
  }
  return avalanche3(h);
}

// 129 to 240 bytes: 16-byte lanes in order, an avalanche after the eighth, the last one from the
// end.
std::uint64_t hash3_129_to_240(const unsigned char* in, std::size_t size, std::uint64_t seed) {
  const unsigned char* secret = bytes_of(default_secret);
  std::uint64_t h = size * prime64_1;
  for (std::size_t lane = 0; lane < 8; ++lane) h += mix16(in + 16 * lane, secret + 16 * lane, seed);
  h = avalanche3(h);
  for (std::size_t lane = 8; lane < size / 16; ++lane) {
    h += mix16(in + 16 * lane, secret + 16 * (lane - 8) + 3, seed);
  }
  h += mix16(in + size - 16, secret + 136 - 17, seed);
  return avalanche3(h);
}

// Over 240 bytes: eight accumulators over 64-byte stripes; each stripe moves the secret on by 8
// bytes, and when the secret is used up (16 stripes, 1024 bytes) the accumulators are scrambled.
class LongHash3 {
 public:
  explicit LongHash3(const unsigned char* secret) : secret_(secret) {}

  std::uint64_t operator()(const unsigned char* in, std::size_t size) {
    constexpr std::size_t stripe = 64;
    constexpr std::size_t stripes_per_block = (secret_bytes - stripe) / 8;
    const std::size_t stripes = (size - 1) / stripe;
    std::size_t position = 0;  // in the block
    for (std::size_t at = 0; at < stripes; ++at) {
      accumulate(in + stripe * at, secret_ + 8 * position);
      if (++position == stripes_per_block) {
        scramble(secret_ + secret_bytes - stripe);
        position = 0;
      }
    }
    // A whole last block is scrambled only if bytes follow it, and (size - 1) leaves at least one.
    accumulate(in + size - stripe, secret_ + secret_bytes - stripe - 7);

    std::uint64_t h = size * prime64_1;
    for (std::size_t lane = 0; lane < 8; lane += 2) {
      h += folded_multiply(lanes_[lane] ^ read64(secret_ + 11 + 8 * lane),
                           lanes_[lane + 1] ^ read64(secret_ + 19 + 8 * lane));
    }
    return avalanche3(h);
  }

 private:
  void accumulate(const unsigned char* in, const unsigned char* secret) {
    for (std::size_t lane = 0; lane < 8; ++lane) {
      const std::uint64_t word = read64(in + 8 * lane);
      const std::uint64_t keyed = word ^ read64(secret + 8 * lane);
      lanes_[lane ^ 1] += word;
      lanes_[lane] += (keyed & 0xFFFFFFFFu) * (keyed >> 32);
    }
  }

  void scramble(const unsigned char* secret) {
    for (std::size_t lane = 0; lane < 8; ++lane) {
      lanes_[lane] ^= lanes_[lane] >> 47;
      lanes_[lane] ^= read64(secret + 8 * lane);
      lanes_[lane] *= prime32_1;
    }
  }

  const unsigned char* secret_;
  std::array<std::uint64_t, 8> lanes_ = {prime32_3, prime64_1, prime64_2, prime64_3,
                                         prime64_4, prime32_2, prime64_5, prime32_1};
};

}  // namespace

std::uint64_t hash3_empty(std::uint64_t seed) {
  return avalanche64(seed ^ default_secret[7] ^ default_secret[8]);
}

std::uint64_t hash3_over_16(const unsigned char* data, std::size_t size, std::uint64_t seed) {
  if (size <= 128) return hash3_17_to_128(data, size, seed);
  if (size <= 240) return hash3_129_to_240(data, size, seed);
  if (seed == 0) return LongHash3(bytes_of(default_secret))(data, size);
  std::array<std::uint64_t, secret_words> secret = default_secret;
  for (std::size_t word = 0; word < secret_words; word += 2) {
    secret[word] += seed;
    secret[word + 1] -= seed;
  }
  return LongHash3(bytes_of(secret))(data, size);
}

}  // namespace xxh

std::uint64_t xxh64(std::string_view bytes, std::uint64_t seed) {
  using namespace xxh;
  const auto round = [](std::uint64_t lane, std::uint64_t word) {
    return std::rotl(lane + word * prime64_2, 31) * prime64_1;
  };
  const auto* in = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t left = bytes.size();
  std::uint64_t h = seed + prime64_5;
  if (left >= 32) {
    std::uint64_t lanes[4] = {seed + prime64_1 + prime64_2, seed + prime64_2, seed,
                              seed - prime64_1};
    for (; left >= 32; in += 32, left -= 32) {
      for (int lane = 0; lane < 4; ++lane) lanes[lane] = round(lanes[lane], read64(in + 8 * lane));
    }
    h = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) +
        std::rotl(lanes[3], 18);
    for (const std::uint64_t lane : lanes) h = (h ^ round(0, lane)) * prime64_1 + prime64_4;
  }
  h += bytes.size();
  for (; left >= 8; in += 8, left -= 8) {
    h = std::rotl(h ^ round(0, read64(in)), 27) * prime64_1 + prime64_4;
  }
  if (left >= 4) {
    h = std::rotl(h ^ (read32(in) * prime64_1), 23) * prime64_2 + prime64_3;
    in += 4;
    left -= 4;
  }
  for (; left > 0; ++in, --left) h = std::rotl(h ^ (*in * prime64_5), 11) * prime64_1;
  return avalanche64(h);
}

std::uint32_t xxh32(std::string_view bytes, std::uint32_t seed) {
  using namespace xxh;
  const auto* in = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t left = bytes.size();
  std::uint32_t h = seed + prime32_5;
  if (left >= 16) {
    std::uint32_t lanes[4] = {seed + prime32_1 + prime32_2, seed + prime32_2, seed,
                              seed - prime32_1};
    for (; left >= 16; in += 16, left -= 16) {
      for (int lane = 0; lane < 4; ++lane) {
        lanes[lane] = std::rotl(lanes[lane] + read32(in + 4 * lane) * prime32_2, 13) * prime32_1;
      }
    }
    h = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) +
        std::rotl(lanes[3], 18);
  }
  h += static_cast<std::uint32_t>(bytes.size());
  for (; left >= 4; in += 4, left -= 4) h = std::rotl(h + read32(in) * prime32_3, 17) * prime32_4;
  for (; left > 0; ++in, --left) h = std::rotl(h + *in * prime32_5, 11) * prime32_1;
  h = (h ^ (h >> 15)) * prime32_2;
  h = (h ^ (h >> 13)) * prime32_3;
  return h ^ (h >> 16);
}

#if defined(__x86_64__)

namespace {

// Four words in each of two registers: the rounds of one form a chain, those of two overlap.
constexpr std::size_t sip_lanes = 8;

template <int bits>
[[gnu::target("avx2"), gnu::always_inline]] inline __m256i rotate(__m256i lanes) {
  if constexpr (bits == 32) return _mm256_shuffle_epi32(lanes, 0b10110001);
  if constexpr (bits == 16) {
    const __m256i up_two = _mm256_setr_epi8(6, 7, 0, 1, 2, 3, 4, 5, 14, 15, 8, 9, 10, 11, 12, 13, 6,
                                            7, 0, 1, 2, 3, 4, 5, 14, 15, 8, 9, 10, 11, 12, 13);
    return _mm256_shuffle_epi8(lanes, up_two);
  }
  return _mm256_or_si256(_mm256_slli_epi64(lanes, bits), _mm256_srli_epi64(lanes, 64 - bits));
}

struct SipLanes {
  __m256i v0[2], v1[2], v2[2], v3[2];

  [[gnu::target("avx2"), gnu::always_inline]] inline void round() {
    for (int part = 0; part < 2; ++part) {
      v0[part] = _mm256_add_epi64(v0[part], v1[part]);
      v2[part] = _mm256_add_epi64(v2[part], v3[part]);
      v1[part] = _mm256_xor_si256(rotate<13>(v1[part]), v0[part]);
      v3[part] = _mm256_xor_si256(rotate<16>(v3[part]), v2[part]);
      v0[part] = rotate<32>(v0[part]);
      v2[part] = _mm256_add_epi64(v2[part], v1[part]);
      v0[part] = _mm256_add_epi64(v0[part], v3[part]);
      v1[part] = _mm256_xor_si256(rotate<17>(v1[part]), v2[part]);
      v3[part] = _mm256_xor_si256(rotate<21>(v3[part]), v0[part]);
      v2[part] = rotate<32>(v2[part]);
    }
  }
};

[[gnu::target("avx2"), gnu::always_inline]] inline __m256i all_lanes(std::uint64_t word) {
  return _mm256_set1_epi64x(static_cast<long long>(word));
}

[[gnu::target("avx2")]] void siphash_lanes(Key key, const std::uint64_t* words,
                                           std::uint64_t* out) {
  __m256i input[2];
  SipLanes state;
  for (int part = 0; part < 2; ++part) {
    input[part] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words) + part);
    state.v0[part] = all_lanes(key.low ^ SipState::start[0]);
    state.v1[part] = all_lanes(key.high ^ SipState::start[1]);
    state.v2[part] = all_lanes(key.low ^ SipState::start[2]);
    state.v3[part] = _mm256_xor_si256(all_lanes(key.high ^ SipState::start[3]), input[part]);
  }
  state.round();
  state.round();
  const __m256i size = all_lanes(8ull << 56);
  for (int part = 0; part < 2; ++part) {
    state.v0[part] = _mm256_xor_si256(state.v0[part], input[part]);
    state.v3[part] = _mm256_xor_si256(state.v3[part], size);
  }
  state.round();
  state.round();
  for (int part = 0; part < 2; ++part) {
    state.v0[part] = _mm256_xor_si256(state.v0[part], size);
    state.v2[part] = _mm256_xor_si256(state.v2[part], all_lanes(0xFF));
  }
  for (int round = 0; round < 4; ++round) state.round();
  for (int part = 0; part < 2; ++part) {
    const __m256i left = _mm256_xor_si256(state.v0[part], state.v1[part]);
    const __m256i right = _mm256_xor_si256(state.v2[part], state.v3[part]);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out) + part, _mm256_xor_si256(left, right));
  }
}

}  // namespace

#endif

void siphash_all(Key key, std::span<const std::uint64_t> words, std::uint64_t* out,
                 [[maybe_unused]] Dispatch dispatch) {
  std::size_t at = 0;
#if defined(__x86_64__)
  if (use_avx2(dispatch)) {
    for (; at + sip_lanes <= words.size(); at += sip_lanes) {
      siphash_lanes(key, words.data() + at, out + at);
    }
  }
#endif
  for (; at < words.size(); ++at) out[at] = siphash(key, words[at]);
}

namespace {

constexpr std::size_t sha1_block = 64;
constexpr std::size_t sha1_one_block = sha1_block - 9;  // longest message padded within one block
constexpr std::array<std::uint32_t, 5> sha1_start = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476,
                                                     0xC3D2E1F0};

using Sha1State = std::array<std::uint32_t, 5>;

// Writes the end of a message with its padding (1 bit, zeros, length in bits) into one or two
// blocks.
std::size_t sha1_pad(const char* rest, std::size_t rest_bytes, std::uint64_t message_bytes,
                     unsigned char* blocks) {
  const std::size_t count = rest_bytes <= sha1_one_block ? 1 : 2;
  std::memset(blocks, 0, count * sha1_block);
  if (rest_bytes > 0) std::memcpy(blocks, rest, rest_bytes);
  blocks[rest_bytes] = 0x80;
  const std::uint64_t bits = __builtin_bswap64(8 * message_bytes);
  std::memcpy(blocks + count * sha1_block - 8, &bits, 8);
  return count;
}

// The first 8 digest bytes, little-endian, from the first two state words, which are big-endian.
std::uint64_t sha1_prefix(std::uint32_t h0, std::uint32_t h1) {
  return __builtin_bswap32(h0) | static_cast<std::uint64_t>(__builtin_bswap32(h1)) << 32;
}

void sha1_compress(Sha1State& state, const unsigned char* block) {
  std::uint32_t words[80];
  for (int t = 0; t < 16; ++t) words[t] = __builtin_bswap32(read32(block + 4 * t));
  // Word by word: a vector of four would read a word it has not written yet, and stall on the
  // others.
#pragma GCC unroll 64
  for (int t = 16; t < 80; ++t) {
    words[t] = std::rotl(words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16], 1);
  }
  std::uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
  const auto step = [&](std::uint32_t chosen, std::uint32_t constant, std::uint32_t word) {
    const std::uint32_t next = std::rotl(a, 5) + chosen + e + constant + word;
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  };
#pragma GCC unroll 20
  for (int t = 0; t < 20; ++t) step(d ^ (b & (c ^ d)), 0x5A827999, words[t]);
#pragma GCC unroll 20
  for (int t = 20; t < 40; ++t) step(b ^ c ^ d, 0x6ED9EBA1, words[t]);
#pragma GCC unroll 20
  for (int t = 40; t < 60; ++t) step((b & c) | (d & (b | c)), 0x8F1BBCDC, words[t]);
#pragma GCC unroll 20
  for (int t = 60; t < 80; ++t) step(b ^ c ^ d, 0xCA62C1D6, words[t]);
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
}

#if defined(__x86_64__)

// The state of `lanes` messages as SHA-NI wants it: a, b, c, d from the top of one register down, e
// in the top of another. The rounds of one message form a chain; those of two overlap.
template <int lanes>
struct Sha1Registers {
  __m128i abcd[lanes];
  __m128i e[lanes];
};

// Four of the eighty rounds, number `group` of twenty, for every lane. `words` is a ring of the
// last 16 message words, `previous` the abcd of the group before, from which the instruction makes
// e.
template <int group, int lanes>
[[gnu::target("sha,sse4.1"), gnu::always_inline]] inline void sha1_four_rounds(
    Sha1Registers<lanes>& state, __m128i (&words)[lanes][4], __m128i (&previous)[lanes]) {
  for (int lane = 0; lane < lanes; ++lane) {
    __m128i(&ring)[4] = words[lane];
    if constexpr (group >= 4) {
      const __m128i mixed = _mm_xor_si128(
          _mm_sha1msg1_epu32(ring[group & 3], ring[(group + 1) & 3]), ring[(group + 2) & 3]);
      ring[group & 3] = _mm_sha1msg2_epu32(mixed, ring[(group + 3) & 3]);
    }
    const __m128i input = group == 0 ? _mm_add_epi32(state.e[lane], ring[0])
                                     : _mm_sha1nexte_epu32(previous[lane], ring[group & 3]);
    previous[lane] = state.abcd[lane];
    state.abcd[lane] = _mm_sha1rnds4_epu32(state.abcd[lane], input, group / 5);
  }
}

template <int lanes, int... groups>
[[gnu::target("sha,sse4.1"), gnu::always_inline]] inline void sha1_all_rounds(
    Sha1Registers<lanes>& state, __m128i (&words)[lanes][4], __m128i (&previous)[lanes],
    std::integer_sequence<int, groups...>) {
  (sha1_four_rounds<groups>(state, words, previous), ...);
}

template <int lanes>
[[gnu::target("sha,sse4.1"), gnu::always_inline]] inline void sha1_compress_ni(
    Sha1Registers<lanes>& state, const unsigned char* const (&blocks)[lanes]) {
  // Reverses all 16 bytes: big-endian words, the first one on top.
  const __m128i reverse = _mm_set_epi64x(0x0001020304050607, 0x08090A0B0C0D0E0F);
  const Sha1Registers<lanes> before = state;
  __m128i words[lanes][4];
  __m128i previous[lanes];
  for (int lane = 0; lane < lanes; ++lane) {
    for (int part = 0; part < 4; ++part) {
      words[lane][part] = _mm_shuffle_epi8(
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(blocks[lane] + 16 * part)), reverse);
    }
  }
  sha1_all_rounds<lanes>(state, words, previous, std::make_integer_sequence<int, 20>{});
  for (int lane = 0; lane < lanes; ++lane) {
    state.e[lane] = _mm_sha1nexte_epu32(previous[lane], before.e[lane]);
    state.abcd[lane] = _mm_add_epi32(state.abcd[lane], before.abcd[lane]);
  }
}

template <int lanes>
[[gnu::target("sha,sse4.1"), gnu::always_inline]] inline Sha1Registers<lanes> sha1_start_ni() {
  Sha1Registers<lanes> state;
  for (int lane = 0; lane < lanes; ++lane) {
    state.abcd[lane] =
        _mm_set_epi32(static_cast<int>(sha1_start[0]), static_cast<int>(sha1_start[1]),
                      static_cast<int>(sha1_start[2]), static_cast<int>(sha1_start[3]));
    state.e[lane] = _mm_set_epi32(static_cast<int>(sha1_start[4]), 0, 0, 0);
  }
  return state;
}

[[gnu::target("sha,sse4.1"), gnu::always_inline]] inline std::uint64_t sha1_prefix_ni(
    __m128i abcd) {
  return sha1_prefix(static_cast<std::uint32_t>(_mm_extract_epi32(abcd, 3)),
                     static_cast<std::uint32_t>(_mm_extract_epi32(abcd, 2)));
}

[[gnu::target("sha,sse4.1")]] std::uint64_t sha1_64_ni(std::string_view bytes) {
  Sha1Registers<1> state = sha1_start_ni<1>();
  const std::size_t whole = bytes.size() / sha1_block * sha1_block;
  for (std::size_t at = 0; at < whole; at += sha1_block) {
    sha1_compress_ni<1>(state, {reinterpret_cast<const unsigned char*>(bytes.data()) + at});
  }
  unsigned char tail[2 * sha1_block];
  const std::size_t count =
      sha1_pad(bytes.data() + whole, bytes.size() - whole, bytes.size(), tail);
  for (std::size_t block = 0; block < count; ++block) {
    sha1_compress_ni<1>(state, {tail + block * sha1_block});
  }
  return sha1_prefix_ni(state.abcd[0]);
}

// Two messages of at most `sha1_one_block` bytes each.
[[gnu::target("sha,sse4.1")]] void sha1_64_ni_pair(const std::string_view* messages,
                                                   std::uint64_t* digests) {
  unsigned char blocks[2][2 * sha1_block];
  for (int lane = 0; lane < 2; ++lane) {
    sha1_pad(messages[lane].data(), messages[lane].size(), messages[lane].size(), blocks[lane]);
  }
  Sha1Registers<2> state = sha1_start_ni<2>();
  sha1_compress_ni<2>(state, {blocks[0], blocks[1]});
  for (int lane = 0; lane < 2; ++lane) digests[lane] = sha1_prefix_ni(state.abcd[lane]);
}

#else

std::uint64_t sha1_64_ni(std::string_view) { return 0; }
void sha1_64_ni_pair(const std::string_view*, std::uint64_t*) {}

#endif

}  // namespace

std::uint64_t sha1_64(std::string_view bytes, Dispatch dispatch) {
  if (use_sha(dispatch)) return sha1_64_ni(bytes);
  Sha1State state = sha1_start;
  const std::size_t whole = bytes.size() / sha1_block * sha1_block;
  for (std::size_t at = 0; at < whole; at += sha1_block) {
    sha1_compress(state, reinterpret_cast<const unsigned char*>(bytes.data()) + at);
  }
  unsigned char tail[2 * sha1_block];
  const std::size_t count =
      sha1_pad(bytes.data() + whole, bytes.size() - whole, bytes.size(), tail);
  for (std::size_t block = 0; block < count; ++block) {
    sha1_compress(state, tail + block * sha1_block);
  }
  return sha1_prefix(state[0], state[1]);
}

void token_hashes(std::span<const std::string_view> tokens, TokenHash token_hash,
                  std::span<std::uint64_t> hashes, Dispatch dispatch) {
  std::size_t at = 0;
  switch (token_hash) {
    case TokenHash::sha1:
      while (use_sha(dispatch) && at + 2 <= tokens.size()) {
        if (std::max(tokens[at].size(), tokens[at + 1].size()) <= sha1_one_block) {
          sha1_64_ni_pair(&tokens[at], &hashes[at]);
          at += 2;
        } else {
          hashes[at] = sha1_64(tokens[at], dispatch);
          ++at;
        }
      }
      for (; at < tokens.size(); ++at) hashes[at] = sha1_64(tokens[at], dispatch);
      break;
    case TokenHash::xxh32:
      for (; at < tokens.size(); ++at) hashes[at] = xxh32(tokens[at]);
      break;
    case TokenHash::xxh64:
      for (; at < tokens.size(); ++at) hashes[at] = xxh64(tokens[at]);
      break;
  }
}

}  // namespace dedup
