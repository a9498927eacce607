// What is stored of protected documents is encrypted under the key of the index.
//
// Without this a thief of the index would need no key: the lengths of words and lines, and the
// pattern in which a fingerprint byte comes again, tell any text that the thief has as surely as
// the text itself would. The cipher is SipHash-2-4 as a pseudorandom function in counter mode:
// bytes [8i, 8i+8) of a segment are combined by exclusive or with SipHash(subkey, i),
// little-endian, so that any of them can be read by themselves. The subkey is made of the key and
// the segment's nonce. Encryption hides; what tells accidental damage is the checksums.
//
// Reference: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", 2012.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "bytes.h"
#include "hash.h"

namespace dedup {

class Cipher {
 public:
  Cipher() = default;  // without a key: leaves every byte as it is
  Cipher(const std::optional<Key>& key, uint64_t nonce) {
    if (!key) return;
    const auto half = [&](char which) {
      std::string label = "dedup segment key ";
      label.push_back(which);
      label.append(reinterpret_cast<const char*>(&nonce), sizeof nonce);
      return siphash(*key, std::string_view(label));
    };
    subkey_ = {half('0'), half('1')};
    is_on_ = true;
  }

  bool is_on() const { return is_on_; }

  // The keystream at bytes [8 * word, 8 * word + 8).
  uint64_t keystream(uint64_t word) const { return siphash(subkey_, word); }

  // What the 8 bytes at `offset`, which need not be aligned, are combined with.
  uint64_t keystream_at(uint64_t offset) const {
    const uint64_t low = keystream(offset / 8);
    const uint64_t shift = offset % 8 * 8;
    return shift == 0 ? low : low >> shift | keystream(offset / 8 + 1) << (64 - shift);
  }

  // Encrypts, or decrypts, the bytes of [offset, offset + size) in place.
  void apply(uint64_t offset, uint8_t* bytes, uint64_t size) const {
    if (!is_on_) return;
    constexpr uint64_t kWords = 32;
    while (size > 0) {
      if (offset % 8 == 0 && size >= 64) {
        const uint64_t words = std::min(size / 8, kWords);
        uint64_t streams[kWords];
        for (uint64_t i = 0; i < kWords; ++i) streams[i] = offset / 8 + i;
        siphash_all(subkey_, {streams, words}, streams);
        for (uint64_t i = 0; i < words; ++i) {
          store(bytes + 8 * i, load<uint64_t>(bytes + 8 * i) ^ streams[i]);
        }
        offset += 8 * words;
        bytes += 8 * words;
        size -= 8 * words;
        continue;
      }
      const uint64_t skip = offset % 8;
      const uint64_t part = std::min<uint64_t>(8 - skip, size);
      const uint64_t stream = keystream(offset / 8) >> (skip * 8);
      if (part == 8) {
        store(bytes, load<uint64_t>(bytes) ^ stream);
      } else {
        for (uint64_t i = 0; i < part; ++i) bytes[i] ^= static_cast<uint8_t>(stream >> (i * 8));
      }
      offset += part;
      bytes += part;
      size -= part;
    }
  }

 private:
  bool is_on_ = false;
  Key subkey_;
};

}  // namespace dedup
