// What repeats within a corpus: documents that resemble each other, runs of words that come again.
//
// A corpus is cut into blocks of texts, and every step reads one block, or one bucket of hashes of
// all blocks, so that none needs more memory than these. Python moves the arrays (dedup/repeats).
//
//   block   print_texts   of each text its band keys (minhash.h); of the block its anchors
//   bucket  equal_groups  which anchors occur twice; which texts share a band
//   block   find_windows  each window that may occur twice, and the words around it
//   bucket  group_windows which windows do, and where
//   block   find_passages what they make up: passages, at their first places
//   block   find_spans    where these lie in the bytes
//
// Tokens are numbered through the block. A window is `min_tokens` tokens of one text and is named
// by the first of them; a gram is `gram_tokens` tokens, fewer. The anchor of a window is its gram
// of the least hash. Windows in a row mostly have the same one, so that anchors are few (about 2 in
// min_tokens - gram_tokens + 2 tokens: winnowing); and two equal windows have equal anchors, so
// that a window whose anchor occurs once cannot occur twice.
//
// All functions are pure and thread-safe, and throw ArgumentError for what cannot be.
//
// References: S. Schleimer, D. Wilkerson, A. Aiken, "Winnowing: local algorithms for document
// fingerprinting", 2003.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace dedup {

// Texts one after another; text t is the bytes from offsets[t] up to offsets[t + 1].
class TextBlock {
 public:
  TextBlock(std::string_view bytes, std::span<const std::uint64_t> offsets);

  std::size_t size() const { return offsets_.size() - 1; }
  std::string_view operator[](std::size_t text) const {
    return bytes_.substr(offsets_[text], offsets_[text + 1] - offsets_[text]);
  }

 private:
  std::string_view bytes_;
  std::span<const std::uint64_t> offsets_;
};

struct PrintScheme {
  std::size_t min_tokens;
  std::size_t gram_tokens;
  std::size_t shingle_size;
  std::size_t rows;                  // of a band; all slots of a and b are used
  std::span<const std::uint32_t> a;  // the maps of the signature
  std::span<const std::uint32_t> b;
};

struct Prints {
  std::vector<std::uint32_t> tokens;     // how many each text has
  std::vector<std::uint64_t> contents;   // hash of its tokens in order
  std::vector<std::uint64_t> band_keys;  // of each text all, one after another
  // Anchor i is that of `anchor_windows[i]` windows from anchor_starts[i] on.
  std::vector<std::uint64_t> anchor_hashes;
  std::vector<std::uint32_t> anchor_starts;
  std::vector<std::uint32_t> anchor_windows;
};

Prints print_texts(const TextBlock& texts, const PrintScheme& scheme);

// Members of each group lie together, in the order they have in `hashes`; groups are in the order
// of their hash, and group g is the members from starts[g] up to starts[g + 1].
struct Groups {
  std::vector<std::uint32_t> members;
  std::vector<std::uint64_t> starts;
};

// Those of equal hash, two or more.
Groups equal_groups(std::span<const std::uint64_t> hashes);

// The same hashes by bucket, of which there are `buckets`, each of a range of hashes.
Groups bucket_groups(std::span<const std::uint64_t> hashes, std::size_t buckets);

struct Windows {
  std::span<const std::uint64_t> hashes;
  std::span<const std::uint32_t> at;
  // Hashes of the token before and of the one behind; 0 at the ends of the text, and if one that
  // was left out for this one has another (find_windows).
  std::span<const std::uint32_t> before;
  std::span<const std::uint32_t> after;
};

struct FoundWindows {
  std::vector<std::uint64_t> hashes;
  std::vector<std::uint32_t> at;
  std::vector<std::uint32_t> before;
  std::vector<std::uint32_t> after;
};

// The windows from starts[i] on, counts[i] of them, for ranges that rise and do not overlap.
//
// One that overlaps an equal one before it is left out, unless that was: in "a a a a a a" a window
// of two tokens occurs three times. Therefore no count exceeds how often a thing can be had at
// once. What is before and behind one left out counts all the same (`before` and `after` of the one
// it overlaps): the next window may have a place there, but not where this one has.
FoundWindows find_windows(const TextBlock& texts, std::span<const std::uint32_t> tokens,
                          std::span<const std::uint32_t> starts,
                          std::span<const std::uint32_t> counts, std::size_t min_tokens);

// What is known of a window that occurs at several places, at one of them.
struct Occurrences {
  enum Flag : std::uint8_t { same_before = 1, same_after = 2, first = 4, surplus = 8 };

  std::span<const std::uint32_t> at;      // where it is, in any order, each once
  std::span<const std::uint8_t> flags;    // whether the same word is before it, or behind, at all
  std::span<const std::uint32_t> counts;  // at how many places it is
  std::span<const std::uint64_t> shapes;  // equal if all places lie equally far from each other
};

// Windows that occur at several places; see Occurrences. A place is a block and, in its low 32
// bits, a token of it.
struct WindowGroups {
  // Occurrence by occurrence, block by block as `by` says.
  std::vector<std::uint32_t> at;
  std::vector<std::uint8_t> flags;
  std::vector<std::uint32_t> groups;
  std::vector<std::uint64_t> by;
  // Group by group; the places of group g are from starts[g] up to starts[g + 1].
  std::vector<std::uint32_t> counts;
  std::vector<std::uint64_t> shapes;
  std::vector<std::uint64_t> places;
  std::vector<std::uint64_t> starts;
};

// Groups windows of many blocks, those of block b from by[b] on. Of each group those behind the
// first `max_copies` are surplus; windows in texts that are dropped do not count.
WindowGroups group_windows(const Windows& windows, std::span<const std::uint8_t> is_dropped,
                           std::span<const std::uint64_t> by, std::uint32_t max_copies);

struct Passages {
  std::vector<std::uint32_t> starts;   // the first token
  std::vector<std::uint32_t> tokens;   // how many
  std::vector<std::uint32_t> members;  // a window that occurs where the passage does, by number,
  std::vector<std::uint32_t> offsets;  // and how far behind its start that window begins
};

// The passages that occur first in this block. The passage of a window is the longest run of
// tokens that is around it at each of its places, those left out among them; it has as many places
// as the window. (It may come in several that overlap if a part of it occurs at more places, and is
// put together again where those overlap.)
//
// Of one boilerplate with ragged ends that is many. Unless `with_variants`, they are taken in the
// order of how many places they have, as a power of two, and then of how many tokens they would
// save; and one of which fewer than min_tokens tokens are in none before it is left out. Tokens of
// windows that were met in the blocks or texts before are in some.
Passages find_passages(std::span<const std::uint32_t> tokens, const Occurrences& occurrences,
                       std::size_t min_tokens, bool with_variants);

struct TextSpans {
  std::vector<std::uint32_t> starts;
  std::vector<std::uint32_t> ends;
  std::vector<std::uint64_t> contents;  // hash of the tokens in order
};

// Where counts[i] tokens of text numbers[i] lie in its bytes, from the starts[i]-th on. Numbers do
// not fall.
TextSpans find_spans(const TextBlock& texts, std::span<const std::uint32_t> numbers,
                     std::span<const std::uint32_t> starts, std::span<const std::uint32_t> counts);

// The Jaccard similarity of the sets of shingles of texts left[i] and right[i], exactly; 0 if one
// has no token.
std::vector<double> jaccards(std::span<const std::string_view> texts,
                             std::span<const std::uint32_t> left,
                             std::span<const std::uint32_t> right, std::size_t shingle_size);

}  // namespace dedup
