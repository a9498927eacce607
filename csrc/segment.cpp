#include "segment.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <queue>

#include "error.h"

namespace dedup {

namespace {

constexpr char kMagic[8] = {'d', 'e', 'd', 'u', 'p', 'S', 'E', 'G'};
constexpr uint32_t kVersion = 4;
constexpr uint32_t kOldestVersion = 3;  // has no words
constexpr uint32_t kByteOrder = 0x01020304;
// Features that a segment may need of its reader: none yet.
constexpr uint64_t kKnownFeatures = 0;
// Positions are 32 bits wide and the highest is the table's stop mark.
constexpr uint64_t kMaxTokens = 0xFFFFFFF0;

enum SectionKind : uint32_t {
  kDocuments = 1,
  kStrings = 2,
  kIdIndex = 3,
  kCounts = 4,
  kSeeds = 5,
  kFingerprints = 6,
  kSpans = 7,
  kRaws = 8,
  kUnits = 9,
  kLines = 10,
  kExpiries = 11,
  kWords = 12,
  kHolders = 13,
};
constexpr uint32_t kOfDocuments = 1u << kDocuments | 1u << kStrings | 1u << kIdIndex |
                                  1u << kUnits | 1u << kLines | 1u << kExpiries;
constexpr uint32_t kOfWords = 1u << kWords | 1u << kHolders;
constexpr uint32_t kOfView = 1u << kCounts | 1u << kSeeds | 1u << kFingerprints | 1u << kSpans;

struct SectionRecord {
  uint32_t kind;
  uint32_t view;  // 0 for those of all views
  uint64_t offset, size;
};
static_assert(sizeof(SectionRecord) == 24);

struct ExpiryRecord {
  uint32_t day, document;
  auto operator<=>(const ExpiryRecord&) const = default;
};
static_assert(sizeof(ExpiryRecord) == 8);

std::string content_name(uint64_t hash) {
  char name[40];
  std::snprintf(name, sizeof name, "segment-%016" PRIx64 ".dedup", hash);
  return name;
}

uint64_t id_hash(std::string_view id) { return xxh3_64(id.data(), id.size()); }

using ByteSink = std::function<void(const uint8_t*, size_t)>;
// Calls its argument with consecutive pieces of a section.
using ByteSource = std::function<void(const ByteSink&)>;

struct ViewParts {
  const Scheme& scheme;
  uint64_t tokens;
  EntrySource entries;
  ByteSource fingerprints, raws;
  SpanSource spans;
};

// What a segment is made of, however it was come by.
struct Parts {
  TokenKey key;
  const std::vector<DocumentRecord>& records;
  const std::vector<UnitRecord>& units;
  const std::vector<std::string>& strings;
  ByteSource lines;
  WordSource words;
  std::vector<ViewParts> views;
};

// The strings of documents and units, each once.
class StringPool {
 public:
  StringPool(std::vector<std::string>& strings, std::unordered_map<std::string, uint32_t>& numbers)
      : strings_(strings), numbers_(numbers) {}
  uint32_t intern(std::string text) {
    const auto [at, added] =
        numbers_.emplace(std::move(text), static_cast<uint32_t>(strings_.size()));
    if (added) strings_.push_back(at->first);
    return at->second;
  }

