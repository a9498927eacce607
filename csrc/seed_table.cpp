#include "seed_table.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "error.h"

namespace dedup {

namespace {

constexpr uint64_t kSlotBits = 60 * 8;
constexpr uint32_t kTagBits = 8;
constexpr uint64_t kSeeds = 1ull << kSeedBits;
// Fuller tables are smaller and run over into the next bucket more often: on 688,000 words of books
// .94 makes 2.86 bytes a token and 1.86 lines a home, .90 makes 2.92 bytes, .98 2.80.
constexpr double kLoad = 0.94;

// The smallest seed whose home is `bucket`.
uint64_t first_seed(uint64_t bucket, uint64_t buckets) {
  return static_cast<uint64_t>(
      ((static_cast<unsigned __int128>(bucket) << kSeedBits) + buckets - 1) / buckets);
}

// Bit i is set where tag i is one of the two; 16 tags, of which the caller wants the first few.
uint32_t equal_tags(const uint8_t* tags, uint8_t one, uint8_t other) {
#if defined(__SSE2__)
  const __m128i all = _mm_loadu_si128(reinterpret_cast<const __m128i*>(tags));
  const __m128i equal = _mm_or_si128(_mm_cmpeq_epi8(all, _mm_set1_epi8(static_cast<char>(one))),
                                     _mm_cmpeq_epi8(all, _mm_set1_epi8(static_cast<char>(other))));
  return static_cast<uint32_t>(_mm_movemask_epi8(equal));
#else
  uint32_t equal = 0;
  for (uint32_t i = 0; i < 16; ++i) equal |= uint32_t{tags[i] == one || tags[i] == other} << i;
  return equal;
#endif
}

SeedTableShape shape_for(uint64_t entries, uint64_t positions) {
  SeedTableShape shape;
  shape.entries = entries;
  shape.positions = positions;
  // The width depends on the number of buckets, which depends on the capacity, hence on the width:
  // start narrow and widen until it fits.
  for (uint32_t capacity = 15; capacity > 0; --capacity) {
    const auto buckets = static_cast<uint64_t>(static_cast<double>(entries) / (capacity * kLoad));
    shape.buckets = buckets + 1;
    const uint64_t range = kSeeds / shape.buckets + 1;
    const auto largest = static_cast<unsigned __int128>(range) * (positions + 1);
    if (largest >> 57 != 0) continue;  // entries are read with one 8-byte load at any bit
    shape.width = std::max(static_cast<uint32_t>(std::bit_width(static_cast<uint64_t>(largest))),
                           kTagBits + 1);
    shape.capacity = static_cast<uint32_t>(kSlotBits / shape.width);
    if (shape.capacity >= capacity) {
      shape.capacity = capacity;
      return shape;
    }
  }
  throw ArgumentError("seed table: " + std::to_string(positions) + " positions are too many");
}

// Applies the cap on postings to an ordered run of entries: passes on each seed's positions, or
// the first few and the stop mark, and what the cap holds back.
class PostingsCap {
 public:
  using Sink = std::function<void(const SeedEntry&)>;
  PostingsCap(uint64_t stop, const Sink& emit, const Sink& beyond)
      : stop_(static_cast<uint32_t>(stop)), emit_(emit), beyond_(beyond) {}

  void add(const SeedEntry& entry) {
    if (entry.seed != seed_) flush();
    seed_ = entry.seed;
    if (!stopped_ && size_ < kMaxPostings) {
      held_[size_++] = entry.position;
      return;
    }
    if (!stopped_) {
      stopped_ = true;
      for (uint32_t i = kKeptPostings; i < kMaxPostings; ++i) beyond_({seed_, held_[i]});
    }
    beyond_(entry);
  }

  void flush() {
    const uint32_t kept = stopped_ ? kKeptPostings : size_;
    for (uint32_t i = 0; i < kept; ++i) emit_({seed_, held_[i]});
    if (stopped_) emit_({seed_, stop_});
    size_ = 0;
    stopped_ = false;
  }

