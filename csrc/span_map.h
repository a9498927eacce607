// Token number -> byte span in its document, in about 4 bits a token.
//
// A token is the symbol (gap to the end of the token before it, own length), each clipped; symbols
// are coded by a canonical Huffman code of the segment's own counts, clipped values by a raw number
// behind their symbol. Every kAnchorTokens tokens an anchor tells where to start decoding.
//
//   section = u8 code lengths[128] | u64 tokens | u64 anchors | u64 bit bytes | bits, padded
//           | anchors: u64 bit offset, u64 end of the token before
//
// Gaps are counted from 0 at the first token of each document.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "bits.h"
#include "checked_file.h"

namespace dedup {

inline constexpr uint32_t kSpanSymbols = 128;

struct Span {
  uint64_t start = 0, end = 0;  // half-open byte range
};

// Calls its argument with every token in order: whether it is the first of its document, and its
// span there. Must give the same on each call.
using SpanVisitor = std::function<void(bool first, uint32_t start, uint32_t end)>;
using SpanSource = std::function<void(const SpanVisitor&)>;

// Appends the span map of the source's tokens. Runs the source twice: to count, then to write.
void write_span_map(CheckedWriter& out, const SpanSource& source);

// Spans held in memory, a byte a token.
class SpanBuffer {
 public:
  void next_document() { first_ = true; }
  void add(uint32_t start, uint32_t end);
  void replay(const SpanVisitor& visit) const;
  uint64_t memory_bytes() const { return symbols_.capacity() + clipped_.capacity() * 4; }

 private:
  std::vector<uint8_t> symbols_;
  std::vector<uint32_t> clipped_;  // the raw gap, then the raw length, of each clipped symbol
  uint32_t end_ = 0;
  bool first_ = true;
};

class SpanMap {
 public:
  SpanMap() = default;
  // Throws FormatError if the section can't be a span map.
  SpanMap(const CheckedFile& file, uint64_t offset, uint64_t size);

  uint64_t tokens() const { return tokens_; }
  // The byte span of tokens [first, last] of the document whose first token is `document`.
  Span span(uint64_t document, uint64_t first, uint64_t last) const;
  // Calls visit(start, end) for every token of the document [from, to).
  template <typename Visit>
  void each(uint64_t from, uint64_t to, Visit visit) const {
    if (from == to) return;
    Reader reader(*this, from, from);
    for (uint64_t token = from; token < to; ++token) {
      const Span span = reader.next();
      visit(static_cast<uint32_t>(span.start), static_cast<uint32_t>(span.end));
    }
  }

 private:
  // Decodes tokens in order, beginning with the anchor at or before `token`.
  class Reader {
   public:
    Reader(const SpanMap& map, uint64_t document, uint64_t token);
    Span next();

   private:
    const SpanMap& map_;
    uint64_t document_, token_, end_;
    BitReader bits_;
  };

  const CheckedFile* file_ = nullptr;
  uint64_t tokens_ = 0, anchors_ = 0, anchors_offset_ = 0, bits_offset_ = 0, bits_size_ = 0;
  // Canonical decoding: of the codes of each length, the first, and where its symbols begin.
  std::array<uint64_t, 66> first_code_{};
  std::array<uint32_t, 66> first_index_{}, count_{};
  std::array<uint8_t, kSpanSymbols> by_code_{};
};

}  // namespace dedup
