// Segments: the immutable files of an index.
//
//   body = Header | SectionRecord[sections] | sections, each aligned to 64 bytes
//
//   documents     DocumentRecord[documents], in order of adding
//   string ends   u64[strings + 1], then the strings' bytes: ids, corpora, licences, owners, urls,
//                 languages, names of units, each once, in order of first use; string 0 is empty
//   id index      IdRecord[documents], by hash of the id: finds a document without loading them all
//   units         UnitRecord[units]: the functions, methods and classes of each document
//   lines         the length of each line of each document of code, newline included: 7 bits a
//   byte,
//                 low ones first, bit 7 set if more follow
//
// and of each view (sequence.h), in which a document without code has no tokens but words:
//
//   counts        u64[256]: how many tokens have each fingerprint; a token's idf, in 2 KiB
//   seeds         the seed table (seed_table.h)
//   fingerprints  u8[tokens]: the top byte of each keyed token, in order
//   raws          u8[tokens], not of words: the top byte of what stands there letter by letter
//   spans         token -> byte span (span_map.h)
//
// No protected text, and no token that could be read without the key, is in the file. A segment is
// a function of its documents, scheme and key; merging segments gives the bytes that adding their
// documents at once would have given. checked_file.h guards every byte. Reading is thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "checked_file.h"
#include "hash.h"
#include "scheme.h"
#include "seed_table.h"
#include "seeds.h"
#include "sequence.h"
#include "span_map.h"
#include "tokenize.h"

namespace dedup {

// Documents of a segment that are gone: bit d of word d/64.
using Tombstones = std::vector<uint64_t>;

inline bool is_dead(const Tombstones& dead, uint32_t document) {
  return document / 64 < dead.size() && (dead[document / 64] >> (document % 64) & 1) != 0;
}

struct DocumentInfo {
  std::string id, corpus, licence, owner, url, language;
};

// A function, method or class of a document.
struct UnitInfo {
  std::string name;
  uint32_t start = 0, end = 0;             // bytes
  uint32_t first_line = 0, last_line = 0;  // from 1
  TokenRange tokens{};                     // of the `ast` view, from the document's first
};

struct UnitRecord {
  uint32_t start = 0, end = 0, first_line = 0, last_line = 0;
  TokenRange tokens{};
  uint32_t name = 0, reserved = 0;
};
static_assert(sizeof(UnitRecord) == 32);

struct DocumentRecord {
  TokenRange views[kViews] = {};
  uint32_t first_unit = 0, units = 0;
  uint64_t first_line_byte = 0;  // of its line lengths
  uint64_t text_bytes = 0;
  // Siphash of the text's XXH3 under the key: tells a change, not a text.
  uint64_t content_hash = 0;
  uint32_t lines = 0;  // 0 unless it is code
  uint32_t id = 0, corpus = 0, licence = 0, owner = 0, url = 0, language = 0;  // strings
  uint32_t reserved = 0;
};
static_assert(sizeof(DocumentRecord) == 88);

// What is known of the code of a text, beside its words.
struct CodeInfo {
  Lexemes code;  // of the `code` view
  Lexemes ast;   // of the `ast` view
  std::vector<UnitInfo> units;
};

struct SegmentSummary {
  std::string name;  // of the file, from its content
  uint64_t bytes = 0, documents = 0, tokens = 0, seeds = 0;
};

struct CorpusCount {
  uint64_t documents = 0, tokens = 0;
};

// One view of a segment.
class SegmentView {
 public:
  const Scheme& scheme() const { return scheme_; }
  uint64_t tokens() const { return tokens_; }
  const SeedTable& seeds() const { return seeds_; }
  const SpanMap& spans() const { return spans_; }
  // Fingerprints of tokens [first, first + count), verified.
  const uint8_t* fingerprints(uint64_t first, uint64_t count) const {
    return file_->at(fingerprints_offset_ + first, count);
  }
  const uint8_t* raws(uint64_t first, uint64_t count) const {
    return file_->at(raws_offset_ + first, count);
  }
  const std::array<uint64_t, 256>& counts() const { return counts_; }

