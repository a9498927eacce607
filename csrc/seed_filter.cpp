#include "seed_filter.h"

#include <algorithm>
#include <cstring>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace dedup {

namespace {

// 12.8 bits a seed take one in 41 for one that is there, 8 bits one in 19, 16 one in 60.
constexpr uint64_t kSeedsPerWord = 5;
constexpr uint64_t kHugePage = 2 << 20;

}  // namespace

SeedFilter::SeedFilter(uint64_t seeds)
    : size_(std::min<uint64_t>(seeds / kSeedsPerWord + 1, (1ull << (64 - kSeedBits)) - 1)) {
  // Probes go anywhere: on small pages each would cost a walk of the page tables as well.
  const uint64_t page = size_ * sizeof(uint64_t) >= 2 * kHugePage ? kHugePage : 64;
  const uint64_t bytes = (size_ * sizeof(uint64_t) + page - 1) / page * page;
  words_.reset(static_cast<uint64_t*>(std::aligned_alloc(page, bytes)));
  if (!words_) throw std::bad_alloc();
#if defined(__linux__)
  if (page == kHugePage) madvise(words_.get(), bytes, MADV_HUGEPAGE);  // a hint: may fail
#endif
  std::memset(words_.get(), 0, bytes);
}

}  // namespace dedup