 private:
  std::vector<std::string>& strings_;
  std::unordered_map<std::string, uint32_t>& numbers_;
};

}  // namespace

namespace {

// A hash of the bytes that a source gives, however it cuts them.
uint64_t digest_of(const ByteSource& source) {
  std::vector<uint64_t> digests;
  std::vector<uint8_t> block;
  source([&](const uint8_t* from, size_t size) {
    while (size > 0) {
      const size_t part = std::min<size_t>(size, kBlockBytes - block.size());
      block.insert(block.end(), from, from + part);
      from += part;
      size -= part;
      if (block.size() < kBlockBytes) continue;
      digests.push_back(xxh3_64(block.data(), block.size()));
      block.clear();
    }
  });
  digests.push_back(xxh3_64(block.data(), block.size()));
  return xxh3_64(digests.data(), digests.size() * sizeof(uint64_t));
}

// A segment's nonce is a keyed hash of what it is made of, texts by their keyed fingerprints: the
// same documents make the same bytes, and no two different segments under one key share a
// keystream. A text's content hash would not do: a lexer or grammar of another version makes
// something else of it.
uint64_t nonce_of(const Parts& parts, const WordTotals& words) {
  if (!parts.key.key) return 0;
  std::string digests = "dedup segment nonce " + std::to_string(kVersion);
  const auto add = [&](uint64_t digest) {
    digests.append(reinterpret_cast<const char*>(&digest), sizeof digest);
  };
  const auto add_bytes = [&](const void* data, size_t size) {
    add(siphash(*parts.key.key, std::string_view(static_cast<const char*>(data), size)));
  };
  add_bytes(parts.records.data(), parts.records.size() * sizeof(DocumentRecord));
  add_bytes(parts.units.data(), parts.units.size() * sizeof(UnitRecord));
  std::string strings;
  for (const std::string& text : parts.strings) strings += text + '\0';
  add_bytes(strings.data(), strings.size());
  add(digest_of(parts.lines));
  add(words.digest);
  for (uint32_t v = 0; v < kViews; ++v) {
    add_bytes(&parts.views[v].scheme, sizeof(Scheme));
    add(digest_of(parts.views[v].fingerprints));
    if (v != kTextView) add(digest_of(parts.views[v].raws));
  }
  return siphash(*parts.key.key, std::string_view(digests));
}

}  // namespace

// Writes and reads the frame of a segment: prefix, sections, section records, header.
class SegmentFile {
 public:
  static SegmentSummary write(const Parts& parts, std::shared_ptr<const Storage> storage,
                              const std::string& folder, const std::string& name,
                              const std::string& temporary) {
    CheckedWriter out(storage, folder + "/." + temporary + ".writing");
    Segment::Prefix prefix{};
    std::memcpy(prefix.magic, kMagic, sizeof kMagic);
    prefix.version = kVersion;
    prefix.byte_order = kByteOrder;
    prefix.key_id = parts.key.id();
    const WordTotals words = totals_of(parts.words);
    prefix.nonce = nonce_of(parts, words);
    out.append(&prefix, sizeof prefix);
    out.encrypt(Cipher(parts.key.key, prefix.nonce));
    std::vector<SectionRecord> sections;
    uint32_t view = 0;
    const auto section = [&](uint32_t kind, const std::function<void()>& body) {
      out.align(64);
      const uint64_t offset = out.size();
      body();
      sections.push_back({kind, view, offset, out.size() - offset});
    };

    section(kDocuments, [&] { out.append_values(parts.records); });
    section(kStrings, [&] {
      std::vector<uint64_t> ends{0};
      for (const auto& text : parts.strings) ends.push_back(ends.back() + text.size());
      out.append_values(ends);
      for (const auto& text : parts.strings) out.append(text.data(), text.size());
    });
    section(kIdIndex, [&] {
      std::vector<IdRecord> ids;
      for (uint32_t d = 0; d < parts.records.size(); ++d) {
        ids.push_back({id_hash(parts.strings[parts.records[d].id]), d, 0});
      }
      std::ranges::sort(ids);
      out.append_values(ids);
    });
    std::vector<ExpiryRecord> expiries;
    for (uint32_t d = 0; d < parts.records.size(); ++d) {
      if (parts.records[d].expires != 0) expiries.push_back({parts.records[d].expires, d});
    }
    std::ranges::sort(expiries);
    section(kExpiries, [&] { out.append_values(expiries); });
    section(kUnits, [&] { out.append_values(parts.units); });
    section(kLines, [&] {
      parts.lines([&](const uint8_t* from, size_t size) { out.append(from, size); });
    });
    for (; view < kViews; ++view) {
      const ViewParts& own = parts.views[view];
      std::array<uint64_t, 256> counts{};
      section(kFingerprints, [&] {
        own.fingerprints([&](const uint8_t* from, size_t size) {
          for (size_t i = 0; i < size; ++i) ++counts[from[i]];
          out.append(from, size);
        });
        // Screens read whole vectors, so up to 64 bytes past the last token.
        out.append(std::array<uint8_t, 64>{}.data(), 64);
      });
      if (view != kTextView) {
        section(kRaws, [&] {
          own.raws([&](const uint8_t* from, size_t size) { out.append(from, size); });
        });
      }
      section(kCounts, [&] { out.append(counts.data(), sizeof counts); });
      section(kSeeds, [&] { write_seed_table(out, own.entries, own.tokens); });
      section(kSpans, [&] { write_span_map(out, own.spans); });
    }
    view = kTextView;
    section(kWords, [&] { write_words(out, parts.words, words); });
    section(kHolders, [&] { write_holders(out, parts.words, parts.records.size()); });

    out.align(64);
    out.append_values(sections);
    Segment::Header header{};
    std::memcpy(header.magic, kMagic, sizeof kMagic);
    header.sections = sections.size();
    header.documents = parts.records.size();
    for (const auto& record : parts.records) header.text_bytes += record.text_bytes;
    header.strings = parts.strings.size();
    header.units = parts.units.size();
    header.expiries = expiries.size();
    for (uint32_t v = 0; v < kViews; ++v) {
      header.tokens[v] = parts.views[v].tokens;
      header.schemes[v] = parts.views[v].scheme;
    }
    out.append(&header, sizeof header);

    const uint64_t content = out.finish();
    const std::string path = folder + "/" + (name.empty() ? content_name(content) : name);
    out.publish(path);
    return Segment(*storage, path, parts.key).summary();
  }

