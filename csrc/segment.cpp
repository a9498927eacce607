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
constexpr uint32_t kVersion = 1;
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
};

struct SectionRecord {
  uint32_t kind;
  uint32_t view;  // 0 is `text`
  uint64_t offset, size;
};
static_assert(sizeof(SectionRecord) == 24);

struct IdRecord {
  uint64_t hash;
  uint32_t document, reserved;
  auto operator<=>(const IdRecord&) const = default;
};
static_assert(sizeof(IdRecord) == 16);

uint64_t id_hash(std::string_view id) { return xxh3_64(id.data(), id.size()); }

// What a segment is made of, however it was come by.
struct Parts {
  const Scheme& scheme;
  uint64_t key_id;
  const std::vector<DocumentRecord>& records;
  const std::vector<std::string>& strings;
  uint64_t tokens;
  EntrySource entries;
  // Calls its argument with consecutive pieces of the fingerprints.
  std::function<void(const std::function<void(const uint8_t*, size_t)>&)> fingerprints;
  SpanSource spans;
};

}  // namespace

// Writes and reads the frame of a segment: magic, sections, section records, header.
class SegmentFile {
 public:
  static SegmentSummary write(const Parts& parts, const std::string& folder) {
    CheckedWriter out(folder + "/.segment.writing");
    out.append(kMagic, sizeof kMagic);
    std::vector<SectionRecord> sections;
    const auto section = [&](uint32_t kind, const std::function<void()>& body) {
      out.align(64);
      const uint64_t offset = out.size();
      body();
      sections.push_back({kind, 0, offset, out.size() - offset});
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
    std::array<uint64_t, 256> counts{};
    section(kFingerprints, [&] {
      parts.fingerprints([&](const uint8_t* from, size_t size) {
        for (size_t i = 0; i < size; ++i) ++counts[from[i]];
        out.append(from, size);
      });
      // Screens read whole vectors, so up to 64 bytes past the last token.
      out.append(std::array<uint8_t, 64>{}.data(), 64);
    });
    section(kCounts, [&] { out.append(counts.data(), sizeof counts); });
    section(kSeeds, [&] { write_seed_table(out, parts.entries, parts.tokens); });
    section(kSpans, [&] { write_span_map(out, parts.spans); });

    out.align(64);
    out.append_values(sections);
    Segment::Header header{};
    std::memcpy(header.magic, kMagic, sizeof kMagic);
    header.version = kVersion;
    header.sections = static_cast<uint32_t>(sections.size());
    header.key_id = parts.key_id;
    header.documents = parts.records.size();
    header.tokens = parts.tokens;
    for (const auto& record : parts.records) header.text_bytes += record.text_bytes;
    header.strings = parts.strings.size();
    header.scheme = parts.scheme;
    out.append(&header, sizeof header);

    const uint64_t name = out.finish();
    char file[40];
    std::snprintf(file, sizeof file, "segment-%016" PRIx64 ".dedup", name);
    out.publish(folder + "/" + file);
    return Segment(folder + "/" + file).summary();
  }

  static void read(Segment& segment) {
    const CheckedFile& file = segment.file_;
    const auto refuse = [&](const std::string& what) {
      throw FormatError(file.path() + ": " + what);
    };
    if (file.body_size() < sizeof(Segment::Header) + sizeof kMagic ||
        std::memcmp(file.at(0, sizeof kMagic), kMagic, sizeof kMagic) != 0) {
      refuse("is no dedup segment; expected 'dedupSEG' at byte 0");
    }
    const uint64_t header_at = file.body_size() - sizeof(Segment::Header);
    segment.header_ = load<Segment::Header>(file.at(header_at, sizeof(Segment::Header)));
    const auto& header = segment.header_;
    if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) refuse("has no segment header");
    if (header.version != kVersion) {
      refuse("segment format version " + std::to_string(header.version) + ", this dedup reads " +
             std::to_string(kVersion) + "; use a matching release or build the index again");
    }
    if (header.sections > 1024 || header.sections * sizeof(SectionRecord) > header_at ||
        header.tokens > kMaxTokens || header.documents > 0xFFFFFFFF) {
      refuse("its header is impossible; build the index again");
    }
    const uint64_t records_at = header_at - header.sections * sizeof(SectionRecord);
    uint32_t seen = 0;
    for (uint32_t i = 0; i < header.sections; ++i) {
      const auto section = load<SectionRecord>(
          file.at(records_at + i * sizeof(SectionRecord), sizeof(SectionRecord)));
      if (section.offset > records_at || section.size > records_at - section.offset) {
        refuse("a section lies outside the file; build the index again");
      }
      if (section.view != 0) continue;
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
        case kCounts:
          expect(sizeof segment.counts_);
          std::memcpy(segment.counts_.data(), file.at(section.offset, section.size), section.size);
          break;
        case kSeeds:
          segment.seeds_ = SeedTable(file, section.offset, section.size);
          if (segment.seeds_.shape().positions != header.tokens) {
            refuse("seed table and fingerprints differ in tokens; build the index again");
          }
          break;
        case kFingerprints:
          expect(header.tokens + 64);
          segment.fingerprints_offset_ = section.offset;
          break;
        case kSpans:
          segment.spans_ = SpanMap(file, section.offset, section.size);
          if (segment.spans_.tokens() != header.tokens) {
            refuse("span map and fingerprints differ in tokens; build the index again");
          }
          break;
        default:
          continue;
      }
      seen |= 1u << section.kind;
    }
    if (seen != 0b11111110) refuse("a section is missing; build the index again");
    header.scheme.check();
  }
};

