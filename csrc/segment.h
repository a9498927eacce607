// Segments: the immutable files of an index.
//
//   body = Prefix | sections, each aligned to 64 bytes | SectionRecord[sections] | Header
//
//   documents     DocumentRecord[documents], in order of adding
//   string ends   u64[strings + 1], then the strings' bytes: ids, corpora, licences, owners, urls,
//                 languages, names of units, each once, in order of first use; string 0 is empty
//   id index      IdRecord[documents], by hash of the id: finds a document without loading them all
//   expiries      ExpiryRecord[], of the documents that expire, by day
//   units         UnitRecord[units]: the functions, methods and classes of each document
//   lines         the length of each line of each document of code, newline included: 7 bits a
//                 byte, low ones first, bit 7 set if more follow
//   words,        which words of the text view there are, and in which documents (word_index.h);
//   holders       not in segments of format 3, of whose documents no words are known
//
// and of each view (sequence.h), in which a document without code has no tokens but words:
//
//   counts        u64[256]: how many tokens have each fingerprint; a token's idf, in 2 KiB
//   seeds         the seed table (seed_table.h)
//   fingerprints  u8[tokens]: the top byte of each keyed token, in order
//   raws          u8[tokens], not of words: the top byte of what stands there letter by letter
//   spans         token -> byte span (span_map.h)
//
// No protected text is in the file. Under a key, all but the prefix and what seed_table.h says is
// encrypted (cipher.h): without the key only sizes can be told. A segment is a function of its
// documents, scheme and key; merging segments gives the bytes that adding their living documents at
// once would have given, so nothing is left of those that are gone. checked_file.h guards every
// byte. Reading is thread-safe.
#pragma once

#include <algorithm>
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
#include "word_index.h"

namespace dedup {

// Documents of a segment that are gone: bit d of word d/64.
using Tombstones = std::vector<uint64_t>;

inline bool is_dead(const Tombstones& dead, uint32_t document) {
  return document / 64 < dead.size() && (dead[document / 64] >> (document % 64) & 1) != 0;
}

struct DocumentInfo {
  std::string id, corpus, licence, owner, url, language;
  uint32_t expires = 0;  // days since 1970-01-01; not protected from then on; 0 for never
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
  uint32_t expires = 0;
};
static_assert(sizeof(DocumentRecord) == 88);

struct IdRecord {
  uint64_t hash;
  uint32_t document, reserved;
  auto operator<=>(const IdRecord&) const = default;
};
static_assert(sizeof(IdRecord) == 16);

// What is known of the code of a text, beside its words.
struct CodeInfo {
  Lexemes code;  // of the `code` view
  Lexemes ast;   // of the `ast` view
  std::vector<UnitInfo> units;
};

struct SegmentSummary {
  std::string name;  // of the file, if it bears that of its content
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
  // Fingerprints of tokens [first, first + count); in `scratch` if they had to be decrypted.
  const uint8_t* fingerprints(uint64_t first, uint64_t count, Scratch& scratch) const {
    return file_->view(fingerprints_offset_ + first, count, scratch);
  }
  // Asks the processor for those around a token.
  void prefetch_fingerprints(uint64_t token) const {
    file_->prefetch(fingerprints_offset_ + token);
    file_->prefetch(fingerprints_offset_ + std::max<uint64_t>(token, 32) - 32);
  }
  const uint8_t* raws(uint64_t first, uint64_t count, Scratch& scratch) const {
    return file_->view(raws_offset_ + first, count, scratch);
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
  // Throws IoError, FormatError, and ArgumentError if it is under another key.
  Segment(const Storage& storage, const std::string& path, const TokenKey& key);
  // The id of the key it is under, which is not needed to tell.
  static uint64_t key_id_of(const Storage& storage, const std::string& path);

  const std::string& path() const { return file_.path(); }
  const CheckedFile& file() const { return file_; }
  const SegmentView& view(uint32_t number) const { return views_[number]; }
  const WordIndex& words() const { return words_; }
  uint64_t key_id() const { return prefix_.key_id; }
  // Of the text view: words.
  uint64_t tokens() const { return views_[kTextView].tokens(); }
  uint32_t documents() const { return static_cast<uint32_t>(header_.documents); }
  SegmentSummary summary() const;
  // How many living documents and tokens each corpus has here.
  std::map<std::string, CorpusCount> corpora(const Tombstones& dead) const;
  void verify() const { file_.verify_all(); }

  DocumentRecord document(uint32_t index) const;
  DocumentInfo info(uint32_t index) const;
  std::string string(uint32_t index) const;
  // The document that holds this token of a view.
  uint32_t document_of(uint32_t view, uint32_t token) const;
  UnitRecord unit(const DocumentRecord& document, uint32_t number) const;
  // The unit that a byte span of a document is nearest to being: that with the largest share of
  // both in common. Empty if there is none.
  std::optional<UnitRecord> unit_at(const DocumentRecord& document, Span span) const;
  // The lines on which a byte span begins and ends, from 1; zeros for a document without lines.
  std::pair<uint32_t, uint32_t> lines_at(const DocumentRecord& document, Span span) const;
  // The bytes that hold its line lengths.
  std::vector<uint8_t> line_bytes(const DocumentRecord& document) const;
  // Every document that bears this id; all but the last were replaced before the segment was
  // written.
  std::vector<uint32_t> find_id(std::string_view id) const;
  // Every pair of a document here and one there that bear the same id, in order. Costs a search
  // for each id that is here.
  std::vector<std::pair<uint32_t, uint32_t>> shared_ids(const Segment& other) const;
  // The documents that have expired on a day, ascending; the next day after it on which one will,
  // or 0.
  std::vector<uint32_t> expired(uint32_t day) const;
  uint32_t next_expiry(uint32_t day) const;

 private:
  // What can be read without the key.
  struct Prefix {
    char magic[8];
    uint32_t version;
    uint32_t byte_order;  // kByteOrder as the writer's machine stores it
    uint64_t features;    // a reader that does not know one of them can't read the rest
    uint64_t key_id;      // 0: not encrypted
    uint64_t nonce;
    uint64_t zeros[3];
  };
  static_assert(sizeof(Prefix) == 64);
  struct Header {
    char magic[8];
    uint64_t sections;
    uint64_t documents, text_bytes, strings, units, expiries;
    uint64_t tokens[kViews];
    Scheme schemes[kViews];
  };
  static_assert(sizeof(Header) == 272);
  friend class SegmentFile;

  IdRecord id_record(uint64_t at) const;
  // The first id record, not before `low`, of this hash or a higher one.
  uint64_t first_of_hash(uint64_t hash, uint64_t low) const;

  CheckedFile file_;
  Prefix prefix_{};
  TokenKey key_;
  Header header_{};
  uint64_t documents_offset_ = 0, string_ends_offset_ = 0, string_bytes_ = 0, id_index_offset_ = 0;
  uint64_t expiries_offset_ = 0, units_offset_ = 0, lines_offset_ = 0, lines_size_ = 0;
  WordIndex words_;
  std::array<SegmentView, kViews> views_;
};

using Schemes = std::array<Scheme, kViews>;

// Collects documents in memory and writes them as one segment. Not thread-safe.
class SegmentWriter {
 public:
  SegmentWriter(const Schemes& schemes, TokenKey key, std::shared_ptr<const Storage> storage);

