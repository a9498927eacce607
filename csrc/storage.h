// All file I/O of an index goes through a Storage, so that a test can see and fail every call.
//
// A hook, if there is one, is asked before each system call: it may let it be made, fail it with an
// error number, cut a write short, or throw. What it is told, by name:
//
//   open      detail "r" to read, "w" to create or cut, "d" a folder, "l" a lock
//   write     detail the bytes          fsync   a file, or a folder by its path
//   rename    detail the new path       close, read, mmap, unlink, mkdir, listdir, stat, flock
//
// Interrupted calls are made again, kMaxInterrupts times in a row at the most. fsync and close are
// not: after a failed fsync the kernel may have dropped the pages and would report success (Rebello
// et al., "Can Applications Recover from fsync Failures?", 2020), so a failure is final. Throws
// IoError. Thread-safe if the hook is.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace dedup {

// A system call that is about to be made.
struct StorageCall {
  const char* name;
  const std::string& path;
  std::string_view detail;
};

// 0: make the call; n > 0: fail it with errno n; n < 0: write at most -n bytes.
using StorageHook = std::function<int(const StorageCall&)>;

class Storage {
 public:
  static constexpr int kMaxInterrupts = 100;

  explicit Storage(StorageHook hook = {}) : hook_(std::move(hook)) {}

  // A small file, whole; an IoError of EFBIG if it has over `limit` bytes.
  std::string read(const std::string& path, uint64_t limit) const;
  // A new file with these bytes, synced; removed again on failure.
  void write(const std::string& path, std::string_view bytes) const;
  void rename(const std::string& from, const std::string& to) const;
  // Makes the names in a folder durable.
  void sync_folder(const std::string& path) const;
  void remove(const std::string& path) const;  // missing is no error
  std::vector<std::string> list(const std::string& folder) const;
  // And those above it; its name is durable, also if it was there. `path` ends in no slash.
  void make_folder(const std::string& path) const;
  bool exists(const std::string& path) const;

 private:
  friend class StorageFile;
  friend class StorageLock;
  friend class Mapping;

  // Asks the hook, then makes the call, which gets what the hook allows a write; again if it was
  // interrupted and `retry`. Returns what the call does: below 0 for failure, told by errno.
  int64_t make(const char* name, const std::string& path, std::string_view detail, bool retry,
               const std::function<int64_t(uint64_t)>& call) const;
  int open(const std::string& path, const char* mode, int flags) const;
  void close(int descriptor, const std::string& path) const;

  StorageHook hook_;
};

// A file being written, from its first byte to its last.
class StorageFile {
 public:
  StorageFile(std::shared_ptr<const Storage> storage, std::string path);
  ~StorageFile();  // closes it
  StorageFile(const StorageFile&) = delete;
  StorageFile& operator=(const StorageFile&) = delete;

  void append(const void* data, size_t size);
  void sync();
  void close();

 private:
  std::shared_ptr<const Storage> storage_;
  std::string path_;
  int descriptor_ = -1;
};

// A whole file in memory, for reading.
class Mapping {
 public:
  Mapping(const Storage& storage, const std::string& path);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  const uint8_t* data() const { return data_; }
  uint64_t size() const { return size_; }

 private:
  const uint8_t* data_ = nullptr;  // none if the file is empty or not a regular one
  uint64_t size_ = 0;
};

// The right to write, held by one process at a time and given up when it ends, however it ends.
class StorageLock {
 public:
  // Null if another process holds it.
  static std::unique_ptr<StorageLock> take(std::shared_ptr<const Storage> storage,
                                           const std::string& path);
  ~StorageLock() { release(); }
  StorageLock(const StorageLock&) = delete;
  StorageLock& operator=(const StorageLock&) = delete;

  void release();

 private:
  explicit StorageLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace dedup