Segment::Segment(const std::string& path) : file_(path) { SegmentFile::read(*this); }

SegmentSummary Segment::summary() const {
  const size_t slash = path().rfind('/');
  return {slash == std::string::npos ? path() : path().substr(slash + 1), file_.file_size(),
          header_.documents, header_.tokens, seeds_.shape().entries};
}

std::map<std::string, CorpusCount> Segment::corpora(const Tombstones& dead) const {
  std::map<std::string, CorpusCount> counts;
  for (uint32_t d = 0; d < documents(); ++d) {
    if (is_dead(dead, d)) continue;
    const DocumentRecord record = document(d);
    CorpusCount& count = counts[std::string(string(record.corpus))];
    ++count.documents;
    count.tokens += record.tokens;
  }
  return counts;
}

DocumentRecord Segment::document(uint32_t index) const {
  const auto record = load<DocumentRecord>(
      file_.at(documents_offset_ + index * sizeof(DocumentRecord), sizeof(DocumentRecord)));
  if (uint64_t{record.first_token} + record.tokens > header_.tokens) {
    throw FormatError(path() + ": document " + std::to_string(index) +
                      " lies outside the segment; build the index again");
  }
  return record;
}

std::string_view Segment::string(uint32_t index) const {
  if (index >= header_.strings) {
    throw FormatError(path() + ": string " + std::to_string(index) +
                      " does not exist; build the index again");
  }
  const uint8_t* ends = file_.at(string_ends_offset_ + index * 8ull, 16);
  const auto from = load<uint64_t>(ends), to = load<uint64_t>(ends + 8);
  if (from > to || to > string_bytes_) {
    throw FormatError(path() + ": string " + std::to_string(index) +
                      " lies outside its section; build the index again");
  }
  const uint64_t offset = string_ends_offset_ + (header_.strings + 1) * 8 + from;
  return {reinterpret_cast<const char*>(file_.at(offset, to - from)), to - from};
}

DocumentInfo Segment::info(uint32_t index) const {
  const DocumentRecord record = document(index);
  return {std::string(string(record.id)), std::string(string(record.corpus)),
          std::string(string(record.licence)), std::string(string(record.owner)),
          std::string(string(record.url))};
}

