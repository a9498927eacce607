#include "storage.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "error.h"

namespace dedup {

namespace {

[[noreturn]] void fail(const char* what, const std::string& path, int code = errno) {
  throw IoError(code, std::string("cannot ") + what + ": " + std::strerror(code), path);
}

}  // namespace

int64_t Storage::make(const char* name, const std::string& path, std::string_view detail,
                      bool retry, const std::function<int64_t(uint64_t)>& call) const {
  for (int interrupts = 0;;) {
    const int verdict = hook_ ? hook_({name, path, detail}) : 0;
    int64_t result = -1;
    if (verdict > 0) {
      errno = verdict;
    } else {
      result = call(verdict < 0 ? static_cast<uint64_t>(-static_cast<int64_t>(verdict)) : ~0ull);
    }
    if (result >= 0 || errno != EINTR || !retry || ++interrupts >= kMaxInterrupts) return result;
  }
}

int Storage::open(const std::string& path, const char* mode, int flags) const {
  // A pipe in the place of a file must not be waited for.
  return static_cast<int>(make("open", path, mode, true, [&](uint64_t) {
    return ::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK, 0644);
  }));
}

void Storage::close(int descriptor, const std::string& path) const {
  // A descriptor is gone after close, whatever it says, and must be gone if a hook fails it.
  bool closed = false;
  int64_t result;
  try {
    result = make("close", path, {}, false, [&](uint64_t) {
      closed = true;
      return ::close(descriptor);
    });
  } catch (...) {
    ::close(descriptor);
    throw;
  }
  const int code = errno;
  if (!closed) ::close(descriptor);
  if (result < 0) fail("close", path, code);
}

std::string Storage::read(const std::string& path, uint64_t limit) const {
  const int descriptor = open(path, "r", O_RDONLY);
  if (descriptor < 0) fail("open", path);
  std::string bytes;
  try {
    for (char part[16384];;) {
      const int64_t got = make("read", path, {}, true,
                               [&](uint64_t) { return ::read(descriptor, part, sizeof part); });
      if (got < 0) fail("read", path);
      if (got == 0) break;
      bytes.append(part, static_cast<size_t>(got));
      if (bytes.size() > limit) fail("read", path, EFBIG);
    }
  } catch (...) {
    ::close(descriptor);
    throw;
  }
  ::close(descriptor);  // of a file that was only read it can't lose anything
  return bytes;
}

void Storage::write(const std::string& path, std::string_view bytes) const {
  try {
    // The storage outlives the file.
    StorageFile file(std::shared_ptr<const Storage>(std::shared_ptr<void>(), this), path);
    file.append(bytes.data(), bytes.size());
    file.sync();
    file.close();
  } catch (...) {
    try {
      remove(path);
    } catch (...) {  // the first failure is the one to tell
    }
    throw;
  }
}

void Storage::rename(const std::string& from, const std::string& to) const {
  const auto call = [&](uint64_t) { return ::rename(from.c_str(), to.c_str()); };
  if (make("rename", from, to, true, call) < 0) fail("rename", from);
}

void Storage::sync_folder(const std::string& path) const {
  const int descriptor = open(path, "d", O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) fail("open", path);
  int64_t synced;
  try {
    synced = make("fsync", path, {}, false, [&](uint64_t) { return ::fsync(descriptor); });
  } catch (...) {
    ::close(descriptor);
    throw;
  }
  const int code = errno;
  ::close(descriptor);
  if (synced < 0) fail("sync", path, code);
}

void Storage::remove(const std::string& path) const {
  const auto call = [&](uint64_t) { return ::unlink(path.c_str()); };
  if (make("unlink", path, {}, true, call) < 0 && errno != ENOENT) fail("remove", path);
}

std::vector<std::string> Storage::list(const std::string& folder) const {
  DIR* open = nullptr;
  const auto call = [&](uint64_t) {
    open = ::opendir(folder.c_str());
    return open ? 0 : -1;
  };
  if (make("listdir", folder, {}, true, call) < 0) fail("list", folder);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(open)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  const int code = errno;
  ::closedir(open);
  if (code != 0) fail("list", folder, code);
  std::ranges::sort(names);
  return names;
}