 private:
  const uint32_t stop_;
  const Sink& emit_;
  const Sink& beyond_;
  Seed seed_ = 0;
  uint32_t held_[kMaxPostings];
  uint32_t size_ = 0;
  bool stopped_ = false;
};

// Lays entries out in buckets and writes each bucket once nothing can reach it any more.
class BucketWriter {
 public:
  BucketWriter(CheckedWriter& out, const SeedTableShape& shape) : out_(out), shape_(shape) {}

  void add(const SeedEntry& entry) {
    const auto home = static_cast<uint64_t>(
        (static_cast<unsigned __int128>(entry.seed) * shape_.buckets) >> kSeedBits);
    if (!started_ || home != home_) open_home(home);
    const uint64_t value = (entry.seed - home_first_) * (shape_.positions + 1) + entry.position;
    put(next_slot_++, value);
    if (++count_ > 0xFFFF) throw ArgumentError("seed table: over 65535 entries in one bucket");
  }

  uint64_t finish() {
    close_home();
    while (written_ < shape_.buckets || !pending_.empty()) write_bucket();
    return written_;
  }

 private:
  struct Bucket {
    uint16_t first = 0, count = 0;
    uint8_t bits[60] = {};
  };
  static_assert(sizeof(Bucket) == 64);

  Bucket& bucket(uint64_t index) {
    while (written_ + pending_.size() <= index) pending_.emplace_back();
    return pending_[index - written_];
  }

  void open_home(uint64_t home) {
    close_home();
    started_ = true;
    home_ = home;
    home_first_ = first_seed(home, shape_.buckets);
    next_slot_ = std::max(next_slot_, home * shape_.capacity);
    first_slot_ = next_slot_;
    count_ = 0;
    while (written_ < next_slot_ / shape_.capacity && written_ < home) write_bucket();
  }

  void close_home() {
    if (!started_) return;
    const uint64_t first = first_slot_ - home_ * shape_.capacity;
    if (first > 0xFFFF) throw ArgumentError("seed table: over 65535 slots of overflow");
    bucket(home_).first = static_cast<uint16_t>(first);
    bucket(home_).count = static_cast<uint16_t>(count_);
  }

  void put(uint64_t slot, uint64_t value) {
    Bucket& into = bucket(slot / shape_.capacity);
    const uint64_t place = slot % shape_.capacity;
    const uint32_t rest_bits = shape_.width - kTagBits;
    into.bits[place] = static_cast<uint8_t>(value >> rest_bits);
    uint64_t bit = shape_.capacity * 8 + place * rest_bits;
    for (uint32_t left = rest_bits; left > 0;) {
      const auto room = static_cast<uint32_t>(8 - bit % 8);
      const uint32_t part = std::min(room, left);
      into.bits[bit / 8] |= static_cast<uint8_t>((value & ((1u << part) - 1)) << (bit % 8));
      value >>= part;
      bit += part;
      left -= part;
    }
  }

  void write_bucket() {
    if (pending_.empty()) pending_.emplace_back();
    const auto* bytes = reinterpret_cast<const uint8_t*>(&pending_.front());
    const size_t clear = sizeof(Bucket) - sizeof(Bucket::bits) + shape_.capacity;
    out_.append_plain(bytes, clear);
    out_.append(bytes + clear, sizeof(Bucket) - clear);
    pending_.erase(pending_.begin());
    ++written_;
  }

