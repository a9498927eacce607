// Segments: the immutable files of an index.
//
//   body = Header | SectionRecord[sections] | sections, each aligned to 64 bytes
//
//   documents     DocumentRecord[documents], in order of adding
//   string ends   u64[strings + 1], then the strings' bytes: ids, corpora, licences, owners, urls,
//                 each once, in order of first use; string 0 is empty
//   id index      IdRecord[documents], by hash of the id: finds a document without loading them all
//   counts        u64[256]: how many tokens have each fingerprint; a token's idf, in 2 KiB
//   seeds         the seed table (seed_table.h) of one view
//   fingerprints  u8[tokens]: the top byte of each keyed token, in order
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
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "checked_file.h"
#include "hash.h"
#include "scheme.h"
#include "seed_table.h"
#include "seeds.h"
#include "span_map.h"
#include "tokenize.h"

namespace dedup {

// How tokens become secret: by SipHash under a key, or, without one, as they are.
struct TokenKey {
  std::optional<Key> key;

  uint64_t operator()(uint64_t token_hash) const {
    return key ? siphash(*key, token_hash) : token_hash;
  }
  // Names the key without telling it; 0 is "no key".
  uint64_t id() const { return key ? siphash(*key, std::string_view("dedup key id")) | 1 : 0; }
};

inline uint8_t token_fingerprint(uint64_t keyed_token) {
  return static_cast<uint8_t>(keyed_token >> 56);
}

// Documents of a segment that are gone: bit d of word d/64.
using Tombstones = std::vector<uint64_t>;

inline bool is_dead(const Tombstones& dead, uint32_t document) {
  return document / 64 < dead.size() && (dead[document / 64] >> (document % 64) & 1) != 0;
}

struct DocumentInfo {
  std::string id, corpus, licence, owner, url;
};

struct DocumentRecord {
  uint32_t first_token = 0;
  uint32_t tokens = 0;
  uint64_t text_bytes = 0;
  uint64_t content_hash =
      0;  // siphash of the text's XXH3 under the key: tells a change, not a text
  uint32_t id = 0, corpus = 0, licence = 0, owner = 0, url = 0, reserved = 0;  // strings
};
static_assert(sizeof(DocumentRecord) == 48);

struct SegmentSummary {
  std::string name;  // of the file, from its content
  uint64_t bytes = 0, documents = 0, tokens = 0, seeds = 0;
};

struct CorpusCount {
  uint64_t documents = 0, tokens = 0;
};

class Segment {
 public:
  // Throws IoError, FormatError.
  explicit Segment(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const CheckedFile& file() const { return file_; }
  const Scheme& scheme() const { return header_.scheme; }
  uint64_t key_id() const { return header_.key_id; }
  uint64_t tokens() const { return header_.tokens; }
  uint32_t documents() const { return static_cast<uint32_t>(header_.documents); }
  const SeedTable& seeds() const { return seeds_; }
  const SpanMap& spans() const { return spans_; }
  SegmentSummary summary() const;
  // How many living documents and tokens each corpus has here.
  std::map<std::string, CorpusCount> corpora(const Tombstones& dead) const;
  void verify() const { file_.verify_all(); }

  DocumentRecord document(uint32_t index) const;
  DocumentInfo info(uint32_t index) const;
  std::string_view string(uint32_t index) const;
  // The document that holds this token.
  uint32_t document_of(uint32_t token) const;
  // Every document that bears this id; all but the last were replaced before the segment was
  // written.
  std::vector<uint32_t> find_id(std::string_view id) const;
  // Fingerprints of tokens [first, first + count), verified.
  const uint8_t* fingerprints(uint64_t first, uint64_t count) const {
    return file_.at(fingerprints_offset_ + first, count);
  }
  void prefetch_fingerprints(uint64_t token) const { file_.prefetch(fingerprints_offset_ + token); }
  const std::array<uint64_t, 256>& fingerprint_counts() const { return counts_; }

 private:
  struct Header {
    char magic[8];
    uint32_t version;
    uint32_t sections;
    uint64_t key_id;
    uint64_t documents, tokens, text_bytes, strings;
    uint64_t reserved;
    Scheme scheme;
  };
  static_assert(sizeof(Header) == 128);
  friend class SegmentFile;

  CheckedFile file_;
  Header header_{};
  uint64_t documents_offset_ = 0, string_ends_offset_ = 0, string_bytes_ = 0, id_index_offset_ = 0;
  uint64_t fingerprints_offset_ = 0;
  std::array<uint64_t, 256> counts_{};
  SeedTable seeds_;
  SpanMap spans_;
};

// Collects documents in memory and writes them as one segment. Not thread-safe.
class SegmentWriter {
 public:
  SegmentWriter(const Scheme& scheme, TokenKey key);

  // Throws ArgumentError on invalid UTF-8 or when the segment is full. Returns the tokens added.
  uint64_t add(const DocumentInfo& info, std::string_view text);
  // What add() will store to tell a changed document from the same one.
  uint64_t content_hash(std::string_view text) const;
  uint64_t tokens() const { return fingerprints_.size(); }
  uint64_t documents() const { return records_.size(); }
  uint64_t memory_bytes() const;
  // Writes the segment into the folder under the name of its content, durably. Call it last.
  SegmentSummary write(const std::string& folder);

 private:
  uint32_t intern(const std::string& text);

  const Scheme scheme_;
  const TokenKey key_;
  WindowMinima minima_;
  Tokens tokens_;
  std::vector<uint64_t> keyed_;
  std::vector<DocumentRecord> records_;
  std::vector<std::string> strings_;
  std::unordered_map<std::string, uint32_t> string_numbers_;
  std::vector<uint8_t> fingerprints_;
  std::vector<SeedEntry> entries_;
  SpanBuffer spans_;
};

// Writes the living documents of the segments, in order, as one segment. Memory does not grow with
// the segments beyond their document records and the span symbols (1 byte a token).
SegmentSummary merge_segments(const std::vector<std::shared_ptr<const Segment>>& segments,
                              const std::vector<Tombstones>& dead, const std::string& folder);

}  // namespace dedup
