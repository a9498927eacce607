// One view of a query against one segment -> fragments: the alignments that its seeds lead to.
//
//   seeds -> postings -> gate -> screen -> alignment
//
// Postings that agree on a diagonal (document position less query position) add up their idf; a
// place is opened once its evidence reaches log2(T) - 3 bits: one seed with at most 8 postings, or
// several commoner ones.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "align.h"
#include "query.h"
#include "seed_block.h"
#include "segment.h"
#include "trace.h"

namespace dedup {

// What differs between words and lexemes once a place is opened.
struct Measures {
  int32_t cost;            // of an edit
  int32_t least_fragment;  // score
  int32_t join_cost;       // what joining a part costs the passage
  // A passage of several parts needs more evidence than one that hangs together: the parts may be
  // common phrases. 20 words in chunks, covering a third of the passage, are no accident.
  int32_t least_joined;
};
// A lone tile of five words; and of lexemes, one and a bit to each side.
inline constexpr Measures kOfWords{kWordCost, 10, 4, 32};
inline constexpr Measures kOfLexemes{kLexemeCost, 32, 8, 64};
inline const Measures& measures_of(uint32_t view) {
  return view == kTextView ? kOfWords : kOfLexemes;
}

struct Fragment {
  uint32_t segment, document;
  bool supplied;
  Alignment alignment;  // document positions count from the document's first token
};

// What is known of a diagonal, or of those near it.
struct Track {
  int64_t key = -1;
  uint32_t last = 0;     // query position of the last evidence
  uint32_t covered = 0;  // up to where an alignment on this diagonal has explained the query
  float bits = 0;
};

// The oldest evidence gives way where two diagonals meet in one slot.
class Tracks {
 public:
  static constexpr uint32_t kMemory = 256;  // tokens after which evidence is forgotten

  explicit Tracks(uint32_t bits) : bits_(bits) {}

  Track& at(int64_t key, uint32_t position) {
    if (slots_.empty()) slots_.resize(size_t{1} << bits_);  // most queries have no evidence at all
    const auto hash = static_cast<uint64_t>(key) * 0x9E3779B97F4A7C15;
    Track& track = slots_[hash >> (64 - bits_)];
    if (track.key != key) track = Track{key, position, 0, 0};
    if (position > track.last + kMemory) track.bits = 0;
    return track;
  }

 private:
  uint32_t bits_;
  std::vector<Track> slots_;
};

inline constexpr uint32_t kTrackBits = 10;       // for a whole query
inline constexpr uint32_t kStreamTrackBits = 7;  // for one whose older diagonals are of no interest
inline constexpr int64_t kTrackWidth = 16;       // diagonals that share a track

inline int64_t track_key(int64_t diagonal) {
  return (diagonal + (int64_t{1} << 40)) / kTrackWidth * 2;
}

class Collector {
 public:
  // All of these outlive it. `number` is that of the segment in the fragments. What is met on the
  // way goes to the trace, if there is one.
  Collector(const Segment& segment, const Tombstones& dead, uint32_t number, const Query& query,
            std::vector<Fragment>& fragments, uint32_t track_bits = kTrackBits,
            Trace* trace = nullptr);

  // Says which block is collected after the next.
  void prefetch(const SeedBlock& block) const;
  // A whole query: looks up one block of its seeds after the other, each from where the one before
  // ended, and the windows that lie before.
  void collect(const SeedBlock& block);
  // And when there are no more blocks: the rest of the windows, and units. Then, if the query was
  // long enough to be worth it, does a share of the work on the segment's filter.
  void finish();
  // While the query is growing: looks up those that were added since the last call, and the bands
  // of the window that ends with its last token, if there is one.
  void advance(std::span<const Seed> window);

 private:
  float bits_of(const Postings& found) const;
  void find(Seed seed);
  bool may_hold(Seed seed) const { return !filter_ || filter_->may_hold(seed); }
  // Puts living postings in the place of those in documents that are gone. If few are left the seed
  // is common no more.
  void refill(Seed seed);
  void look_up(Seed seed, uint32_t q, Clue clue);
  // Adds a seed's evidence to the tracks of its postings, and opens the places that have enough.
  void weigh(std::span<const uint32_t> positions, float bits, uint32_t q, Clue clue);
  void look_up_window(uint32_t q, const Seed* bands);
  // Those windows whose first half lies before token q. A window is looked up once the tokens in
  // its first half are, so that what a tile explains is not screened again.
  void look_up_windows(uint32_t q);
  // Units that share bands worth the gate are compared.
  void look_up_unit(size_t number);
  // Screens the place where query position q meets the segment's token t, aligns it, and keeps
  // what comes of it. A seed is its own anchor; windows are anchored where the screen says. A tile
  // of lexemes needs no screen: it is longer than what a screen asks for.
  void open(uint32_t q, uint32_t t, Clue clue);
  bool is_explained(uint32_t q, uint32_t t) const;
  void align_at(uint32_t document, const TokenRange& range, uint32_t q, uint32_t d, Clue clue);
  // The best alignment through the anchor, of the document as far as it can reach.
  Alignment aligned(const TokenRange& range, uint32_t q, uint32_t d);
  // Aligns a unit of the query with the unit of the index that begins at token t wherever they have
  // a shingle in common that no alignment has explained.
  void open_unit(const TokenRange& unit, uint32_t t);

  void note_hit(uint32_t q, Clue clue, float bits) const;
  void note_place(uint32_t q, uint32_t t, Clue clue, Fate fate, int32_t score = 0) const;

  // What a seed of a block found: so many of the positions.
  struct Hit {
    uint32_t q, positions;
    Clue clue;
    float bits;
  };

  const Query& query_;
  const uint32_t number_;
  const Segment& segment_;
  const SegmentView& view_;
  const Tombstones& dead_;
  const Scheme& scheme_;
  const Measures& measures_;
  std::vector<Fragment>& fragments_;
  const float total_bits_, gate_;
  Tracks tracks_;
  std::unordered_map<int64_t, uint32_t> explained_;  // `covered` by long alignments
  Postings found_;
  std::vector<Hit> hits_;  // of a block
  std::vector<uint32_t> positions_;
  Scratch scratch_, raws_scratch_;
  const SeedFilter* const filter_;
  Trace* const trace_;
  size_t next_window_ = 0;
  uint64_t looked_up_ = 0;                              // seeds of a whole query
  uint32_t next_tile_ = 0, next_gapped_[kShifts] = {};  // of a growing query
};

}  // namespace dedup
