#include "checked_file.h"

#include <algorithm>
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

uint64_t block_count(uint64_t body_size) { return (body_size + kBlockBytes - 1) / kBlockBytes; }

}  // namespace

CheckedWriter::CheckedWriter(std::shared_ptr<const Storage> storage, std::string temporary)
    : storage_(std::move(storage)), temporary_(std::move(temporary)), file_(storage_, temporary_) {
  block_.reserve(kBlockBytes);
}

CheckedWriter::~CheckedWriter() {
  if (temporary_.empty()) return;
  try {
    storage_->remove(temporary_);
  } catch (...) {  // what failed before is being told already
  }
}

void CheckedWriter::append(const void* data, size_t size, const Cipher& cipher) {
  const auto* from = static_cast<const uint8_t*>(data);
  while (size > 0) {
    const size_t part = std::min<size_t>(size, kBlockBytes - block_.size());
    block_.insert(block_.end(), from, from + part);
    cipher.apply(size_, block_.data() + block_.size() - part, part);
    size_ += part;
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
  file_.append(block_.data(), block_.size());
  block_.clear();
}

uint64_t CheckedWriter::finish() {
  flush_block();
  Footer footer{};
  std::memcpy(footer.magic, kFooterMagic, sizeof kFooterMagic);
  footer.body_size = size_;
  footer.checks_hash = xxh3_64(checks_.data(), checks_.size() * sizeof(uint64_t));
  footer.file_size = size_ + checks_.size() * sizeof(uint64_t) + sizeof footer;
  footer.footer_hash = xxh3_64(&footer, offsetof(Footer, footer_hash));
  file_.append(checks_.data(), checks_.size() * sizeof(uint64_t));
  file_.append(&footer, sizeof footer);
  file_.sync();
  file_.close();
  return footer.checks_hash;
}

void CheckedWriter::publish(const std::string& path) {
  storage_->rename(temporary_, path);
  temporary_.clear();
}

CheckedFile::CheckedFile(const Storage& storage, std::string path)
    : path_(std::move(path)), mapping_(storage, path_) {
  const uint64_t size = mapping_.size();
  if (size < kFooterBytes) {
    damaged("it is too short to be a segment (" + std::to_string(size) + " bytes)");
  }
  const auto footer = load<Footer>(mapping_.data() + size - kFooterBytes);
  if (std::memcmp(footer.magic, kFooterMagic, sizeof kFooterMagic) != 0) {
    damaged("its last 64 bytes are no footer; it was cut short or is no segment");
  }
  if (footer.footer_hash != xxh3_64(&footer, offsetof(Footer, footer_hash))) {
    damaged("the checksum of its footer does not match");
  }
  if (footer.file_size != size || footer.body_size > size ||
      footer.body_size + block_count(footer.body_size) * sizeof(uint64_t) + kFooterBytes != size) {
    damaged("its footer tells of " + std::to_string(footer.file_size) + " bytes, the file has " +
            std::to_string(size));
  }
  body_size_ = footer.body_size;
  content_hash_ = footer.checks_hash;
  checks_.resize(block_count(body_size_));
  if (!checks_.empty()) {
    std::memcpy(checks_.data(), mapping_.data() + body_size_, checks_.size() * sizeof(uint64_t));
  }
  if (content_hash_ != xxh3_64(checks_.data(), checks_.size() * sizeof(uint64_t))) {
    damaged("the checksum of its block checksums (bytes " + std::to_string(body_size_) +
            " and on) does not match");
  }
  verified_ = std::make_unique<std::atomic<uint8_t>[]>(checks_.size());
  if (size <= kVerifyAtOpenBytes) verify_all();
}

void CheckedFile::verify_block(uint64_t block) const {
  const uint64_t from = block * kBlockBytes;
  const uint64_t size = std::min(kBlockBytes, body_size_ - from);
  if (xxh3_64(mapping_.data() + from, size) != checks_[block]) {
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