  static Segment::Prefix read_prefix(const CheckedFile& file) {
    const auto refuse = [&](const std::string& what) {
      throw FormatError(file.path() + ": " + what);
    };
    Segment::Prefix prefix;
    if (file.body_size() < sizeof prefix + sizeof(Segment::Header)) {
      refuse("is no dedup segment; it is too short");
    }
    prefix = load<Segment::Prefix>(file.raw(0, sizeof prefix));
    if (std::memcmp(prefix.magic, kMagic, sizeof kMagic) != 0) {
      refuse("is no dedup segment; expected 'dedupSEG' at byte 0");
    }
    if (prefix.byte_order != kByteOrder) {
      refuse("was written on a machine of another byte order; build the index on one like this");
    }
    if (prefix.version < kOldestVersion || prefix.version > kVersion) {
      refuse("segment format version " + std::to_string(prefix.version) + ", this dedup reads " +
             std::to_string(kOldestVersion) + " to " + std::to_string(kVersion) +
             "; use a matching release or build the index again");
    }
    if ((prefix.features & ~kKnownFeatures) != 0) {
      char unknown[24];
      std::snprintf(unknown, sizeof unknown, "0x%" PRIx64, prefix.features & ~kKnownFeatures);
      refuse(std::string("needs features ") + unknown +
             " that this dedup does not have; use a newer release");
    }
    return prefix;
  }

  static void read(Segment& segment) {
    CheckedFile& file = segment.file_;
    const auto refuse = [&](const std::string& what) {
      throw FormatError(file.path() + ": " + what);
    };
    segment.prefix_ = read_prefix(file);
    if (segment.prefix_.key_id != segment.key_.id()) {
      throw ArgumentError(file.path() + ": is under another key");
    }
    file.decrypt(Cipher(segment.key_.key, segment.prefix_.nonce));
    const uint64_t header_at = file.body_size() - sizeof(Segment::Header);
    segment.header_ = file.at<Segment::Header>(header_at);
    const auto& header = segment.header_;
    if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) refuse("has no segment header");
    bool sane = header.sections <= 1024 && header.sections * sizeof(SectionRecord) <= header_at &&
                header.documents <= 0xFFFFFFFF && header.units <= 0xFFFFFFFF &&
                header.expiries <= header.documents;
    for (const uint64_t tokens : header.tokens) sane = sane && tokens <= kMaxTokens;
    if (!sane) refuse("its header is impossible; build the index again");
    const uint64_t records_at = header_at - header.sections * sizeof(SectionRecord);
    uint32_t seen_of_documents = 0, seen[kViews] = {};
    WordIndex::Section words, holders;
    for (uint32_t i = 0; i < header.sections; ++i) {
      const auto section = file.at<SectionRecord>(records_at + i * sizeof(SectionRecord));
      if (section.offset > records_at || section.size > records_at - section.offset) {
        refuse("a section lies outside the file; build the index again");
      }
      if (section.view >= kViews || section.kind >= 32) continue;
      SegmentView& view = segment.views_[section.view];
      const uint64_t tokens = header.tokens[section.view];
      const auto expect = [&](uint64_t size) {
        if (section.size != size) {
          refuse("section " + std::to_string(section.kind) + " has " +
                 std::to_string(section.size) + " bytes, expected " + std::to_string(size) +
                 "; build the index again");
        }
      };
      switch (section.kind) {
        case kDocuments:
          expect(header.documents * sizeof(DocumentRecord));
          segment.documents_offset_ = section.offset;
          break;
        case kStrings:
          if (header.strings == 0 || section.size / 8 < header.strings + 1) {
            refuse("its strings are cut; build the index again");
          }
          segment.string_ends_offset_ = section.offset;
          segment.string_bytes_ = section.size - (header.strings + 1) * 8;
          break;
        case kIdIndex:
          expect(header.documents * sizeof(IdRecord));
          segment.id_index_offset_ = section.offset;
          break;
        case kExpiries:
          expect(header.expiries * sizeof(ExpiryRecord));
          segment.expiries_offset_ = section.offset;
          break;
        case kUnits:
          expect(header.units * sizeof(UnitRecord));
          segment.units_offset_ = section.offset;
          break;
        case kLines:
          segment.lines_offset_ = section.offset;
          segment.lines_size_ = section.size;
          break;
        case kWords:
          words = {section.offset, section.size};
          break;
        case kHolders:
          holders = {section.offset, section.size};
          break;
        case kCounts:
          expect(sizeof view.counts_);
          view.counts_ = file.at<std::array<uint64_t, 256>>(section.offset);
          break;
        case kSeeds:
          view.seeds_ = SeedTable(file, section.offset, section.size);
          if (view.seeds_.shape().positions != tokens) {
            refuse("seed table and fingerprints differ in tokens; build the index again");
          }
          break;
        case kFingerprints:
          expect(tokens + 64);
          view.fingerprints_offset_ = section.offset;
          break;
        case kRaws:
          expect(tokens);
          view.raws_offset_ = section.offset;
          break;
        case kSpans:
          view.spans_ = SpanMap(file, section.offset, section.size);
          if (view.spans_.tokens() != tokens) {
            refuse("span map and fingerprints differ in tokens; build the index again");
          }
          break;
        default:
          continue;
      }
      seen_of_documents |= 1u << section.kind;
      seen[section.view] |= 1u << section.kind;
    }
    const bool has_words = segment.prefix_.version > kOldestVersion;
    const uint32_t of_documents = has_words ? kOfDocuments | kOfWords : kOfDocuments;
    bool whole = (seen_of_documents & of_documents) == of_documents;
    for (uint32_t v = 0; v < kViews; ++v) {
      const uint32_t wanted = v == kTextView ? kOfView : kOfView | 1u << kRaws;
      whole = whole && (seen[v] & wanted) == wanted;
      segment.views_[v].file_ = &segment.file_;
      segment.views_[v].scheme_ = header.schemes[v];
      segment.views_[v].tokens_ = header.tokens[v];
    }
    if (!whole) refuse("a section is missing; build the index again");
    for (const Scheme& scheme : header.schemes) scheme.check();
    if (has_words) segment.words_ = WordIndex(file, words, holders, header.documents);
  }
};

