// Immutable files whose every byte is under a checksum.
//
//   file   = body | block checksums | footer
//   body   = whatever the writer appended, seen as blocks of 64 KiB (the last may be short)
//   checks = one little-endian XXH3-64 for each block
//   footer = 64 bytes: "dedupFIN", body size u64, XXH3 of the checks u64, file size u64,
//            zeros, XXH3 of the footer's first 56 bytes u64
//
// CheckedWriter writes under a temporary name, syncs, renames and syncs the folder, so a file that
// bears its final name is whole. CheckedFile maps one. Opening reads the footer and the checksums
// only, so it costs the same at any size; a block is verified when it is first touched, and
// files up to 64 MiB are verified whole at open. Thread-safety: a CheckedFile may be read from any
// number of threads; two of them may verify one block twice, which is harmless.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bytes.h"

namespace dedup {

inline constexpr uint64_t kBlockBytes = 64 * 1024;
inline constexpr uint64_t kFooterBytes = 64;
// 64 MiB hash in about 5 ms, half of the time that opening an index may take.
inline constexpr uint64_t kVerifyAtOpenBytes = 64ull * 1024 * 1024;

class CheckedWriter {
 public:
  // Writes beside `path` under a temporary name until commit(). Throws IoError.
  explicit CheckedWriter(std::string path);
  ~CheckedWriter();  // removes the temporary file unless committed
  CheckedWriter(const CheckedWriter&) = delete;
  CheckedWriter& operator=(const CheckedWriter&) = delete;

  void append(const void* data, size_t size);
  template <typename T>
  void append_values(const std::vector<T>& values) {
    append(values.data(), values.size() * sizeof(T));
  }
  void align(uint64_t bytes);  // zero padding to a multiple of `bytes`
  uint64_t size() const { return size_; }

  // Checksums, footer, fsync. Returns the XXH3 of the block checksums, which names the content.
  uint64_t finish();
  // Renames the finished file to `path` and syncs its folder.
  void publish(const std::string& path);

 private:
  void flush_block();
  void write_all(const void* data, size_t size);

  std::string temporary_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
  std::vector<uint8_t> block_;
  std::vector<uint64_t> checks_;
};

class CheckedFile {
 public:
  // Throws IoError if the file can't be opened or mapped, FormatError if it is damaged.
  explicit CheckedFile(std::string path);
  ~CheckedFile();
  CheckedFile(const CheckedFile&) = delete;
  CheckedFile& operator=(const CheckedFile&) = delete;

  const std::string& path() const { return path_; }
  uint64_t body_size() const { return body_size_; }
  uint64_t file_size() const { return mapped_size_; }
  uint64_t content_hash() const { return content_hash_; }

  // The body's bytes [offset, offset + size), verified. The range must lie inside the body.
  const uint8_t* at(uint64_t offset, uint64_t size) const {
    if (size == 0) return data_ + offset;
    const uint64_t last = (offset + size - 1) / kBlockBytes;
    for (uint64_t block = offset / kBlockBytes; block <= last; ++block) {
      if (!verified_[block].load(std::memory_order_relaxed)) verify_block(block);
    }
    return data_ + offset;
  }
  // Asks the processor for the line at `offset`; never verifies, never faults.
  void prefetch(uint64_t offset) const { __builtin_prefetch(data_ + offset); }

  void verify_all() const;

 private:
  void verify_block(uint64_t block) const;
  [[noreturn]] void damaged(const std::string& what) const;

  std::string path_;
  const uint8_t* data_ = nullptr;
  uint64_t mapped_size_ = 0;
  uint64_t body_size_ = 0;
  uint64_t content_hash_ = 0;
  std::vector<uint64_t> checks_;
  std::unique_ptr<std::atomic<uint8_t>[]> verified_;
};

}  // namespace dedup