  // `code` is that of a text that is, or holds, code. Throws ArgumentError on invalid UTF-8 or when
  // the segment is full. Returns the words added.
  uint64_t add(const DocumentInfo& info, std::string_view text, const CodeInfo* code = nullptr);
  // What add() will store to tell a changed document from the same one.
  uint64_t content_hash(std::string_view text) const;
  uint64_t tokens() const { return views_[kTextView].fingerprints.size(); }
  uint64_t documents() const { return records_.size(); }
  uint64_t memory_bytes() const;
  // Writes and syncs the segment in the folder, under the name of its content, which is durable
  // once the caller has synced the folder. Call it last. Until it is whole it bears the temporary
  // name, with a dot before and ``.writing`` behind, which no other writer may use.
  SegmentSummary write(const std::string& folder, const std::string& temporary = "segment");

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
  const std::shared_ptr<const Storage> storage_;
  std::vector<WindowMinima> minima_;
  Tokens tokens_;
  Sequence sequence_;
  std::vector<DocumentRecord> records_;
  std::vector<UnitRecord> units_;
  std::vector<uint8_t> lines_;
  WordBuffer words_;
  std::vector<std::string> strings_;
  std::unordered_map<std::string, uint32_t> string_numbers_;
  std::array<ViewBuffer, kViews> views_;
};

// Writes the living documents of the segments, in order, as one segment, under this name or that of
// its content; as durable as SegmentWriter::write. Memory does not grow with the segments beyond
// their document records and the postings of common seeds.
SegmentSummary merge_segments(const std::vector<std::shared_ptr<const Segment>>& segments,
                              const std::vector<Tombstones>& dead, TokenKey key,
                              std::shared_ptr<const Storage> storage, const std::string& folder,
                              const std::string& name = "");

}  // namespace dedup