Segment::Segment(const Storage& storage, const std::string& path, const TokenKey& key)
    : file_(storage, path), key_(key) {
  SegmentFile::read(*this);
}

uint64_t Segment::key_id_of(const Storage& storage, const std::string& path) {
  return SegmentFile::read_prefix(CheckedFile(storage, path)).key_id;
}

SegmentSummary Segment::summary() const {
  SegmentSummary summary{content_name(file_.content_hash()), file_.file_size(), header_.documents,
                         tokens(), 0};
  for (const SegmentView& view : views_) summary.seeds += view.seeds().shape().entries;
  return summary;
}

std::map<std::string, CorpusCount> Segment::corpora(const Tombstones& dead) const {
  std::map<std::string, CorpusCount> counts;
  for (uint32_t d = 0; d < documents(); ++d) {
    if (is_dead(dead, d)) continue;
    const DocumentRecord record = document(d);
    CorpusCount& count = counts[string(record.corpus)];
    ++count.documents;
    count.tokens += record.views[kTextView].tokens;
  }
  return counts;
}

DocumentRecord Segment::document(uint32_t index) const {
  const auto record = file_.at<DocumentRecord>(documents_offset_ + index * sizeof(DocumentRecord));
  bool inside = uint64_t{record.first_unit} + record.units <= header_.units &&
                record.first_line_byte <= lines_size_;
  for (uint32_t v = 0; v < kViews; ++v) {
    const auto [first, tokens] = record.views[v];
    inside = inside && uint64_t{first} + tokens <= header_.tokens[v];
  }
  if (!inside) {
    throw FormatError(path() + ": document " + std::to_string(index) +
                      " lies outside the segment; build the index again");
  }
  return record;
}

std::string Segment::string(uint32_t index) const {
  if (index >= header_.strings) {
    throw FormatError(path() + ": string " + std::to_string(index) +
                      " does not exist; build the index again");
  }
  const auto [from, to] = file_.at<std::array<uint64_t, 2>>(string_ends_offset_ + index * 8ull);
  if (from > to || to > string_bytes_) {
    throw FormatError(path() + ": string " + std::to_string(index) +
                      " lies outside its section; build the index again");
  }
  const uint64_t offset = string_ends_offset_ + (header_.strings + 1) * 8 + from;
  Scratch scratch;
  const auto* bytes = reinterpret_cast<const char*>(file_.view(offset, to - from, scratch));
  return {bytes, to - from};
}

DocumentInfo Segment::info(uint32_t index) const {
  const DocumentRecord record = document(index);
  return {string(record.id),  string(record.corpus),   string(record.licence), string(record.owner),
          string(record.url), string(record.language), record.expires};
}

UnitRecord Segment::unit(const DocumentRecord& document, uint32_t number) const {
  return file_.at<UnitRecord>(units_offset_ +
                              (uint64_t{document.first_unit} + number) * sizeof(UnitRecord));
}

std::optional<UnitRecord> Segment::unit_at(const DocumentRecord& document, Span span) const {
  std::optional<UnitRecord> best;
  double best_share = 0;
  for (uint32_t u = 0; u < document.units; ++u) {
    const UnitRecord candidate = unit(document, u);
    const uint64_t from = std::max<uint64_t>(candidate.start, span.start);
    const uint64_t to = std::min<uint64_t>(candidate.end, span.end);
    if (from >= to) continue;
    const uint64_t either = std::max<uint64_t>(candidate.end, span.end) -
                            std::min<uint64_t>(candidate.start, span.start);
    const double share = static_cast<double>(to - from) / static_cast<double>(either);
    if (share <= best_share) continue;
    best_share = share;
    best = candidate;
  }
  return best;
}

