// Bits in a file, from bit 0 of each byte up, and the codes that are made of them.
//
//   raw     so many bits, the low ones first
//   unary   so many zeros, then a one
//   rice    the high bits in unary, then the low bits raw: for numbers of about 2^low_bits
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <string>

#include "checked_file.h"
#include "error.h"

namespace dedup {

class BitWriter {
 public:
  explicit BitWriter(CheckedWriter& out) : out_(out) {}

  // Up to 64 bits; the value has no others.
  void put(uint64_t value, uint32_t bits) {
    held_[full_] |= value << held_bits_;
    if (held_bits_ + bits >= 64) {
      if (++full_ == kHeld) flush();
      held_[full_] = held_bits_ == 0 ? 0 : value >> (64 - held_bits_);
      held_bits_ = held_bits_ + bits - 64;
    } else {
      held_bits_ += bits;
    }
    size_ += bits;
  }
  void put_unary(uint64_t value) {
    for (; value >= 32; value -= 32) put(0, 32);
    put(1ull << value, static_cast<uint32_t>(value) + 1);
  }
  // The low bits are up to 40.
  void put_rice(uint64_t value, uint32_t low_bits) {
    uint64_t high = value >> low_bits;
    for (; high >= 24; high -= 24) put(0, 24);
    const uint64_t low = value & ((1ull << low_bits) - 1);
    put((low << 1 | 1) << high, static_cast<uint32_t>(high) + 1 + low_bits);
  }
  // Padded, so that a reader's loads stay inside.
  void finish() {
    ++full_;
    flush();
    out_.append(std::array<uint8_t, kPadding>{}.data(), kPadding);
  }
  uint64_t size() const { return size_; }
  // Bytes in all once finished, for so many bits.
  static uint64_t bytes(uint64_t bits) { return bits / 64 * 8 + 8 + kPadding; }

  static constexpr uint64_t kPadding = 16;

 private:
  static constexpr size_t kHeld = 64;

  void flush() {
    out_.append(held_.data(), full_ * sizeof(uint64_t));
    full_ = 0;
  }

  CheckedWriter& out_;
  std::array<uint64_t, kHeld> held_{};
  size_t full_ = 0;  // words of it
  uint32_t held_bits_ = 0;
  uint64_t size_ = 0;
};

// Throws FormatError, with the name of what is read, where the bits end too early.
class BitReader {
 public:
  BitReader(const CheckedFile& file, uint64_t offset, uint64_t size, const char* name)
      : file_(&file), offset_(offset), size_(size), name_(name) {}

  void seek(uint64_t bit) { bit_ = bit; }
  void skip(uint32_t bits) { bit_ += bits; }
  // At least 57 bits from the next on.
  uint64_t peek() {
    const uint64_t byte = bit_ / 8;
    if (byte + 8 > size_) refuse("runs past its end");
    if (byte < from_ || byte + 8 > from_ + kBuffer) {
      from_ = byte / 8 * 8;
      const uint64_t size = std::min(kBuffer, size_ - from_);
      std::copy_n(file_->raw(offset_ + from_, size), size, buffer_);
      file_->cipher().apply(offset_ + from_, buffer_, size);
    }
    return load<uint64_t>(buffer_ + (byte - from_)) >> (bit_ % 8);
  }
  // Up to 57.
  uint64_t take(uint32_t bits) {
    const uint64_t word = peek();
    bit_ += bits;
    return word & ((1ull << bits) - 1);
  }
  uint64_t take_unary(uint64_t largest) {
    constexpr uint32_t kSure = 57;
    uint64_t zeros = 0;
    for (;;) {
      const auto here = static_cast<uint32_t>(std::countr_zero(peek() | 1ull << kSure));
      zeros += here;
      if (zeros > largest) refuse("holds an impossible number");
      if (here < kSure) {
        bit_ += here + 1;
        return zeros;
      }
      bit_ += kSure;
    }
  }
  uint64_t take_rice(uint32_t low_bits, uint64_t largest) {
    const uint64_t high = take_unary(largest >> low_bits);
    const uint64_t value = high << low_bits | take(low_bits);
    if (value > largest) refuse("holds an impossible number");
    return value;
  }
  [[noreturn]] void refuse(const char* what) const {
    throw FormatError(file_->path() + ": " + name_ + " " + what + "; build the index again");
  }

 private:
  static constexpr uint64_t kBuffer = 64;

  const CheckedFile* file_;
  uint64_t offset_, size_, bit_ = 0;
  const char* name_;
  uint8_t buffer_[kBuffer];  // decrypted
  uint64_t from_ = ~0ull;    // the byte it begins at
};

}  // namespace dedup