void Storage::make_folder(const std::string& path) const {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    const bool is_last = slash == std::string::npos;
    const bool is_new = !exists(part);
    if (is_new) {
      const auto call = [&](uint64_t) { return ::mkdir(part.c_str(), 0755); };
      if (make("mkdir", part, {}, true, call) < 0 && errno != EEXIST) fail("make", part);
    }
    // A folder is as durable as its name in the one above it, which whoever made it may not have
    // lived to sync.
    if (is_new || is_last) {
      const size_t above = part.rfind('/');
      sync_folder(above == std::string::npos ? "." : part.substr(0, std::max<size_t>(above, 1)));
    }
    if (is_last) return;
  }
}

bool Storage::exists(const std::string& path) const {
  struct stat status{};
  const auto call = [&](uint64_t) { return ::stat(path.c_str(), &status); };
  if (make("stat", path, {}, true, call) == 0) return true;
  if (errno != ENOENT && errno != ENOTDIR) fail("look at", path);
  return false;
}

StorageFile::StorageFile(std::shared_ptr<const Storage> storage, std::string path)
    : storage_(std::move(storage)), path_(std::move(path)) {
  descriptor_ = storage_->open(path_, "w", O_WRONLY | O_CREAT | O_TRUNC);
  if (descriptor_ < 0) fail("create", path_);
}

StorageFile::~StorageFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void StorageFile::append(const void* data, size_t size) {
  const auto* from = static_cast<const char*>(data);
  while (size > 0) {
    const int64_t written = storage_->make("write", path_, {from, size}, true, [&](uint64_t most) {
      return ::write(descriptor_, from, std::min<uint64_t>(size, most));
    });
    if (written < 0) fail("write", path_);
    if (written == 0) fail("write", path_, EIO);  // or this would go on for ever
    from += written;
    size -= static_cast<size_t>(written);
  }
}

void StorageFile::sync() {
  const auto call = [&](uint64_t) { return ::fsync(descriptor_); };
  if (storage_->make("fsync", path_, {}, false, call) < 0) fail("sync", path_);
}

void StorageFile::close() {
  const int descriptor = descriptor_;
  descriptor_ = -1;
  storage_->close(descriptor, path_);
}

Mapping::Mapping(const Storage& storage, const std::string& path) {
  const int descriptor = storage.open(path, "r", O_RDONLY);
  if (descriptor < 0) fail("open", path);
  try {
    struct stat status{};
    const auto look = [&](uint64_t) { return ::fstat(descriptor, &status); };
    if (storage.make("stat", path, {}, true, look) < 0) fail("look at", path);
    if (S_ISREG(status.st_mode) && status.st_size > 0) {
      const auto size = static_cast<uint64_t>(status.st_size);
      void* mapped = MAP_FAILED;
      const auto map = [&](uint64_t) {
        mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
        return mapped == MAP_FAILED ? -1 : 0;
      };
      if (storage.make("mmap", path, {}, true, map) < 0) fail("map", path);
      data_ = static_cast<const uint8_t*>(mapped);
      size_ = size;
    }
  } catch (...) {
    ::close(descriptor);
    throw;
  }
  ::close(descriptor);
}

Mapping::~Mapping() {
  if (data_) ::munmap(const_cast<uint8_t*>(data_), size_);
}

std::unique_ptr<StorageLock> StorageLock::take(std::shared_ptr<const Storage> storage,
                                               const std::string& path) {
  const int descriptor = storage->open(path, "l", O_RDWR | O_CREAT);
  if (descriptor < 0) fail("open", path);
  std::unique_ptr<StorageLock> lock(new StorageLock(descriptor));
  const auto call = [&](uint64_t) { return ::flock(descriptor, LOCK_EX | LOCK_NB); };
  if (storage->make("flock", path, {}, true, call) == 0) return lock;
  if (errno == EWOULDBLOCK) return nullptr;
  fail("lock", path);
}

void StorageLock::release() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

}  // namespace dedup