  CheckedWriter& out_;
  const SeedTableShape shape_;
  std::vector<Bucket> pending_;  // a handful: the home being filled and its overflow
  uint64_t written_ = 0;
  bool started_ = false;
  uint64_t home_ = 0, home_first_ = 0, next_slot_ = 0, first_slot_ = 0, count_ = 0;
};

}  // namespace

void write_seed_table(CheckedWriter& out, const EntrySource& source, uint64_t positions) {
  const auto capped = [&](const PostingsCap::Sink& emit, const PostingsCap::Sink& beyond) {
    PostingsCap cap(positions, emit, beyond);
    source([&](const SeedEntry& entry) { cap.add(entry); });
    cap.flush();
  };
  const auto ignore = [](const SeedEntry&) {};
  uint64_t entries = 0, common = 0;
  capped(
      [&](const SeedEntry& entry) {
        ++entries;
        common += entry.position == positions;
      },
      ignore);
  SeedTableShape shape = shape_for(entries, positions);
  shape.common = common;

  // The overflow of the last buckets is known once they are laid out; a dry pass would cost a
  // third run of the source, so the header says what the layout rule gives: count it here.
  uint64_t next_slot = 0;
  capped(
      [&](const SeedEntry& entry) {
        const auto home = static_cast<uint64_t>(
            (static_cast<unsigned __int128>(entry.seed) * shape.buckets) >> kSeedBits);
        next_slot = std::max(next_slot, home * shape.capacity) + 1;
      },
      ignore);
  shape.total_buckets = std::max(shape.buckets, (next_slot + shape.capacity - 1) / shape.capacity);
  out.append(&shape, sizeof shape);

  BucketWriter writer(out, shape);
  std::vector<CommonSeed> seeds;
  std::vector<uint8_t> gaps;
  uint32_t before = 0;
  capped([&](const SeedEntry& entry) { writer.add(entry); },
         [&](const SeedEntry& entry) {
           if (seeds.empty() || seeds.back().seed != entry.seed) {
             seeds.push_back({entry.seed, 0});
             before = 0;
           }
           uint32_t gap = entry.position - before;
           for (; gap >= 0x80; gap >>= 7) gaps.push_back(static_cast<uint8_t>(gap | 0x80));
           gaps.push_back(static_cast<uint8_t>(gap));
           before = entry.position;
           seeds.back().end = gaps.size();
         });
  writer.finish();
  out.append_values(seeds);
  out.append_values(gaps);
}

SeedTable::SeedTable(const CheckedFile& file, uint64_t offset, uint64_t size) : file_(&file) {
  const auto refuse = [&](const std::string& what) {
    throw FormatError(file.path() + ": seed table at byte " + std::to_string(offset) + ": " + what +
                      "; build the index again");
  };
  if (size < sizeof(SeedTableShape)) refuse("too short");
  shape_ = file.at<SeedTableShape>(offset);
  offset_ = offset + sizeof(SeedTableShape);
  const uint64_t room = size - sizeof(SeedTableShape);
  const bool sane =
      shape_.buckets > 0 && shape_.buckets <= shape_.total_buckets &&
      shape_.total_buckets <= room / kBucketBytes &&
      shape_.common <= (room - shape_.total_buckets * kBucketBytes) / sizeof(CommonSeed) &&
      shape_.width > kTagBits && shape_.width <= 57 && shape_.capacity > 0 &&
      shape_.capacity <= 16 && shape_.capacity * shape_.width <= kSlotBits &&
      shape_.positions < 0xFFFFFFFF && shape_.buckets <= kSeeds;
  if (!sane) refuse("impossible shape");
  common_offset_ = offset_ + shape_.total_buckets * kBucketBytes;
  gaps_size_ = room - shape_.total_buckets * kBucketBytes - shape_.common * sizeof(CommonSeed);
  places_ = shape_.positions + 1;
  rest_bits_ = shape_.width - kTagBits;
  rest_mask_ = (1ull << rest_bits_) - 1;
  reciprocal_ = ~0ull / shape_.buckets + 1;
}

const uint8_t* SeedTable::line_of(uint64_t bucket, uint64_t& first, uint64_t& count) const {
  const uint8_t* line = file_->raw(offset_ + bucket * kBucketBytes, kBucketBytes);
  first = load<uint16_t>(line);
  count = load<uint16_t>(line + 2);
  if (first + count > shape_.capacity) {
    const uint64_t lines = (first + count + shape_.capacity - 1) / shape_.capacity;
    if (bucket + lines > shape_.total_buckets) {
      throw FormatError(file_->path() + ": seed table: bucket " + std::to_string(bucket) +
                        " runs past the end; build the index again");
    }
    file_->raw(offset_ + bucket * kBucketBytes, lines * kBucketBytes);
  }
  return line;
}

void SeedTable::find(Seed seed, Postings& found) const {
  found.size = 0;
  found.stopped = false;
  const auto product = static_cast<unsigned __int128>(seed) * shape_.buckets;
  const auto bucket = static_cast<uint64_t>(product >> kSeedBits);
  uint64_t first, count;
  const uint8_t* line = line_of(bucket, first, count);
  if (count == 0) return;
  // The seeds of a home are the multiples of `buckets` at or over home * 2^34, so the place of a
  // seed among them is the product's low part divided by `buckets`, rounded down.
  const uint64_t low = static_cast<uint64_t>(product) & (kSeeds - 1);
  const uint64_t rank =
      shape_.buckets == 1
          ? low
          : static_cast<uint64_t>((static_cast<unsigned __int128>(low) * reciprocal_) >> 64);
  const uint64_t from = rank * places_;
  const auto low_tag = static_cast<uint8_t>(from >> rest_bits_);
  const auto high_tag = static_cast<uint8_t>((from + places_ - 1) >> rest_bits_);
  uint64_t line_offset = offset_ + bucket * kBucketBytes;
  for (; first >= shape_.capacity; first -= shape_.capacity) {
    line += kBucketBytes;  // slots that earlier homes filled
    line_offset += kBucketBytes;
  }
  const Cipher& cipher = file_->cipher();
  while (count > 0) {
    const uint64_t here = std::min<uint64_t>(count, shape_.capacity - first);
    uint32_t equal = equal_tags(line + kHeaderBytes, low_tag, high_tag) >> first;
    for (equal &= (1u << here) - 1; equal != 0; equal &= equal - 1) {
      const uint64_t slot = first + static_cast<uint64_t>(std::countr_zero(equal));
      uint64_t shift;
      const uint64_t byte = byte_of(slot, shift);
      const uint64_t stream = cipher.is_on() ? cipher.keystream_at(line_offset + byte) : 0;
      const uint64_t position = entry_at(line, slot, stream) - from;
      if (position >= places_) continue;
      if (position == shape_.positions) {
        found.stopped = true;
      } else if (found.size < kMaxPostings) {
        found.positions[found.size++] = static_cast<uint32_t>(position);
      }
    }
    count -= here;
    first = 0;
    line += kBucketBytes;
    line_offset += kBucketBytes;
  }
}

void SeedTable::work_on_filter(uint64_t entries) const {
  const std::unique_lock lock(filtering_->guard, std::try_to_lock);
  if (!lock.owns_lock() || filtering_->given_up || filter()) return;
  try {
    if (filtering_->next == 0) filtering_->filter = SeedFilter(shape_.entries);
    filter_on(*filtering_, entries);
  } catch (const FormatError&) {
    filtering_->given_up = true;
    filtering_->filter = SeedFilter();
  }
}

void SeedTable::filter_on(Filtering& filtering, uint64_t entries) const {
  const uint64_t clear = kHeaderBytes + shape_.capacity;
  uint64_t line_number = ~0ull;
  uint8_t line[kBucketBytes];  // in the clear
  uint64_t& home = filtering.next;
  for (uint64_t added = 0; added < entries && home < shape_.buckets; ++home) {
    uint64_t slot, count;
    line_of(home, slot, count);
    slot += home * shape_.capacity;
    const Seed first = first_seed(home, shape_.buckets);
    for (const uint64_t end = slot + count; slot < end; ++slot) {
      if (slot / shape_.capacity != line_number) {
        line_number = slot / shape_.capacity;
        const uint64_t offset = offset_ + line_number * kBucketBytes;
        std::memcpy(line, file_->raw(offset, kBucketBytes), kBucketBytes);
        file_->cipher().apply(offset + clear, line + clear, kBucketBytes - clear);
      }
      filtering.filter.add(first + entry_at(line, slot % shape_.capacity, 0) / places_);
    }
    added += count + 1;
  }
  if (home == shape_.buckets) filtering.is_done.store(true, std::memory_order_release);
}

void SeedTable::each_beyond(Seed seed, uint32_t after,
                            const std::function<bool(uint32_t)>& visit) const {
  uint64_t low = 0, high = shape_.common;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (common_at(middle).seed < seed) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == shape_.common) return;
  const CommonSeed found = common_at(low);
  if (found.seed != seed) return;
  const uint64_t from = low == 0 ? 0 : common_at(low - 1).end;
  const auto refuse = [&]() {
    throw FormatError(file_->path() + ": seed table: the postings of a common seed lie outside it" +
                      "; build the index again");
  };
  if (from > found.end || found.end > gaps_size_) refuse();
  const uint64_t base = common_offset_ + shape_.common * sizeof(CommonSeed);
  Scratch part;
  constexpr uint64_t kPart = 256;
  uint64_t position = 0;
  uint32_t shift = 0;
  uint64_t gap = 0;
  for (uint64_t at = from; at < found.end; at += kPart) {
    const uint64_t size = std::min(kPart, found.end - at);
    const uint8_t* bytes = file_->view(base + at, size, part);
    for (uint64_t i = 0; i < size; ++i) {
      gap |= uint64_t{bytes[i] & 0x7Fu} << shift;
      shift += 7;
      if (bytes[i] >= 0x80) {
        if (shift >= 35) refuse();
        continue;
      }
      position += gap;
      gap = shift = 0;
      if (position <= after || position >= shape_.positions) refuse();
      if (!visit(static_cast<uint32_t>(position))) return;
    }
  }
}