namespace {

// Reads the line lengths of a document one after the other.
class LineReader {
 public:
  LineReader(const CheckedFile& file, uint64_t offset, uint64_t size)
      : file_(file), offset_(offset), left_(size) {}

  // The length of the next line; its bytes are appended to `bytes` if there is one. False if the
  // section ends.
  bool next(uint64_t& length, std::vector<uint8_t>* bytes = nullptr) {
    length = 0;
    for (uint32_t shift = 0; shift < 35; shift += 7) {
      if (at_ == held_) refill();
      if (held_ == 0) return false;
      const uint8_t byte = part_[at_++];
      if (bytes) bytes->push_back(byte);
      length |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

 private:
  void refill() {
    held_ = std::min<uint64_t>(left_, 256);
    part_ = file_.view(offset_, held_, scratch_);
    offset_ += held_;
    left_ -= held_;
    at_ = 0;
  }

  const CheckedFile& file_;
  uint64_t offset_, left_, held_ = 0, at_ = 0;
  const uint8_t* part_ = nullptr;
  Scratch scratch_;
};

}  // namespace

std::pair<uint32_t, uint32_t> Segment::lines_at(const DocumentRecord& document, Span span) const {
  std::pair<uint32_t, uint32_t> found{0, document.lines};
  LineReader lines(file_, lines_offset_ + document.first_line_byte,
                   lines_size_ - document.first_line_byte);
  uint64_t end = 0, length;
  for (uint32_t line = 1; line <= document.lines && lines.next(length); ++line) {
    end += length;
    if (found.first == 0 && span.start < end) found.first = line;
    if (span.end <= end) {
      found.second = line;
      break;
    }
  }
  return found;
}

std::vector<uint8_t> Segment::line_bytes(const DocumentRecord& document) const {
  std::vector<uint8_t> bytes;
  LineReader lines(file_, lines_offset_ + document.first_line_byte,
                   lines_size_ - document.first_line_byte);
  uint64_t length;
  for (uint32_t line = 0; line < document.lines && lines.next(length, &bytes);) ++line;
  return bytes;
}

uint32_t Segment::document_of(uint32_t view, uint32_t token) const {
  const uint64_t first = documents_offset_ + view * sizeof(TokenRange);
  uint32_t low = 0, high = documents();  // the last document that starts at or before the token
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    if (file_.at<TokenRange>(first + middle * sizeof(DocumentRecord)).first <= token) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

IdRecord Segment::id_record(uint64_t at) const {
  return file_.at<IdRecord>(id_index_offset_ + at * sizeof(IdRecord));
}

uint64_t Segment::first_of_hash(uint64_t hash, uint64_t low) const {
  uint64_t high = header_.documents;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (id_record(middle).hash < hash) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

std::vector<uint32_t> Segment::find_id(std::string_view id) const {
  const uint64_t hash = id_hash(id);
  std::vector<uint32_t> found;
  for (uint64_t at = first_of_hash(hash, 0); at < header_.documents && id_record(at).hash == hash;
       ++at) {
    const uint32_t index = id_record(at).document;
    if (index < documents() && string(document(index).id) == id) found.push_back(index);
  }
  return found;
}

std::vector<std::pair<uint32_t, uint32_t>> Segment::shared_ids(const Segment& other) const {
  std::vector<std::pair<uint32_t, uint32_t>> shared;
  uint64_t from = 0;  // both are in order of hash
  for (uint64_t own = 0; own < header_.documents && from < other.header_.documents; ++own) {
    const IdRecord record = id_record(own);
    from = other.first_of_hash(record.hash, from);
    for (uint64_t at = from; at < other.header_.documents; ++at) {
      const IdRecord their = other.id_record(at);
      if (their.hash != record.hash) break;
      if (record.document < documents() && their.document < other.documents() &&
          string(document(record.document).id) == other.string(other.document(their.document).id)) {
        shared.emplace_back(record.document, their.document);
      }
    }
  }
  std::ranges::sort(shared);
  return shared;
}

std::vector<uint32_t> Segment::expired(uint32_t day) const {
  std::vector<uint32_t> documents;
  for (uint64_t at = 0; at < header_.expiries; ++at) {
    const auto record = file_.at<ExpiryRecord>(expiries_offset_ + at * sizeof(ExpiryRecord));
    if (record.day > day) break;
    documents.push_back(record.document);
  }
  std::ranges::sort(documents);
  return documents;
}

uint32_t Segment::next_expiry(uint32_t day) const {
  uint64_t low = 0, high = header_.expiries;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (file_.at<ExpiryRecord>(expiries_offset_ + middle * sizeof(ExpiryRecord)).day <= day) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == header_.expiries) return 0;
  return file_.at<ExpiryRecord>(expiries_offset_ + low * sizeof(ExpiryRecord)).day;
}

SegmentWriter::SegmentWriter(const Schemes& schemes, TokenKey key,
                             std::shared_ptr<const Storage> storage)
    : schemes_(schemes),
      key_(key),
      storage_(std::move(storage)),
      strings_{""},
      string_numbers_{{"", 0}} {
  for (const Scheme& scheme : schemes) {
    scheme.check();
    minima_.emplace_back(scheme);
  }
}

uint32_t SegmentWriter::intern(const std::string& text) {
  return StringPool(strings_, string_numbers_).intern(text);
}

TokenRange SegmentWriter::add_view(uint32_t view, const std::vector<uint32_t>& starts,
                                   const std::vector<uint32_t>& ends,
                                   std::span<const TokenRange> units) {
  const Scheme& scheme = schemes_[view];
  ViewBuffer& buffer = views_[view];
  const size_t n = sequence_.size();
  const auto base = static_cast<uint32_t>(buffer.fingerprints.size());
  const auto index = [&](Seed seed, size_t at) {
    if (seed != kNoSeed) buffer.entries.push_back({seed, base + static_cast<uint32_t>(at)});
  };
  for (size_t i = 0; i + scheme.tile_size <= n; i += scheme.tile_stride) {
    index(tile_seed(sequence_, i, scheme), i);
  }
  if (scheme.gapped_shape) {
    for (size_t i = 0; i + scheme.gapped_span() <= n; i += scheme.gapped_stride) {
      index(gapped_seed(sequence_, i, scheme), i);
    }
  }
  const auto index_bands = [&](size_t start, const uint32_t* minima) {
    for (uint32_t band = 0; band < scheme.bands; ++band) {
      index(band_seed(minima + band * scheme.rows, scheme.rows, band), start);
    }
  };
  minima_[view].each(sequence_, scheme.window_stride, index_bands);
  minima_[view].each_unit(sequence_, units, [&](size_t unit, const uint32_t* minima) {
    index_bands(units[unit].first, minima);
  });

  buffer.fingerprints.insert(buffer.fingerprints.end(), sequence_.fingerprints.begin(),
                             sequence_.fingerprints.end());
  buffer.raws.insert(buffer.raws.end(), sequence_.raws.begin(), sequence_.raws.end());
  buffer.spans.next_document();
  for (size_t i = 0; i < n; ++i) buffer.spans.add(starts[i], ends[i]);
  return {base, static_cast<uint32_t>(n)};
}

void SegmentWriter::add_lines(std::string_view text, DocumentRecord& record) {
  for (size_t at = 0; at < text.size();) {
    const size_t newline = text.find('\n', at);
    const size_t next = newline == text.npos ? text.size() : newline + 1;
    size_t length = next - at;
    for (; length >= 0x80; length >>= 7) lines_.push_back(static_cast<uint8_t>(length | 0x80));
    lines_.push_back(static_cast<uint8_t>(length));
    ++record.lines;
    at = next;
  }
}

uint64_t SegmentWriter::add(const DocumentInfo& info, std::string_view text, const CodeInfo* code) {
  tokenize(text, tokens_);
  const auto fits = [&](uint32_t view, size_t more) {
    return views_[view].fingerprints.size() + more <= kMaxTokens;
  };
  if (!fits(kTextView, tokens_.hashes.size()) || records_.size() >= 0xFFFFFFFE ||
      words_.words() + tokens_.hashes.size() > WordBuffer::kMaxWords ||
      (code && (!fits(kCodeView, code->code.size()) || !fits(kAstView, code->ast.size()) ||
                units_.size() + code->units.size() >= 0xFFFFFFFE))) {
    throw ArgumentError("segment: full; commit before adding more");
  }
  DocumentRecord record;
  key_tokens(tokens_, key_, sequence_);
  words_.add(sequence_.values);
  record.views[kTextView] = add_view(kTextView, tokens_.starts, tokens_.ends, {});
  for (const uint32_t view : {kCodeView, kAstView}) {
    record.views[view] = {static_cast<uint32_t>(views_[view].fingerprints.size()), 0};
  }
  record.first_unit = static_cast<uint32_t>(units_.size());
  record.first_line_byte = lines_.size();
  if (code) {
    std::vector<TokenRange> units;
    for (const UnitInfo& unit : code->units) {
      if (uint64_t{unit.tokens.first} + unit.tokens.tokens > code->ast.size()) {
        throw ArgumentError("segment: unit " + unit.name + " has tokens past the last");
      }
      units.push_back(unit.tokens);
      units_.push_back({unit.start, unit.end, unit.first_line, unit.last_line, unit.tokens,
                        intern(unit.name), 0});
    }
    record.units = static_cast<uint32_t>(units.size());
    key_lexemes(code->code, key_, sequence_);
    record.views[kCodeView] = add_view(kCodeView, code->code.starts, code->code.ends, {});
    key_lexemes(code->ast, key_, sequence_);
    record.views[kAstView] = add_view(kAstView, code->ast.starts, code->ast.ends, units);
    add_lines(text, record);
  }
  record.text_bytes = text.size();
  record.content_hash = content_hash(text);
  record.id = intern(info.id);
  record.corpus = intern(info.corpus);
  record.licence = intern(info.licence);
  record.owner = intern(info.owner);
  record.url = intern(info.url);
  record.language = intern(info.language);
  record.expires = info.expires;
  records_.push_back(record);
  return tokens_.hashes.size();
}

uint64_t SegmentWriter::content_hash(std::string_view text) const {
  return key_(xxh3_64(text.data(), text.size()));
}

uint64_t SegmentWriter::memory_bytes() const {
  uint64_t bytes = records_.capacity() * sizeof(DocumentRecord) + strings_.size() * 128 +
                   units_.capacity() * sizeof(UnitRecord) + lines_.capacity() +
                   words_.memory_bytes();
  for (const ViewBuffer& view : views_) {
    bytes += view.fingerprints.capacity() + view.raws.capacity() +
             view.entries.capacity() * sizeof(SeedEntry) + view.spans.memory_bytes();
  }
  return bytes;
}

SegmentSummary SegmentWriter::write(const std::string& folder, const std::string& temporary) {
  const auto all_of = [](const std::vector<uint8_t>& bytes) {
    return [&bytes](const ByteSink& emit) { emit(bytes.data(), bytes.size()); };
  };
  Parts parts{key_, records_, units_, strings_, all_of(lines_), words_.source(), {}};
  for (uint32_t v = 0; v < kViews; ++v) {
    ViewBuffer& view = views_[v];
    std::ranges::sort(view.entries);
    parts.views.push_back({schemes_[v], view.fingerprints.size(),
                           [&](const auto& emit) { std::ranges::for_each(view.entries, emit); },
                           all_of(view.fingerprints), all_of(view.raws),
                           [&](const auto& visit) { view.spans.replay(visit); }});
  }
  return SegmentFile::write(parts, storage_, folder, "", temporary);
}

namespace {

using SegmentList = std::vector<std::shared_ptr<const Segment>>;

// Runs of tokens of living documents: [from, to) of a segment move by `shift`.
struct Run {
  uint32_t from, to;
  int64_t shift;
};

// The seeds of one view of several segments, in table order, where they come to stand.
EntrySource merged_entries(const SegmentList& segments, uint32_t view,
                           const std::vector<std::vector<Run>>& runs) {
  return [&segments, view, &runs](const std::function<void(const SeedEntry&)>& emit) {
    struct Head {
      Seed seed;
      size_t segment;
      bool operator>(const Head& other) const {
        return seed != other.seed ? seed > other.seed : segment > other.segment;
      }
    };
    std::vector<SeedTable::Cursor> cursors;
    std::priority_queue<Head, std::vector<Head>, std::greater<>> heads;
    for (size_t s = 0; s < segments.size(); ++s) {
      cursors.emplace_back(segments[s]->view(view).seeds());
      if (!cursors[s].done()) heads.push({cursors[s].entry().seed, s});
    }
    while (!heads.empty()) {
      const Head head = heads.top();
      heads.pop();
      SeedTable::Cursor& cursor = cursors[head.segment];
      for (; !cursor.done() && cursor.entry().seed == head.seed; cursor.advance()) {
        const uint32_t position = cursor.entry().position;
        const auto& living = runs[head.segment];
        const auto run =
            std::upper_bound(living.begin(), living.end(), position,
                             [](uint32_t at, const Run& candidate) { return at < candidate.to; });
        if (run != living.end() && position >= run->from) {
          emit({head.seed, static_cast<uint32_t>(position + run->shift)});
        }
      }
      if (!cursor.done()) heads.push({cursor.entry().seed, head.segment});
    }
  };
}

// The words of several segments' documents, whose new numbers are given: kGone if they have none.
constexpr uint32_t kGone = 0xFFFFFFFF;

WordSource merged_words(const SegmentList& segments,
                        const std::vector<std::vector<uint32_t>>& numbers) {
  return [&segments, &numbers](const WordVisitor& visit) {
    using Head = std::pair<uint64_t, size_t>;  // word, segment
    std::vector<std::optional<WordIndex::Cursor>> cursors(segments.size());
    std::priority_queue<Head, std::vector<Head>, std::greater<>> heads;
    const auto push = [&](size_t s) {
      if (!cursors[s]->done()) heads.emplace(cursors[s]->word(), s);
    };
    for (size_t s = 0; s < segments.size(); ++s) {
      if (segments[s]->words().size() == 0) continue;  // or none are known, as of format 3
      cursors[s].emplace(segments[s]->words());
      push(s);
    }
    std::vector<uint32_t> holders;
    while (!heads.empty()) {
      const uint64_t word = heads.top().first;
      holders.clear();
      while (!heads.empty() && heads.top().first == word) {
        const size_t s = heads.top().second;
        heads.pop();
        for (const uint32_t document : cursors[s]->documents()) {
          if (numbers[s][document] != kGone) holders.push_back(numbers[s][document]);
        }
        cursors[s]->advance();
        push(s);
      }
      if (!holders.empty()) visit(word, holders);
    }
  };
}

}  // namespace

SegmentSummary merge_segments(const SegmentList& segments, const std::vector<Tombstones>& dead,
                              TokenKey key, std::shared_ptr<const Storage> storage,
                              const std::string& folder, const std::string& name) {
  if (segments.empty()) throw ArgumentError("merge: no segments");
  const Segment& first = *segments[0];
  std::array<std::vector<std::vector<Run>>, kViews> runs;
  for (auto& view : runs) view.resize(segments.size());
  std::array<uint64_t, kViews> tokens{};
  std::vector<std::vector<uint32_t>> numbers(segments.size());
  std::vector<DocumentRecord> records;
  std::vector<UnitRecord> units;
  std::vector<uint8_t> lines;
  std::vector<std::string> strings{""};
  std::unordered_map<std::string, uint32_t> string_numbers{{"", 0}};
  StringPool pool(strings, string_numbers);
  for (size_t s = 0; s < segments.size(); ++s) {
    const Segment& segment = *segments[s];
    bool alike = segment.key_id() == key.id();
    for (uint32_t v = 0; v < kViews; ++v) {
      alike = alike && segment.view(v).scheme() == first.view(v).scheme();
    }
    if (!alike) throw ArgumentError("merge: " + segment.path() + " has another scheme or key");
    const auto move = [&](uint32_t& string) { string = pool.intern(segment.string(string)); };
    numbers[s].assign(segment.documents(), kGone);
    for (uint32_t d = 0; d < segment.documents(); ++d) {
      if (is_dead(dead[s], d)) continue;
      numbers[s][d] = static_cast<uint32_t>(records.size());
      DocumentRecord record = segment.document(d);
      for (uint32_t v = 0; v < kViews; ++v) {
        const auto [from, count] = record.views[v];
        const auto shift = static_cast<int64_t>(tokens[v]) - from;
        auto& own = runs[v][s];
        if (!own.empty() && own.back().to == from && own.back().shift == shift) {
          own.back().to = from + count;
        } else if (count != 0) {
          own.push_back({from, from + count, shift});
        }
        record.views[v].first = static_cast<uint32_t>(tokens[v]);
        tokens[v] += count;
        if (tokens[v] > kMaxTokens) throw ArgumentError("merge: over 2^32 tokens in one segment");
      }
      const auto first_unit = static_cast<uint32_t>(units.size());
      for (uint32_t u = 0; u < record.units; ++u) {
        units.push_back(segment.unit(record, u));
        move(units.back().name);
      }
      record.first_unit = first_unit;
      const std::vector<uint8_t> own_lines = segment.line_bytes(record);
      record.first_line_byte = lines.size();
      lines.insert(lines.end(), own_lines.begin(), own_lines.end());
      move(record.id);
      move(record.corpus);
      move(record.licence);
      move(record.owner);
      move(record.url);
      move(record.language);
      records.push_back(record);
    }
  }

  Parts parts{key,
              records,
              units,
              strings,
              [&](const ByteSink& emit) { emit(lines.data(), lines.size()); },
              merged_words(segments, numbers),
              {}};
  for (uint32_t v = 0; v < kViews; ++v) {
    const auto living = [&, v](auto bytes_of) -> ByteSource {
      return [&, v, bytes_of](const ByteSink& emit) {
        Scratch scratch;
        for (size_t s = 0; s < segments.size(); ++s) {
          for (const Run& run : runs[v][s]) {
            for (uint32_t from = run.from; from < run.to;) {
              const uint32_t count = std::min<uint32_t>(run.to - from, kBlockBytes);
              emit(bytes_of(segments[s]->view(v), from, count, scratch), count);
              from += count;
            }
          }
        }
      };
    };
    const SpanSource spans = [&, v](const SpanVisitor& visit) {
      for (size_t s = 0; s < segments.size(); ++s) {
        for (uint32_t d = 0; d < segments[s]->documents(); ++d) {
          if (is_dead(dead[s], d)) continue;
          const auto [from, count] = segments[s]->document(d).views[v];
          bool is_first = true;
          segments[s]->view(v).spans().each(from, uint64_t{from} + count,
                                            [&](uint32_t start, uint32_t end) {
                                              visit(is_first, start, end);
                                              is_first = false;
                                            });
        }
      }
    };
    parts.views.push_back(
        {first.view(v).scheme(), tokens[v], merged_entries(segments, v, runs[v]),
         living([](const SegmentView& view, uint64_t from, uint64_t count, Scratch& scratch) {
           return view.fingerprints(from, count, scratch);
         }),
         living([](const SegmentView& view, uint64_t from, uint64_t count, Scratch& scratch) {
           return view.raws(from, count, scratch);
         }),
         spans});
  }
  return SegmentFile::write(parts, std::move(storage), folder, name,
                            name.empty() ? "segment" : name);
}

}  // namespace dedup
