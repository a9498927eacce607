// Immutable files whose every byte is under a checksum.
//
//   file   = body | block checksums | footer
//   body   = whatever the writer appended, seen as blocks of 16 KiB (the last may be short)
//   checks = one little-endian XXH3-64 for each block
//   footer = 64 bytes: "dedupFIN", body size u64, XXH3 of the checks u64, file size u64,
//            zeros, XXH3 of the footer's first 56 bytes u64
//
// CheckedWriter writes under a temporary name, syncs and renames, so a file that bears its final
// name is whole. CheckedFile maps one. Opening reads the footer and the checksums only, so it costs
// the same at any size; a block is verified when it is first touched, and files up to 1 MiB are
// verified whole at open. The body may be encrypted (cipher.h); checksums are of what lies in the
// file, so that a copy can be verified without the key. Thread-safety: a CheckedFile may be read
// from any number of threads; two of them may verify one block twice, which is harmless.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bytes.h"
#include "cipher.h"
#include "storage.h"

namespace dedup {

// What a probe that is the first in its block waits for: 64 KiB made the first search of 10^8 words
// take 11 ms. An index of 10^10 words still has its checksums read in 3 ms.
inline constexpr uint64_t kBlockBytes = 16 * 1024;
inline constexpr uint64_t kFooterBytes = 64;
// Hashed in .1 ms, and an index may have many small segments.
inline constexpr uint64_t kVerifyAtOpenBytes = 1024 * 1024;

class CheckedWriter {
 public:
  // Writes under a temporary name until publish(). Throws IoError.
  CheckedWriter(std::shared_ptr<const Storage> storage, std::string temporary);
  ~CheckedWriter();  // removes the temporary file unless published
  CheckedWriter(const CheckedWriter&) = delete;
  CheckedWriter& operator=(const CheckedWriter&) = delete;

  // What is appended from here on is encrypted.
  void encrypt(const Cipher& cipher) { cipher_ = cipher; }
  void append(const void* data, size_t size) { append(data, size, cipher_); }
  void append_plain(const void* data, size_t size) { append(data, size, Cipher()); }
  template <typename T>
  void append_values(const std::vector<T>& values) {
    append(values.data(), values.size() * sizeof(T));
  }
  void align(uint64_t bytes);  // padding to a multiple of `bytes`
  uint64_t size() const { return size_; }

  // Checksums, footer, fsync. Returns the XXH3 of the block checksums, which names the content.
  uint64_t finish();
  // Renames the finished file. The caller syncs the folder: a name is durable only then.
  void publish(const std::string& path);

 private:
  void append(const void* data, size_t size, const Cipher& cipher);
  void flush_block();

  std::shared_ptr<const Storage> storage_;
  std::string temporary_;  // empty once published
  StorageFile file_;
  Cipher cipher_;
  uint64_t size_ = 0;
  std::vector<uint8_t> block_;
  std::vector<uint64_t> checks_;
};

// Where decrypted bytes are put; may be used again and again.
using Scratch = std::vector<uint8_t>;

class CheckedFile {
 public:
  // Throws IoError if the file can't be opened or mapped, FormatError if it is damaged.
  CheckedFile(const Storage& storage, std::string path);
  CheckedFile(const CheckedFile&) = delete;
  CheckedFile& operator=(const CheckedFile&) = delete;

  const std::string& path() const { return path_; }
  uint64_t body_size() const { return body_size_; }
  uint64_t file_size() const { return mapping_.size(); }
  uint64_t content_hash() const { return content_hash_; }
  const Cipher& cipher() const { return cipher_; }
  void decrypt(const Cipher& cipher) { cipher_ = cipher; }

  // The body's bytes [offset, offset + size) as they lie in the file, verified. The range must lie
  // inside the body, here and below.
  const uint8_t* raw(uint64_t offset, uint64_t size) const {
    if (size != 0) {
      const uint64_t last = (offset + size - 1) / kBlockBytes;
      for (uint64_t block = offset / kBlockBytes; block <= last; ++block) {
        if (!verified_[block].load(std::memory_order_relaxed)) verify_block(block);
      }
    }
    return mapping_.data() + offset;
  }
  // The same in the clear: in the file itself if it is not encrypted, else in `scratch`.
  const uint8_t* view(uint64_t offset, uint64_t size, Scratch& scratch) const {
    const uint8_t* bytes = raw(offset, size);
    if (!cipher_.is_on()) return bytes;
    scratch.assign(bytes, bytes + size);
    cipher_.apply(offset, scratch.data(), size);
    return scratch.data();
  }
  // One value in the clear.
  template <typename T>
  T at(uint64_t offset) const {
    uint8_t bytes[sizeof(T)];
    std::memcpy(bytes, raw(offset, sizeof(T)), sizeof(T));
    cipher_.apply(offset, bytes, sizeof(T));
    return load<T>(bytes);
  }
  // Asks the processor for the line at `offset`; never verifies, never faults.
  void prefetch(uint64_t offset) const { __builtin_prefetch(mapping_.data() + offset); }

  void verify_all() const;

 private:
  void verify_block(uint64_t block) const;
  [[noreturn]] void damaged(const std::string& what) const;

  std::string path_;
  Mapping mapping_;
  Cipher cipher_;
  uint64_t body_size_ = 0;
  uint64_t content_hash_ = 0;
  std::vector<uint64_t> checks_;
  std::unique_ptr<std::atomic<uint8_t>[]> verified_;
};

}  // namespace dedup