 private:
  friend class SegmentFile;
  const CheckedFile* file_ = nullptr;
  Scheme scheme_;
  uint64_t tokens_ = 0, fingerprints_offset_ = 0, raws_offset_ = 0;
  std::array<uint64_t, 256> counts_{};
  SeedTable seeds_;
  SpanMap spans_;
};

class Segment {
 public:
  // Throws IoError, FormatError.
  explicit Segment(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const CheckedFile& file() const { return file_; }
  const SegmentView& view(uint32_t number) const { return views_[number]; }
  uint64_t key_id() const { return header_.key_id; }
  // Of the text view: words.
  uint64_t tokens() const { return views_[kTextView].tokens(); }
  uint32_t documents() const { return static_cast<uint32_t>(header_.documents); }
  SegmentSummary summary() const;
  // How many living documents and tokens each corpus has here.
  std::map<std::string, CorpusCount> corpora(const Tombstones& dead) const;
  void verify() const { file_.verify_all(); }

  DocumentRecord document(uint32_t index) const;
  DocumentInfo info(uint32_t index) const;
  std::string_view string(uint32_t index) const;
  // The document that holds this token of a view.
  uint32_t document_of(uint32_t view, uint32_t token) const;
  UnitRecord unit(const DocumentRecord& document, uint32_t number) const;
  // The unit that a byte span of a document is nearest to being: that with the largest share of
  // both in common. Empty if there is none.
  std::optional<UnitRecord> unit_at(const DocumentRecord& document, Span span) const;
  // The lines on which a byte span begins and ends, from 1; zeros for a document without lines.
  std::pair<uint32_t, uint32_t> lines_at(const DocumentRecord& document, Span span) const;
  // The bytes that hold its line lengths.
  std::pair<const uint8_t*, const uint8_t*> line_bytes(const DocumentRecord& document) const;
  // Every document that bears this id; all but the last were replaced before the segment was
  // written.
  std::vector<uint32_t> find_id(std::string_view id) const;

 private:
  struct Header {
    char magic[8];
    uint32_t version;
    uint32_t sections;
    uint64_t key_id;
    uint64_t documents, text_bytes, strings, units;
    uint64_t tokens[kViews];
    Scheme schemes[kViews];
  };
  static_assert(sizeof(Header) == 272);
  friend class SegmentFile;

  CheckedFile file_;
  Header header_{};
  uint64_t documents_offset_ = 0, string_ends_offset_ = 0, string_bytes_ = 0, id_index_offset_ = 0;
  uint64_t units_offset_ = 0, lines_offset_ = 0, lines_size_ = 0;
  std::array<SegmentView, kViews> views_;
};

using Schemes = std::array<Scheme, kViews>;

// Collects documents in memory and writes them as one segment. Not thread-safe.
class SegmentWriter {
 public:
  SegmentWriter(const Schemes& schemes, TokenKey key);

  // `code` is that of a text that is, or holds, code. Throws ArgumentError on invalid UTF-8 or when
  // the segment is full. Returns the words added.
  uint64_t add(const DocumentInfo& info, std::string_view text, const CodeInfo* code = nullptr);
  // What add() will store to tell a changed document from the same one.
  uint64_t content_hash(std::string_view text) const;
  uint64_t tokens() const { return views_[kTextView].fingerprints.size(); }
  uint64_t documents() const { return records_.size(); }
  uint64_t memory_bytes() const;
  // Writes the segment into the folder under the name of its content, durably. Call it last.
  SegmentSummary write(const std::string& folder);

 private:
  struct ViewBuffer {
    std::vector<uint8_t> fingerprints, raws;
    std::vector<SeedEntry> entries;
    SpanBuffer spans;
  };

  uint32_t intern(const std::string& text);
  // Appends a document's sequence to a view.
  TokenRange add_view(uint32_t view, const std::vector<uint32_t>& starts,
                      const std::vector<uint32_t>& ends, std::span<const TokenRange> units);
  void add_lines(std::string_view text, DocumentRecord& record);

  const Schemes schemes_;
  const TokenKey key_;
  std::vector<WindowMinima> minima_;
  Tokens tokens_;
  Sequence sequence_;
  std::vector<DocumentRecord> records_;
  std::vector<UnitRecord> units_;
  std::vector<uint8_t> lines_;
  std::vector<std::string> strings_;
  std::unordered_map<std::string, uint32_t> string_numbers_;
  std::array<ViewBuffer, kViews> views_;
};

// Writes the living documents of the segments, in order, as one segment. Memory does not grow with
// the segments beyond their document records and the span symbols (1 byte a token).
SegmentSummary merge_segments(const std::vector<std::shared_ptr<const Segment>>& segments,
                              const std::vector<Tombstones>& dead, const std::string& folder);

}  // namespace dedup