void SeedTable::Cursor::advance() {
  if (!beyond_.empty()) {
    entry_.position = beyond_.back();
    beyond_.pop_back();
    return;
  }
  const SeedTable& table = *table_;
  const uint64_t capacity = table.shape_.capacity;
  const uint32_t before = entry_.position;
  while (left_ == 0) {
    if (++bucket_ >= table.shape_.buckets) {
      done_ = true;
      return;
    }
    table.line_of(bucket_, slot_, left_);
    if (left_ == 0) continue;
    const uint64_t size = (slot_ + left_ + capacity - 1) / capacity * kBucketBytes;
    const uint64_t offset = table.offset_ + bucket_ * kBucketBytes;
    const uint8_t* lines = table.file_->raw(offset, size);
    lines_.assign(lines, lines + size);
    for (uint64_t line = 0; line < size; line += kBucketBytes) {
      const uint64_t clear = line + kHeaderBytes + capacity;
      table.file_->cipher().apply(offset + clear, lines_.data() + clear,
                                  kBucketBytes - kHeaderBytes - capacity);
    }
  }
  const uint64_t value =
      table.entry_at(lines_.data() + slot_ / capacity * kBucketBytes, slot_ % capacity, 0);
  ++slot_;
  --left_;
  const Seed seed = first_seed(bucket_, table.shape_.buckets) + value / table.places_;
  const auto position = static_cast<uint32_t>(value % table.places_);
  if (position != table.shape_.positions) {
    entry_ = {seed, position};
    return;
  }
  // A stop mark: the postings behind the table take its place.
  table.each_beyond(seed, before, [&](uint32_t next) {
    beyond_.push_back(next);
    return true;
  });
  std::ranges::reverse(beyond_);
  advance();
}

}  // namespace dedup
