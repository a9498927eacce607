#include "span_map.h"

#include <algorithm>
#include <bit>
#include <queue>
#include <string>
#include <tuple>

#include "bits.h"
#include "error.h"

namespace dedup {

namespace {

constexpr uint64_t kAnchorTokens = 512;
constexpr uint32_t kSymbols = kSpanSymbols;
constexpr uint32_t kLengths = 16;      // lengths 0..15 have symbols of their own
constexpr uint32_t kClippedGap = 7;    // gaps 0..6 have symbols of their own
constexpr uint8_t kFirst = 128;        // held symbols: first token of its document
constexpr uint32_t kMaxCodeBits = 56;  // one 8-byte load holds any code at any bit
constexpr uint32_t kRawSizeBits = 6;   // a raw number is its size in bits, then its bits

struct Anchor {
  uint64_t bit, end;
};

using Lengths = std::array<uint8_t, kSymbols>;

// Huffman's code lengths for the counts; ties go to the lowest symbol, so the code is a function
// of the counts. A single used symbol gets one bit.
Lengths code_lengths(const std::array<uint64_t, kSymbols>& counts) {
  struct Node {
    uint64_t count;
    uint32_t order;
    int left, right;
  };
  std::vector<Node> nodes;
  using Item = std::tuple<uint64_t, uint32_t, int>;
  std::priority_queue<Item, std::vector<Item>, std::greater<>> queue;
  for (uint32_t symbol = 0; symbol < kSymbols; ++symbol) {
    nodes.push_back({counts[symbol], symbol, -1, -1});
    if (counts[symbol]) queue.emplace(counts[symbol], symbol, static_cast<int>(symbol));
  }
  Lengths lengths{};
  if (queue.size() == 1) lengths[static_cast<size_t>(std::get<2>(queue.top()))] = 1;
  if (queue.size() < 2) return lengths;
  while (queue.size() > 1) {
    const auto [a_count, a_order, a] = queue.top();
    queue.pop();
    const auto [b_count, b_order, b] = queue.top();
    queue.pop();
    const auto order = static_cast<uint32_t>(nodes.size());
    nodes.push_back({a_count + b_count, order, a, b});
    queue.emplace(a_count + b_count, order, static_cast<int>(order));
  }
  std::vector<std::pair<int, uint8_t>> open{{static_cast<int>(nodes.size()) - 1, 0}};
  while (!open.empty()) {
    const auto [index, depth] = open.back();
    open.pop_back();
    const Node& node = nodes[static_cast<size_t>(index)];
    if (node.left < 0) {
      lengths[static_cast<size_t>(index)] = depth;
    } else {
      open.emplace_back(node.left, static_cast<uint8_t>(depth + 1));
      open.emplace_back(node.right, static_cast<uint8_t>(depth + 1));
    }
  }
  return lengths;
}

// Symbols by (length, symbol), the order in which canonical codes count up.
std::vector<uint8_t> canonical_order(const Lengths& lengths) {
  std::vector<uint8_t> order;
  for (uint32_t bits = 1; bits < 64; ++bits) {
    for (uint32_t symbol = 0; symbol < kSymbols; ++symbol) {
      if (lengths[symbol] == bits) order.push_back(static_cast<uint8_t>(symbol));
    }
  }
  return order;
}

// A raw number behind a clipped symbol.
void put_raw(BitWriter& out, uint32_t value) {
  const auto size = static_cast<uint32_t>(std::bit_width(value));
  out.put(size, kRawSizeBits);
  out.put(value, size);
}

uint64_t raw_bits(uint32_t value) {
  return kRawSizeBits + static_cast<uint64_t>(std::bit_width(value));
}

// A token as a symbol: its gap and length, or kClipped if either has none of its own.
constexpr uint8_t kClipped = kClippedGap * kLengths;

uint8_t symbol_of(uint32_t gap, uint32_t length) {
  if (gap >= kClippedGap || length >= kLengths) return kClipped;
  return static_cast<uint8_t>(gap * kLengths + length);
}

}  // namespace

void SpanBuffer::add(uint32_t start, uint32_t end) {
  const uint32_t gap = start - (first_ ? 0 : end_);
  uint8_t symbol = symbol_of(gap, end - start);
  if (symbol == kClipped) {
    clipped_.push_back(gap);
    clipped_.push_back(end - start);
  }
  if (first_) symbol |= kFirst;
  symbols_.push_back(symbol);
  end_ = end;
  first_ = false;
}

void SpanBuffer::replay(const SpanVisitor& visit) const {
  size_t next_clipped = 0;
  uint32_t end = 0;
  for (const uint8_t held : symbols_) {
    const bool first = (held & kFirst) != 0;
    const uint8_t symbol = held & (kFirst - 1);
    uint32_t gap = symbol / kLengths, length = symbol % kLengths;
    if (symbol == kClipped) {
      gap = clipped_[next_clipped++];
      length = clipped_[next_clipped++];
    }
    const uint32_t start = (first ? 0 : end) + gap;
    end = start + length;
    visit(first, start, end);
  }
}

void write_span_map(CheckedWriter& out, const SpanSource& source) {
  const auto symbols = [&](const auto& visit) {
    uint32_t previous = 0;
    source([&](bool first, uint32_t start, uint32_t end) {
      const uint32_t before = first ? 0 : previous;
      visit(before, start - before, end - start);
      previous = end;
    });
  };
  std::array<uint64_t, kSymbols> counts{};
  uint64_t tokens = 0, bits = 0;
  symbols([&](uint32_t, uint32_t gap, uint32_t length) {
    const uint8_t symbol = symbol_of(gap, length);
    ++counts[symbol];
    if (symbol == kClipped) bits += raw_bits(gap) + raw_bits(length);
  });
  const Lengths lengths = code_lengths(counts);
  std::array<uint64_t, kSymbols> codes{};  // first bit of the code in bit 0
  uint64_t code = 0;
  uint32_t previous_size = 0;
  for (const uint8_t symbol : canonical_order(lengths)) {
    const uint32_t size = lengths[symbol];
    if (size > kMaxCodeBits) throw ArgumentError("span map: a code is over 56 bits");
    if (previous_size) code = (code + 1) << (size - previous_size);
    previous_size = size;
    for (uint32_t i = 0; i < size; ++i) codes[symbol] |= ((code >> (size - 1 - i)) & 1) << i;
    tokens += counts[symbol];
    bits += counts[symbol] * size;
  }

  const uint64_t sizes[3] = {tokens, (tokens + kAnchorTokens - 1) / kAnchorTokens,
                             BitWriter::bytes(bits)};
  out.append(lengths.data(), lengths.size());
  out.append(sizes, sizeof sizes);
  BitWriter writer(out);
  std::vector<Anchor> anchors;
  uint64_t token = 0;
  symbols([&](uint32_t before, uint32_t gap, uint32_t length) {
    if (token++ % kAnchorTokens == 0) anchors.push_back({writer.size(), before});
    const uint8_t symbol = symbol_of(gap, length);
    writer.put(codes[symbol], lengths[symbol]);
    if (symbol == kClipped) {
      put_raw(writer, gap);
      put_raw(writer, length);
    }
  });
  writer.finish();
  out.append_values(anchors);
}

SpanMap::SpanMap(const CheckedFile& file, uint64_t offset, uint64_t size) : file_(&file) {
  const auto refuse = [&](const char* what) {
    throw FormatError(file.path() + ": span map at byte " + std::to_string(offset) + ": " + what +
                      "; build the index again");
  };
  constexpr uint64_t kHeader = kSymbols + 3 * sizeof(uint64_t);
  if (size < kHeader) refuse("too short");
  Scratch scratch;
  const uint8_t* header = file.view(offset, kHeader, scratch);
  Lengths lengths;
  std::copy_n(header, kSymbols, lengths.begin());
  tokens_ = load<uint64_t>(header + kSymbols);
  anchors_ = load<uint64_t>(header + kSymbols + 8);
  bits_size_ = load<uint64_t>(header + kSymbols + 16);
  if (anchors_ > (size - kHeader) / sizeof(Anchor) ||
      anchors_ * sizeof(Anchor) + bits_size_ != size - kHeader ||
      bits_size_ < BitWriter::kPadding ||
      anchors_ != (tokens_ + kAnchorTokens - 1) / kAnchorTokens) {
    refuse("impossible sizes");
  }
  bits_offset_ = offset + kHeader;
  anchors_offset_ = bits_offset_ + bits_size_;
  const auto order = canonical_order(lengths);
  uint64_t code = 0;
  uint32_t previous_bits = 0;
  for (uint32_t i = 0; i < order.size(); ++i) {
    const uint32_t bits = lengths[order[i]];
    if (bits > kMaxCodeBits) refuse("impossible code lengths");
    if (previous_bits) code = (code + 1) << (bits - previous_bits);
    if (bits != previous_bits) {
      first_code_[bits] = code;
      first_index_[bits] = i;
    }
    previous_bits = bits;
    ++count_[bits];
    by_code_[i] = order[i];
  }
}

SpanMap::Reader::Reader(const SpanMap& map, uint64_t document, uint64_t token)
    : map_(map),
      document_(document),
      bits_(*map.file_, map.bits_offset_, map.bits_size_, "span map") {
  const uint64_t index = token / kAnchorTokens;
  const auto anchor = map.file_->at<Anchor>(map.anchors_offset_ + index * sizeof(Anchor));
  token_ = index * kAnchorTokens;
  bits_.seek(anchor.bit);
  end_ = anchor.end;
  while (token_ < token) next();
}

Span SpanMap::Reader::next() {
  uint64_t word = bits_.peek();
  uint64_t code = 0;
  uint32_t symbol = kSymbols;
  for (uint32_t bits = 1; bits <= kMaxCodeBits; ++bits, word >>= 1) {
    code = code << 1 | (word & 1);
    const uint64_t place = code - map_.first_code_[bits];
    if (map_.count_[bits] && code >= map_.first_code_[bits] && place < map_.count_[bits]) {
      symbol = map_.by_code_[map_.first_index_[bits] + place];
      bits_.skip(bits);
      break;
    }
  }
  if (symbol == kSymbols) bits_.refuse("holds no code");
  uint64_t gap = symbol / kLengths, length = symbol % kLengths;
  if (symbol == kClipped) {
    gap = bits_.take(static_cast<uint32_t>(bits_.take(kRawSizeBits)));
    length = bits_.take(static_cast<uint32_t>(bits_.take(kRawSizeBits)));
  }
  if (token_ == document_) end_ = 0;
  ++token_;
  const uint64_t start = end_ + gap;
  end_ = start + length;
  return {start, end_};
}

Span SpanMap::span(uint64_t document, uint64_t first, uint64_t last) const {
  Reader reader(*this, document, first);
  const uint64_t start = reader.next().start;
  Reader ending(*this, document, last);
  return {start, ending.next().end};
}

}  // namespace dedup
