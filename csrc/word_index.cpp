#include "word_index.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <utility>

#include "error.h"
#include "hash.h"
#include "vocabulary.h"

namespace dedup {

namespace {

constexpr uint32_t kNumberBits = 64 - kWordBits;
constexpr uint64_t kNumberMask = (1ull << kNumberBits) - 1;
static_assert(WordBuffer::kMaxWords <= kNumberMask);

// The Rice parameter for `count` numbers below `range`, in order: the gaps are geometric, and .69
// of their mean is best (Gallager and van Voorhis, 1975).
uint32_t low_bits(uint64_t range, uint64_t count) {
  const uint64_t mean = range / std::max<uint64_t>(1, count);
  return static_cast<uint32_t>(std::bit_width(mean * 11 / 16 | 1)) - 1;
}

}  // namespace

WordTotals totals_of(const WordSource& source) {
  WordTotals totals;
  source([&](uint64_t word, std::span<const uint32_t> documents) {
    ++totals.words;
    const uint64_t digests[3] = {totals.digest, word,
                                 xxh3_64(documents.data(), documents.size_bytes())};
    totals.digest = xxh3_64(digests, sizeof digests);
  });
  return totals;
}

void write_words(CheckedWriter& out, const WordSource& source, const WordTotals& totals) {
  out.append(&totals.words, sizeof totals.words);
  BitWriter bits(out);
  const uint32_t low = low_bits(1ull << kWordBits, totals.words);
  uint64_t before = ~0ull;
  source([&](uint64_t word, std::span<const uint32_t>) {
    bits.put_rice(word - before - 1, low);
    before = word;
  });
  bits.finish();
}

void write_holders(CheckedWriter& out, const WordSource& source, uint64_t documents) {
  BitWriter bits(out);
  source([&](uint64_t, std::span<const uint32_t> holders) {
    const auto size = static_cast<uint32_t>(std::bit_width(holders.size())) - 1;
    bits.put_unary(size);
    bits.put(holders.size() - (1ull << size), size);
    const uint32_t low = low_bits(documents, holders.size());
    uint32_t before = ~0u;
    for (const uint32_t document : holders) {
      bits.put_rice(document - before - 1, low);
      before = document;
    }
  });
  bits.finish();
}

uint64_t WordBuffer::home_of(uint64_t word) const {
  return word * 0x9E3779B97F4A7C15 >> 32 & (slots_.size() - 1);
}

uint64_t WordBuffer::slot_of(uint64_t word) const {
  uint64_t at = home_of(word);
  while (slots_[at] != 0 && slots_[at] >> kNumberBits != word) at = (at + 1) & (slots_.size() - 1);
  return at;
}

void WordBuffer::grow() {
  const std::vector<uint64_t> before =
      std::exchange(slots_, std::vector<uint64_t>(slots_.size() * 2));
  for (const uint64_t slot : before) {
    if (slot != 0) slots_[slot_of(slot >> kNumberBits)] = slot;
  }
}

void WordBuffer::add(std::span<const uint64_t> keyed) {
  // The table is too large for the cache, and most words of a document come again: leave out most
  // of those that do, and ask for the slots of the others ahead. Without branches, for no one can
  // guess them.
  const uint64_t stamp = (ends_.size() + 1) & kNumberMask;
  if (stamp == 0) recent_.fill(0);
  fresh_.resize(keyed.size());
  size_t size = 0;
  for (const uint64_t token : keyed) {
    const uint64_t stamped = word_of(token) << kNumberBits | stamp;
    uint64_t& recent = recent_[token % kRecent];
    fresh_[size] = word_of(token);
    size += recent != stamped;
    recent = stamped;
  }
  fresh_.resize(size);
  constexpr size_t kAhead = 16;
  for (size_t i = 0; i < size; ++i) {
    if (i + kAhead < size) __builtin_prefetch(&slots_[home_of(fresh_[i + kAhead])]);
    uint64_t& slot = slots_[slot_of(fresh_[i])];
    if (slot == 0) slot = fresh_[i] << kNumberBits | ++words_;
    holdings_.push_back(static_cast<uint32_t>(slot & kNumberMask));
    if (words_ * 2 > slots_.size()) grow();
  }
  ends_.push_back(holdings_.size());
}

WordSource WordBuffer::source() const {
  struct Lists {
    std::vector<uint64_t> words;
    std::vector<uint32_t> begins, ends;  // of each word's holders, by the word's number
    std::vector<uint32_t> holders;
  };
  const auto lists = std::make_shared<Lists>();
  std::ranges::copy_if(slots_, std::back_inserter(lists->words),
                       [](uint64_t slot) { return slot != 0; });
  std::ranges::sort(lists->words);
  lists->begins.resize(words_ + 1);
  for (const uint32_t number : holdings_) ++lists->begins[number];
  uint32_t begin = 0;
  for (const uint64_t word : lists->words) {
    begin += std::exchange(lists->begins[word & kNumberMask], begin);
  }
  lists->ends = lists->begins;
  lists->holders.resize(holdings_.size());
  uint64_t at = 0;
  for (uint32_t document = 0; document < ends_.size(); ++document) {
    for (; at < ends_[document]; ++at) {
      uint32_t& end = lists->ends[holdings_[at]];
      lists->holders[end] = document;
      end += end == lists->begins[holdings_[at]] || lists->holders[end - 1] != document;
    }
  }
  return [lists](const WordVisitor& visit) {
    for (const uint64_t word : lists->words) {
      const uint64_t from = lists->begins[word & kNumberMask];
      const uint64_t size = lists->ends[word & kNumberMask] - from;
      visit(word >> kNumberBits, std::span(lists->holders).subspan(from, size));
    }
  };
}

uint64_t WordBuffer::memory_bytes() const {
  // What source() makes has as many holders, and three u64 for each word.
  return slots_.capacity() * 8 + holdings_.capacity() * 8 + ends_.capacity() * 8 + words_ * 24;
}

WordIndex::WordIndex(const CheckedFile& file, Section words, Section holders, uint64_t documents)
    : file_(&file), words_(words), holders_(holders), documents_(documents) {
  const auto refuse = [&](const char* what) {
    throw FormatError(file.path() + ": word index at byte " + std::to_string(words.offset) + ": " +
                      what + "; build the index again");
  };
  if (words_.size < sizeof(uint64_t)) refuse("too short");
  size_ = file.at<uint64_t>(words_.offset);
  words_.offset += sizeof(uint64_t);
  words_.size -= sizeof(uint64_t);
  // A word takes a bit at the least, here and there.
  if (size_ / 8 > words_.size || size_ / 8 > holders_.size) refuse("impossible sizes");
}

WordIndex::WordReader::WordReader(const WordIndex& index)
    : bits_(*index.file_, index.words_.offset, index.words_.size, "word index"),
      low_bits_(low_bits(1ull << kWordBits, index.size_)) {}

uint64_t WordIndex::WordReader::next() {
  constexpr uint64_t kLast = (1ull << kWordBits) - 1;
  if (before_ == kLast) bits_.refuse("has too many words");
  before_ += 1 + bits_.take_rice(low_bits_, kLast - (before_ + 1));
  return before_;
}

WordIndex::Cursor::Cursor(const WordIndex& index)
    : words_(index),
      holders_(*index.file_, index.holders_.offset, index.holders_.size, "word index"),
      all_documents_(index.documents_),
      left_(index.size_) {
  if (left_ != 0) read();
}

void WordIndex::Cursor::advance() {
  if (--left_ != 0) read();
}

void WordIndex::Cursor::read() {
  word_ = words_.next();
  documents_.clear();
  const uint64_t size = holders_.take_unary(31);
  const uint64_t count = (1ull << size) + holders_.take(static_cast<uint32_t>(size));
  const uint32_t low = low_bits(all_documents_, count);
  uint64_t next = 0;  // the least that the next may be
  for (uint64_t i = 0; i < count; ++i) {
    if (next >= all_documents_) holders_.refuse("names a document that is not there");
    next += holders_.take_rice(low, all_documents_ - 1 - next);
    documents_.push_back(static_cast<uint32_t>(next++));
  }
}

}  // namespace dedup
