#include "checked_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "error.h"
#include "hash.h"

namespace dedup {

namespace {

constexpr char kFooterMagic[8] = {'d', 'e', 'd', 'u', 'p', 'F', 'I', 'N'};

struct Footer {
  char magic[8];
  uint64_t body_size;
  uint64_t checks_hash;
  uint64_t file_size;
  uint64_t zeros[3];
  uint64_t footer_hash;
};
static_assert(sizeof(Footer) == kFooterBytes);

[[noreturn]] void fail(const char* what, const std::string& path) {
  const int code = errno;
  throw IoError(code, std::string("cannot ") + what + ": " + std::strerror(code), path);
}

uint64_t block_count(uint64_t body_size) { return (body_size + kBlockBytes - 1) / kBlockBytes; }

}  // namespace

CheckedWriter::CheckedWriter(std::string path) : temporary_(std::move(path)) {
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail("create", temporary_);
  block_.reserve(kBlockBytes);
}

CheckedWriter::~CheckedWriter() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void CheckedWriter::append(const void* data, size_t size) {
  const auto* from = static_cast<const uint8_t*>(data);
  size_ += size;
  while (size > 0) {
    const size_t part = std::min<size_t>(size, kBlockBytes - block_.size());
    block_.insert(block_.end(), from, from + part);
    from += part;
    size -= part;
    if (block_.size() == kBlockBytes) flush_block();
  }
}

void CheckedWriter::align(uint64_t bytes) {
  static constexpr uint8_t kZeros[64] = {};
  const uint64_t excess = size_ % bytes;
  for (uint64_t missing = excess ? bytes - excess : 0; missing > 0;) {
    const uint64_t part = std::min<uint64_t>(missing, sizeof kZeros);
    append(kZeros, part);
    missing -= part;
  }
}

void CheckedWriter::flush_block() {
  if (block_.empty()) return;
  checks_.push_back(xxh3_64(block_.data(), block_.size()));
  write_all(block_.data(), block_.size());
  block_.clear();
}

void CheckedWriter::write_all(const void* data, size_t size) {
  const auto* from = static_cast<const uint8_t*>(data);
  while (size > 0) {
    const ssize_t written = ::write(descriptor_, from, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      fail("write", temporary_);
    }
    from += written;
    size -= static_cast<size_t>(written);
  }
}

uint64_t CheckedWriter::finish() {
  flush_block();
  Footer footer{};
  std::memcpy(footer.magic, kFooterMagic, sizeof kFooterMagic);
  footer.body_size = size_;
  footer.checks_hash = xxh3_64(checks_.data(), checks_.size() * sizeof(uint64_t));
  footer.file_size = size_ + checks_.size() * sizeof(uint64_t) + sizeof footer;
  footer.footer_hash = xxh3_64(&footer, offsetof(Footer, footer_hash));
  write_all(checks_.data(), checks_.size() * sizeof(uint64_t));
  write_all(&footer, sizeof footer);
  // A failed fsync may have dropped the pages, so it is never tried again.
  if (::fsync(descriptor_) != 0) fail("sync", temporary_);
  const int closed = ::close(descriptor_);
  descriptor_ = -1;
  if (closed != 0) fail("close", temporary_);
  return footer.checks_hash;
}

void CheckedWriter::publish(const std::string& path) {
  if (::rename(temporary_.c_str(), path.c_str()) != 0) fail("rename", temporary_);
  temporary_.clear();
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) fail("open", folder);
  const int synced = ::fsync(descriptor);
  const int code = errno;
  ::close(descriptor);
  errno = code;
  if (synced != 0) fail("sync", folder);
}

CheckedFile::CheckedFile(std::string path) : path_(std::move(path)) {
  const int descriptor = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail("open", path_);
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) {
    const int code = errno;
    ::close(descriptor);
    errno = code;
    fail("stat", path_);
  }
  mapped_size_ = static_cast<uint64_t>(status.st_size);
  if (!S_ISREG(status.st_mode) || mapped_size_ < kFooterBytes) {
    ::close(descriptor);
    damaged("it is too short to be a segment (" + std::to_string(mapped_size_) + " bytes)");
  }
  void* mapped = ::mmap(nullptr, mapped_size_, PROT_READ, MAP_SHARED, descriptor, 0);
  const int code = errno;
  ::close(descriptor);
  if (mapped == MAP_FAILED) {
    errno = code;
    fail("map", path_);
  }
  data_ = static_cast<const uint8_t*>(mapped);
  try {
    const auto footer = load<Footer>(data_ + mapped_size_ - kFooterBytes);
    if (std::memcmp(footer.magic, kFooterMagic, sizeof kFooterMagic) != 0) {
      damaged("its last 64 bytes are no footer; it was cut short or is no segment");
    }
    if (footer.footer_hash != xxh3_64(&footer, offsetof(Footer, footer_hash))) {
      damaged("the checksum of its footer does not match");
    }
    if (footer.file_size != mapped_size_ || footer.body_size > mapped_size_ ||
        footer.body_size + block_count(footer.body_size) * sizeof(uint64_t) + kFooterBytes !=
            mapped_size_) {
      damaged("its footer tells of " + std::to_string(footer.file_size) + " bytes, the file has " +
              std::to_string(mapped_size_));
    }
    body_size_ = footer.body_size;
    content_hash_ = footer.checks_hash;
    checks_.resize(block_count(body_size_));
    if (!checks_.empty()) {
      std::memcpy(checks_.data(), data_ + body_size_, checks_.size() * sizeof(uint64_t));
    }
    if (content_hash_ != xxh3_64(checks_.data(), checks_.size() * sizeof(uint64_t))) {
      damaged("the checksum of its block checksums (bytes " + std::to_string(body_size_) +
              " and on) does not match");
    }
    verified_ = std::make_unique<std::atomic<uint8_t>[]>(checks_.size());
    if (mapped_size_ <= kVerifyAtOpenBytes) verify_all();
  } catch (...) {
    ::munmap(const_cast<uint8_t*>(data_), mapped_size_);
    throw;
  }
}

CheckedFile::~CheckedFile() {
  if (data_) ::munmap(const_cast<uint8_t*>(data_), mapped_size_);
}

void CheckedFile::verify_block(uint64_t block) const {
  const uint64_t from = block * kBlockBytes;
  const uint64_t size = std::min(kBlockBytes, body_size_ - from);
  if (xxh3_64(data_ + from, size) != checks_[block]) {
    damaged("the checksum of bytes " + std::to_string(from) + "-" + std::to_string(from + size) +
            " does not match");
  }
  verified_[block].store(1, std::memory_order_relaxed);
}

void CheckedFile::verify_all() const {
  for (uint64_t block = 0; block < checks_.size(); ++block) verify_block(block);
}

void CheckedFile::damaged(const std::string& what) const {
  throw FormatError(path_ + ": damaged: " + what +
                    "; restore the file from a copy or build the index again");
}

}  // namespace dedup
