// The seed table: seed -> postings, in one or two neighbouring cache lines a probe.
//
// A static table of 64-byte buckets, filled in the order of (seed, position), so a table is a
// function of its entries alone and two tables merge by one ordered pass over both.
//
//   bucket = u16 first | u16 count | u8 tag[capacity] | the rest of each entry, packed from bit 0
//
// A seed's home bucket is seed * buckets / 2^34. The entries of one home stand together, in order,
// `first` slots after the start of the home bucket, where slots run on into the next buckets if the
// home is full (ordered linear probing); `count` is how many entries have this home. An entry is
//
//   (seed - smallest seed of the home) * places + position,    places = positions + 1
//
// in one number of `width` bits (mixed radix, so no bit is lost to rounding). Its top 8 bits are
// its tag: most probes compare 16 tags at once and are done. position == positions is the stop
// mark: the seed has over kMaxPostings postings, of which the kKeptPostings lowest are in the
// table. Common passages thus cost little, weigh little, and are still found with their first
// sources. The rest of their postings lie behind the table, where a query does not go unless what
// is kept was removed from the index, and where a merge finds them:
//
//   CommonSeed[common], by seed | gaps to the posting before, 7 bits a byte, low ones first
//
// `first`, `count` and the tags are in the clear, so that a probe that finds nothing, as most do,
// decrypts nothing. Seeds are pseudorandom and places are hidden: it tells how often a seed occurs,
// not which nor where.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "checked_file.h"
#include "seed_filter.h"
#include "seeds.h"

namespace dedup {

inline constexpr uint32_t kMaxPostings = 64;
inline constexpr uint32_t kKeptPostings = 8;

// One posting of a seed: a token position in a segment. Ordered as tables are.
struct SeedEntry {
  Seed seed;
  uint32_t position;
  auto operator<=>(const SeedEntry&) const = default;
};

// What a probe found. The seed's true document frequency is `size` unless `stopped`.
struct Postings {
  uint32_t positions[kMaxPostings];
  uint32_t size = 0;
  bool stopped = false;
};

// Shape of a table; the first 64 bytes of its section.
struct SeedTableShape {
  uint64_t entries = 0;
  uint64_t positions = 0;      // every stored position is below this
  uint64_t buckets = 0;        // home buckets
  uint64_t total_buckets = 0;  // with those that take the overflow of the last
  uint32_t width = 0;          // bits of an entry
  uint32_t capacity = 0;       // entries of a bucket
  uint64_t common = 0;         // seeds with postings behind the table
  uint64_t reserved[2] = {};
};
static_assert(sizeof(SeedTableShape) == 64);

// A seed with postings behind the table; they end `end` bytes after the last of these records.
struct CommonSeed {
  uint64_t seed = 0, end = 0;
};

class SeedTable {
 public:
  SeedTable() = default;
  // The table at [offset, offset + size) of the file's body. Throws FormatError if it can't be one.
  SeedTable(const CheckedFile& file, uint64_t offset, uint64_t size);

  const SeedTableShape& shape() const { return shape_; }
  void prefetch(Seed seed) const { file_->prefetch(offset_ + home(seed) * kBucketBytes); }
  // Replaces `found` by the postings of `seed`, lowest position first.
  void find(Seed seed, Postings& found) const;

  // A filter of the seeds in the table; null until enough work was done on it.
  const SeedFilter* filter() const {
    return filtering_->is_done.load(std::memory_order_acquire) ? &filtering_->filter : nullptr;
  }
  // Goes on with the filter by some `entries`, at about 10 ns each, unless another thread is at it.
  // What meets a damaged block gives the filter up: the searches that need the block tell of it.
  void work_on_filter(uint64_t entries) const;

  // Calls `visit` with each posting of a stopped seed that is not in the table, in order, until it
  // returns false. `after` is the last that is.
  void each_beyond(Seed seed, uint32_t after, const std::function<bool(uint32_t)>& visit) const;

  // Reads every entry in order, those behind the table too.
  class Cursor {
   public:
    explicit Cursor(const SeedTable& table) : table_(&table) { advance(); }
    bool done() const { return done_; }
    const SeedEntry& entry() const { return entry_; }
    void advance();

   private:
    const SeedTable* table_;
    Scratch lines_;                 // of the bucket in hand, decrypted
    std::vector<uint32_t> beyond_;  // of the seed in hand, last first
    uint64_t bucket_ = ~0ull;
    uint64_t slot_ = 0, left_ = 0;
    bool done_ = false;
    SeedEntry entry_{};
  };

 private:
  static constexpr uint64_t kBucketBytes = 64;
  static constexpr uint64_t kHeaderBytes = 4;

  uint64_t home(Seed seed) const {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(seed) * shape_.buckets) >>
                                 kSeedBits);
  }
  // Where a slot's bits begin in its line; a load of 8 bytes there never leaves the line.
  uint64_t byte_of(uint64_t slot, uint64_t& shift) const {
    const uint64_t bit = (kHeaderBytes + shape_.capacity) * 8 + slot * rest_bits_;
    const uint64_t byte = std::min<uint64_t>(bit / 8, kBucketBytes - 8);
    shift = bit - byte * 8;
    return byte;
  }
  // The entry in a slot of a line whose keystream at that slot's byte is `stream`.
  uint64_t entry_at(const uint8_t* line, uint64_t slot, uint64_t stream) const {
    uint64_t shift;
    const uint64_t byte = byte_of(slot, shift);
    const uint64_t rest = ((load<uint64_t>(line + byte) ^ stream) >> shift) & rest_mask_;
    return uint64_t{line[kHeaderBytes + slot]} << rest_bits_ | rest;
  }
  CommonSeed common_at(uint64_t number) const {
    return file_->at<CommonSeed>(common_offset_ + number * sizeof(CommonSeed));
  }
  // A filter in the making: that of all homes before `next`.
  struct Filtering {
    std::atomic<bool> is_done = false;
    std::mutex guard;
    bool given_up = false;
    uint64_t next = 0;
    SeedFilter filter;
  };
  // Adds the seeds of the homes from `next` to one at which so many were added.
  void filter_on(Filtering& filtering, uint64_t entries) const;

  // The line of a home bucket, verified together with those its entries run on into.
  const uint8_t* line_of(uint64_t bucket, uint64_t& first, uint64_t& count) const;

  const CheckedFile* file_ = nullptr;
  uint64_t offset_ = 0, common_offset_ = 0, gaps_size_ = 0;
  SeedTableShape shape_;
  uint64_t places_ = 0;
  uint32_t rest_bits_ = 0;  // of an entry, without its tag
  uint64_t rest_mask_ = 0;
  uint64_t reciprocal_ = 0;  // ceil(2^64 / buckets)
  std::unique_ptr<Filtering> filtering_ = std::make_unique<Filtering>();
};

// Calls its argument with every (seed, position) in table order; must give the same on each call.
using EntrySource = std::function<void(const std::function<void(const SeedEntry&)>&)>;

// Appends the table of the source's entries, whose positions are below `positions`. Runs the source
// three times: to count, to lay out, to write. What goes behind the table is gathered in memory,
// one to three bytes a posting.
void write_seed_table(CheckedWriter& out, const EntrySource& source, uint64_t positions);

}  // namespace dedup