uint32_t Segment::document_of(uint32_t token) const {
  uint32_t low = 0, high = documents();  // the last document that starts at or before the token
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    if (document(middle).first_token <= token) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

std::vector<uint32_t> Segment::find_id(std::string_view id) const {
  const auto record = [&](uint64_t at) {
    return load<IdRecord>(file_.at(id_index_offset_ + at * sizeof(IdRecord), sizeof(IdRecord)));
  };
  const uint64_t hash = id_hash(id);
  uint64_t low = 0, high = header_.documents;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (record(middle).hash < hash) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  std::vector<uint32_t> found;
  for (; low < header_.documents && record(low).hash == hash; ++low) {
    const uint32_t index = record(low).document;
    if (index < documents() && string(document(index).id) == id) found.push_back(index);
  }
  return found;
}

SegmentWriter::SegmentWriter(const Scheme& scheme, TokenKey key)
    : scheme_(scheme), key_(key), minima_(scheme), strings_{""}, string_numbers_{{"", 0}} {
  scheme.check();
}

uint32_t SegmentWriter::intern(const std::string& text) {
  const auto [at, added] = string_numbers_.emplace(text, static_cast<uint32_t>(strings_.size()));
  if (added) strings_.push_back(text);
  return at->second;
}

uint64_t SegmentWriter::add(const DocumentInfo& info, std::string_view text) {
  tokenize(text, tokens_);
  const size_t n = tokens_.hashes.size();
  if (fingerprints_.size() + n > kMaxTokens || records_.size() >= 0xFFFFFFFE) {
    throw ArgumentError("segment: full; commit before adding more");
  }
  keyed_.resize(n);
  std::ranges::transform(tokens_.hashes, keyed_.begin(), key_);

  const auto base = static_cast<uint32_t>(fingerprints_.size());
  const auto index = [&](Seed seed, size_t at) {
    entries_.push_back({seed, base + static_cast<uint32_t>(at)});
  };
  for (size_t i = 0; i + scheme_.tile_size <= n; i += scheme_.tile_stride) {
    index(tile_seed(&keyed_[i], scheme_.tile_size), i);
  }
  if (scheme_.gapped_shape) {
    for (size_t i = 0; i + scheme_.gapped_span() <= n; i += scheme_.gapped_stride) {
      index(gapped_seed(&keyed_[i], scheme_.gapped_shape), i);
    }
  }
  minima_.each(keyed_, scheme_.window_stride, [&](size_t start, const uint32_t* minima) {
    for (uint32_t band = 0; band < scheme_.bands; ++band) {
      index(band_seed(minima + band * scheme_.rows, scheme_.rows, band), start);
    }
  });

  spans_.next_document();
  for (size_t i = 0; i < n; ++i) {
    fingerprints_.push_back(token_fingerprint(keyed_[i]));
    spans_.add(tokens_.starts[i], tokens_.ends[i]);
  }
  DocumentRecord record;
  record.first_token = base;
  record.tokens = static_cast<uint32_t>(n);
  record.text_bytes = text.size();
  record.content_hash = content_hash(text);
  record.id = intern(info.id);
  record.corpus = intern(info.corpus);
  record.licence = intern(info.licence);
  record.owner = intern(info.owner);
  record.url = intern(info.url);
  records_.push_back(record);
  return n;
}

uint64_t SegmentWriter::content_hash(std::string_view text) const {
  return key_(xxh3_64(text.data(), text.size()));
}

uint64_t SegmentWriter::memory_bytes() const {
  return fingerprints_.capacity() + entries_.capacity() * sizeof(SeedEntry) +
         spans_.memory_bytes() + records_.capacity() * sizeof(DocumentRecord) +
         strings_.size() * 128;
}

SegmentSummary SegmentWriter::write(const std::string& folder) {
  std::ranges::sort(entries_);
  const Parts parts{scheme_,
                    key_.id(),
                    records_,
                    strings_,
                    fingerprints_.size(),
                    [&](const auto& emit) { std::ranges::for_each(entries_, emit); },
                    [&](const auto& emit) { emit(fingerprints_.data(), fingerprints_.size()); },
                    [&](const auto& visit) { spans_.replay(visit); }};
  return SegmentFile::write(parts, folder);
}

SegmentSummary merge_segments(const std::vector<std::shared_ptr<const Segment>>& segments,
                              const std::vector<Tombstones>& dead, const std::string& folder) {
  if (segments.empty()) throw ArgumentError("merge: no segments");
  // Runs of living documents: tokens [from, to) of a segment move by `shift`.
  struct Run {
    uint32_t from, to;
    int64_t shift;
  };
  std::vector<std::vector<Run>> runs(segments.size());
  std::vector<DocumentRecord> records;
  std::vector<std::string> strings{""};
  std::unordered_map<std::string, uint32_t> numbers{{"", 0}};
  uint64_t tokens = 0;
  for (size_t s = 0; s < segments.size(); ++s) {
    const Segment& segment = *segments[s];
    if (!(segment.scheme() == segments[0]->scheme()) || segment.key_id() != segments[0]->key_id()) {
      throw ArgumentError("merge: " + segment.path() + " has another scheme or key");
    }
    const auto intern = [&](uint32_t number) {
      const auto [at, added] = numbers.emplace(std::string(segment.string(number)),
                                               static_cast<uint32_t>(strings.size()));
      if (added) strings.push_back(at->first);
      return at->second;
    };
    for (uint32_t d = 0; d < segment.documents(); ++d) {
      if (is_dead(dead[s], d)) continue;
      DocumentRecord record = segment.document(d);
      const uint32_t from = record.first_token, to = from + record.tokens;
      const int64_t shift = static_cast<int64_t>(tokens) - from;
      if (!runs[s].empty() && runs[s].back().to == from && runs[s].back().shift == shift) {
        runs[s].back().to = to;
      } else if (from != to) {
        runs[s].push_back({from, to, shift});
      }
      tokens += record.tokens;
      if (tokens > kMaxTokens) throw ArgumentError("merge: over 2^32 tokens in one segment");
      record.first_token = static_cast<uint32_t>(tokens - record.tokens);
      record.id = intern(record.id);
      record.corpus = intern(record.corpus);
      record.licence = intern(record.licence);
      record.owner = intern(record.owner);
      record.url = intern(record.url);
      records.push_back(record);
    }
  }

  const EntrySource entries = [&](const std::function<void(const SeedEntry&)>& emit) {
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
      cursors.emplace_back(segments[s]->seeds());
      if (!cursors[s].done()) heads.push({cursors[s].entry().seed, s});
    }
    while (!heads.empty()) {
      const Head head = heads.top();
      heads.pop();
      SeedTable::Cursor& cursor = cursors[head.segment];
      for (; !cursor.done() && cursor.entry().seed == head.seed; cursor.advance()) {
        const uint32_t position = cursor.entry().position;
        if (position == segments[head.segment]->tokens()) {
          emit({head.seed, static_cast<uint32_t>(tokens)});
          continue;
        }
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
  const auto fingerprints = [&](const std::function<void(const uint8_t*, size_t)>& emit) {
    for (size_t s = 0; s < segments.size(); ++s) {
      for (const Run& run : runs[s]) {
        emit(segments[s]->fingerprints(run.from, run.to - run.from), run.to - run.from);
      }
    }
  };
  const SpanSource spans = [&](const SpanVisitor& visit) {
    for (size_t s = 0; s < segments.size(); ++s) {
      for (uint32_t d = 0; d < segments[s]->documents(); ++d) {
        if (is_dead(dead[s], d)) continue;
        const DocumentRecord record = segments[s]->document(d);
        bool first = true;
        segments[s]->spans().each(record.first_token, uint64_t{record.first_token} + record.tokens,
                                  [&](uint32_t start, uint32_t end) {
                                    visit(first, start, end);
                                    first = false;
                                  });
      }
    }
  };
  const Parts parts{segments[0]->scheme(),
                    segments[0]->key_id(),
                    records,
                    strings,
                    tokens,
                    entries,
                    fingerprints,
                    spans};
  return SegmentFile::write(parts, folder);
}

}  // namespace dedup
