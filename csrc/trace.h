// What a search came across on its way, for whoever asks why a text was matched or was not.
//
// A search is given a Trace only then: without one nothing of this is done. What is listed is
// bounded, what is counted is not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace dedup {

// How a seed, or two units, came to be looked at.
enum class Clue : uint8_t { tile, gapped, window, unit };

// What became of a place that had evidence enough to be opened, in the order in which it is tried.
enum class Fate : uint8_t {
  explained,  // an alignment has covered it already
  unlike,     // the tokens around it do not agree
  removed,    // its document is gone
  too_short,  // its alignment is worth too little
  aligned,
};

// And of a passage, the alignments of one document that lie together.
enum class Outcome : uint8_t {
  matched,
  too_short,   // worth less than a match has to be
  scattered,   // of several parts, which are too far apart; each was looked at by itself
  repetitive,  // of too few different shingles
  repeated,    // its document has a better match there
};

struct Trace {
  static constexpr size_t kMaxListed = 4096;

  // A seed of the query that the index has.
  struct Hit {
    uint32_t view, segment;
    uint32_t token, start;  // of the query: where it begins, and at which byte
    Clue clue;
    uint32_t postings;
    bool is_common;  // had by too many places to open one
    float bits;      // of evidence
  };
  struct Place {
    uint32_t view, segment, document;
    uint32_t token, start;  // of the query
    Clue clue;
    Fate fate;
    int32_t score, needed;  // of the alignment, if there was one
  };
  struct Passage {
    uint32_t view, segment, document;
    uint32_t from, to;    // of the query: tokens
    uint64_t start, end;  // and bytes
    uint32_t matched, parts;
    int32_t score, needed;
    uint32_t distinct, needed_distinct;
    Outcome outcome;
  };
  struct Seeds {
    uint64_t made = 0, held = 0;  // by the query, and of these by a segment
    float gate = 0;               // bits that open a place, the least of all segments
    uint32_t tokens = 0;          // of the query
  };

  // The text with some of what hides its words undone, which was searched as well.
  struct Reading {
    uint32_t devices;  // see readings.h
    size_t matches;
  };

  Seeds seeds[3];  // by view; all but the readings are of the text as it stands
  std::vector<Reading> readings;
  std::vector<Hit> hits;
  std::vector<Place> places;
  std::vector<Passage> passages;
  uint64_t all_hits = 0, all_places = 0, all_passages = 0;

  void add(const Hit& hit) { add(hit, hits, all_hits); }
  void add(const Place& place) { add(place, places, all_places); }
  void add(const Passage& passage) { add(passage, passages, all_passages); }

 private:
  template <typename Item>
  static void add(const Item& item, std::vector<Item>& list, uint64_t& all) {
    if (all++ < kMaxListed) list.push_back(item);
  }
};

}  // namespace dedup
