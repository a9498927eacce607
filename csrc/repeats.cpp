#include "repeats.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <numeric>
#include <string>
#include <unordered_map>

#include "error.h"
#include "hash.h"
#include "minhash.h"
#include "tokenize.h"

namespace dedup {
namespace {

constexpr std::uint32_t none = 0xFFFFFFFFu;

void check_count(std::size_t count) {
  if (count < none) return;
  throw ArgumentError("at most " + std::to_string(none - 1) + " items at once, got " +
                      std::to_string(count));
}

void tokenize_text(const TextBlock& texts, std::size_t number, Tokens& tokens) {
  try {
    tokenize(texts[number], tokens);
  } catch (const ArgumentError& error) {
    throw ArgumentError("text " + std::to_string(number) + ": " + error.what());
  }
}

std::uint64_t content_hash(std::span<const std::uint64_t> tokens) {
  return xxh3_64(tokens.data(), tokens.size_bytes());
}

// ---- anchors -----------------------------------------------------------------------------------

// The rightmost least of `grams` from `first` up to `last`, so that it stays longest.
std::size_t least_of(std::span<const std::uint64_t> grams, std::size_t first, std::size_t last) {
  std::size_t least = first;
  for (std::size_t at = first + 1; at < last; ++at) {
    if (grams[at] <= grams[least]) least = at;
  }
  return least;
}

// Adds the anchors of windows that are `width` grams each. Of equal grams the one that is an anchor
// already is kept, so that a text of one word has no more of them than others.
void add_anchors(std::span<const std::uint64_t> grams, std::size_t width, std::uint32_t base,
                 Prints& out) {
  std::size_t anchor = none;
  std::size_t open = 0;  // the first window of the anchor
  const auto close = [&](std::size_t window) {
    if (window == open) return;
    out.anchor_hashes.push_back(grams[anchor]);
    out.anchor_starts.push_back(base + static_cast<std::uint32_t>(open));
    out.anchor_windows.push_back(static_cast<std::uint32_t>(window - open));
    open = window;
  };
  const std::size_t windows = grams.size() - width + 1;
  for (std::size_t window = 0; window < windows; ++window) {
    const std::size_t last = window + width - 1;
    if (anchor == none || anchor < window) {
      close(window);
      anchor = least_of(grams, window, last + 1);
    } else if (grams[last] < grams[anchor]) {
      close(window);
      anchor = last;
    }
  }
  close(windows);
}

// ---- passages ----------------------------------------------------------------------------------

// Which tokens of a run are in no passage yet: each knows the next one that is in none.
class Uncovered {
 public:
  void reset(std::size_t tokens) {
    next_.resize(tokens + 1);
    std::iota(next_.begin(), next_.end(), std::uint32_t{0});
  }

  void cover(std::size_t from, std::size_t to) {
    for (std::size_t at = find(from); at < to; at = find(at)) {
      next_[at] = static_cast<std::uint32_t>(at + 1);
    }
  }

  bool has(std::size_t wanted, std::size_t from, std::size_t to) {
    std::size_t found = 0;
    for (std::size_t at = find(from); at < to && found < wanted; at = find(at + 1)) ++found;
    return found == wanted;
  }

 private:
  std::size_t find(std::size_t at) {
    std::size_t root = at;
    while (next_[root] != root) root = next_[root];
    while (next_[at] != root) {
      const std::size_t next = next_[at];
      next_[at] = static_cast<std::uint32_t>(root);
      if (next == at) break;
      at = next;
    }
    return root;
  }

  std::vector<std::uint32_t> next_;
};

struct Piece {
  std::uint32_t first, last;  // windows
  std::uint32_t own;          // one that occurs where the piece does
  std::uint32_t count;
};

struct Where {
  std::uint32_t count;
  std::uint64_t shape;
  bool operator==(const Where&) const = default;
};

struct HashWhere {
  std::size_t operator()(const Where& where) const { return fmix64(where.shape + where.count); }
};

// Reads the windows of one block, run after run.
class PassageFinder {
 public:
  PassageFinder(std::span<const std::uint32_t> tokens, const Occurrences& occurrences,
                std::size_t min_tokens, bool with_variants)
      : tokens_(tokens),
        occurrences_(occurrences),
        size_(static_cast<std::uint32_t>(min_tokens)),
        with_variants_(with_variants) {
    const std::size_t total = std::accumulate(tokens.begin(), tokens.end(), std::size_t{0});
    check_count(total);
    numbers_.assign(total, none);
    for (std::size_t number = 0; number < occurrences.at.size(); ++number) {
      const std::uint32_t at = occurrences.at[number];
      if (at >= total) throw ArgumentError("a window lies outside of its block");
      numbers_[at] = static_cast<std::uint32_t>(number);
    }
  }

  Passages find() {
    std::uint32_t base = 0;
    for (const std::uint32_t tokens : tokens_) {
      const std::uint32_t end = base + (tokens < size_ ? 0 : tokens - size_ + 1);
      for (std::uint32_t at = base; at < end;) {
        if (numbers_[at] == none) {
          ++at;
          continue;
        }
        const std::uint32_t from = at;
        while (at < end && numbers_[at] != none) ++at;
        read_run(from, at);
      }
      base += tokens;
    }
    return std::move(found_);
  }

 private:
  bool has(std::uint32_t at, Occurrences::Flag flag) const {
    return (occurrences_.flags[numbers_[at]] & flag) != 0;
  }

  Where where(std::uint32_t at) const {
    return {occurrences_.counts[numbers_[at]], occurrences_.shapes[numbers_[at]]};
  }

  void read_run(std::uint32_t from, std::uint32_t to) {
    find_pieces(from, to);
    if (!with_variants_ && !pieces_.empty()) select(from, to);
    for (const Piece& piece : pieces_) {
      found_.starts.push_back(piece.first);
      found_.tokens.push_back(piece.last - piece.first + size_);
      found_.members.push_back(numbers_[piece.own]);
      found_.offsets.push_back(piece.own - piece.first);
    }
  }

  void find_pieces(std::uint32_t from, std::uint32_t to) {
    pieces_.clear();
    known_.clear();
    // How far the same words go on before and behind each window.
    left_.resize(to - from);
    right_.resize(to - from);
    for (std::uint32_t at = from; at < to; ++at) {
      const bool goes_on = at > from && has(at, Occurrences::same_before);
      left_[at - from] = goes_on ? left_[at - from - 1] : at;
    }
    for (std::uint32_t at = to; at-- > from;) {
      const bool goes_on = at + 1 < to && has(at, Occurrences::same_after);
      right_[at - from] = goes_on ? right_[at - from + 1] : at;
    }
    for (std::uint32_t at = from; at < to;) {
      const std::uint32_t own = at++;
      if (!has(own, Occurrences::first)) continue;
      const Where place = where(own);
      while (at < to && has(at, Occurrences::first) && where(at) == place) ++at;
      add({left_[own - from], right_[at - 1 - from], own, place.count}, place);
    }
    std::ranges::sort(pieces_, {},
                      [](const Piece& piece) { return std::pair(piece.first, piece.last); });
  }

  // Both pieces being wherever one of them is, so is what they make up if they overlap. If they
  // only touch, one may end a text where the other begins the next.
  void add(const Piece& piece, const Where& place) {
    const auto [known, is_new] = known_.try_emplace(place, pieces_.size());
    if (!is_new) {
      Piece& before = pieces_[known->second];
      if (piece.first < before.last + size_ && before.first < piece.last + size_) {
        before.first = std::min(before.first, piece.first);
        before.last = std::max(before.last, piece.last);
        return;
      }
      known->second = pieces_.size();
    }
    pieces_.push_back(piece);
  }

  void select(std::uint32_t from, std::uint32_t to) {
    uncovered_.reset(to - from + size_ - 1);
    for (std::uint32_t at = from; at < to; ++at) {
      if (!has(at, Occurrences::first)) uncovered_.cover(at - from, at - from + size_);
    }
    order_.resize(pieces_.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    const auto rank = [&](std::size_t number) {
      const Piece& piece = pieces_[number];
      const std::uint64_t tokens = piece.last - piece.first + size_;
      return std::pair(std::bit_width(piece.count), (piece.count - 1) * tokens);
    };
    std::ranges::stable_sort(order_, std::ranges::greater{}, rank);
    std::vector<bool> is_kept(pieces_.size());
    for (const std::size_t number : order_) {
      const std::size_t start = pieces_[number].first - from;
      const std::size_t end = pieces_[number].last - from + size_;
      if (!uncovered_.has(size_, start, end)) continue;
      uncovered_.cover(start, end);
      is_kept[number] = true;
    }
    std::size_t kept = 0;
    for (std::size_t number = 0; number < pieces_.size(); ++number) {
      if (is_kept[number]) pieces_[kept++] = pieces_[number];
    }
    pieces_.resize(kept);
  }

  std::span<const std::uint32_t> tokens_;
  const Occurrences& occurrences_;
  std::uint32_t size_;
  bool with_variants_;
  std::vector<std::uint32_t> numbers_;  // of the occurrence at each token, or none
  Passages found_;

  // Of the run being read.
  std::vector<std::uint32_t> left_, right_;
  std::vector<Piece> pieces_;
  std::unordered_map<Where, std::size_t, HashWhere> known_;
  Uncovered uncovered_;
  std::vector<std::size_t> order_;
};

// ---- windows -----------------------------------------------------------------------------------

// The windows of a text that were taken last, to tell whether an equal one overlaps.
class Recent {
 public:
  explicit Recent(std::size_t min_tokens) : slots_(min_tokens) {}

  void begin_text() {
    std::ranges::fill(slots_, Slot{});
    taken_.fill(0);
    next_ = 0;
    slot_ = 0;
  }

  // Takes a window, of which `at` rises, and gives its number; or if it overlaps an equal one that
  // was taken, leaves it out and gives the number of that.
  std::uint32_t take(std::uint64_t hash, std::size_t at, std::uint32_t number) {
    // What a slot holds when its turn comes is too far back to overlap.
    for (; next_ <= at; ++next_) {
      slot_ = slot_ + 1 == slots_.size() ? 0 : slot_ + 1;
      Slot& old = slots_[slot_];
      taken_[old.hash % taken_.size()] -= old.is_taken;
      old.is_taken = false;
    }
    if (taken_[hash % taken_.size()] != 0) {
      for (const Slot& slot : slots_) {
        if (slot.is_taken && slot.hash == hash) return slot.number;
      }
    }
    slots_[slot_] = {hash, number, true};
    ++taken_[hash % taken_.size()];
    return number;
  }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t number = 0;
    bool is_taken = false;
  };

  std::vector<Slot> slots_;  // one for each of the last windows, in turn
  std::size_t slot_ = 0;
  std::size_t next_ = 0;
  // How many slots have a hash of these low bits: mostly none, and then none needs to be compared.
  std::array<std::uint32_t, 2048> taken_{};
};

std::uint32_t neighbour(std::uint64_t token) {
  const auto low = static_cast<std::uint32_t>(token);
  return low == 0 ? 1 : low;
}

}  // namespace

TextBlock::TextBlock(std::string_view bytes, std::span<const std::uint64_t> offsets)
    : bytes_(bytes), offsets_(offsets) {
  if (offsets.empty() || offsets.front() != 0 || offsets.back() != bytes.size() ||
      !std::ranges::is_sorted(offsets)) {
    throw ArgumentError("offsets rise from 0 to the number of bytes, which is " +
                        std::to_string(bytes.size()));
  }
}

Prints print_texts(const TextBlock& texts, const PrintScheme& scheme) {
  if (scheme.gram_tokens < 1 || scheme.gram_tokens > scheme.min_tokens) {
    throw ArgumentError("gram_tokens is from 1 to min_tokens");
  }
  if (scheme.rows < 1 || scheme.a.size() != scheme.b.size() || scheme.a.size() % scheme.rows != 0) {
    throw ArgumentError("a and b have one value for each row of each band");
  }
  Prints prints;
  Tokens tokens;
  std::vector<std::uint32_t> shingles;
  std::vector<std::uint64_t> grams;
  std::vector<std::uint32_t> signature(scheme.a.size());
  const std::size_t bands = scheme.a.size() / scheme.rows;
  prints.band_keys.resize(texts.size() * bands);
  const std::span keys(prints.band_keys);
  std::size_t base = 0;
  for (std::size_t text = 0; text < texts.size(); ++text) {
    tokenize_text(texts, text, tokens);
    const std::span<const std::uint64_t> hashes(tokens.hashes);
    prints.tokens.push_back(static_cast<std::uint32_t>(hashes.size()));
    prints.contents.push_back(content_hash(hashes));
    check_count(base + hashes.size());
    shingle_hashes(hashes, scheme.shingle_size, shingles);
    std::ranges::fill(signature, empty_slot32);
    affine32(shingles, scheme.a, scheme.b, signature);
    band_keys<std::uint32_t>(signature, scheme.rows, keys.subspan(text * bands, bands));
    if (hashes.size() >= scheme.min_tokens) {
      shingle_hashes(hashes, scheme.gram_tokens, grams);
      add_anchors(grams, scheme.min_tokens - scheme.gram_tokens + 1,
                  static_cast<std::uint32_t>(base), prints);
    }
    base += hashes.size();
  }
  return prints;
}

Groups bucket_groups(std::span<const std::uint64_t> hashes, std::size_t buckets) {
  check_count(hashes.size());
  if (buckets < 1 || buckets >= none) throw ArgumentError("there is at least one bucket");
  const auto bucket_of = [buckets](std::uint64_t hash) {
    return static_cast<std::size_t>((static_cast<unsigned __int128>(hash) * buckets) >> 64);
  };
  Groups groups;
  groups.starts.assign(buckets + 1, 0);
  for (const std::uint64_t hash : hashes) ++groups.starts[bucket_of(hash) + 1];
  std::partial_sum(groups.starts.begin(), groups.starts.end(), groups.starts.begin());
  std::vector<std::uint64_t> next(groups.starts.begin(), groups.starts.end() - 1);
  groups.members.resize(hashes.size());
  for (std::size_t number = 0; number < hashes.size(); ++number) {
    groups.members[next[bucket_of(hashes[number])]++] = static_cast<std::uint32_t>(number);
  }
  return groups;
}

Groups equal_groups(std::span<const std::uint64_t> hashes) {
  check_count(hashes.size());
  struct Item {
    std::uint64_t hash;
    std::uint32_t number;
  };
  std::vector<Item> items(hashes.size());
  std::vector<Item> other(hashes.size());
  for (std::size_t number = 0; number < hashes.size(); ++number) {
    items[number] = {hashes[number], static_cast<std::uint32_t>(number)};
  }
  // Least significant digits first: stable, and linear.
  constexpr std::size_t digit_bits = 11;
  constexpr std::size_t digits = std::size_t{1} << digit_bits;
  for (std::size_t shift = 0; shift < 64; shift += digit_bits) {
    std::array<std::size_t, digits + 1> starts{};
    const auto digit_of = [shift](const Item& item) { return item.hash >> shift & (digits - 1); };
    for (const Item& item : items) ++starts[digit_of(item) + 1];
    std::partial_sum(starts.begin(), starts.end(), starts.begin());
    for (const Item& item : items) other[starts[digit_of(item)]++] = item;
    items.swap(other);
  }
  Groups groups;
  groups.starts.push_back(0);
  for (std::size_t from = 0; from < items.size();) {
    std::size_t to = from + 1;
    while (to < items.size() && items[to].hash == items[from].hash) ++to;
    if (to - from > 1) {
      for (; from < to; ++from) groups.members.push_back(items[from].number);
      groups.starts.push_back(groups.members.size());
    }
    from = to;
  }
  return groups;
}

FoundWindows find_windows(const TextBlock& texts, std::span<const std::uint32_t> tokens,
                          std::span<const std::uint32_t> starts,
                          std::span<const std::uint32_t> counts, std::size_t min_tokens) {
  if (tokens.size() != texts.size() || starts.size() != counts.size()) {
    throw ArgumentError("each text has its number of tokens, each range its start and its count");
  }
  FoundWindows windows;
  Tokens read;
  std::vector<std::uint64_t> hashes;
  Recent recent(min_tokens);
  std::size_t range = 0;
  std::size_t base = 0;
  for (std::size_t text = 0; text < texts.size(); base += tokens[text++]) {
    const std::size_t end = base + tokens[text];
    if (range == starts.size() || starts[range] >= end) continue;
    tokenize_text(texts, text, read);
    if (read.size() != tokens[text] || read.size() < min_tokens) {
      throw ArgumentError("text " + std::to_string(text) + " has other tokens than it had");
    }
    shingle_hashes(std::span<const std::uint64_t>(read.hashes), min_tokens, hashes);
    recent.begin_text();
    for (; range < starts.size() && starts[range] < end; ++range) {
      const std::size_t first = starts[range] - base;
      if (starts[range] < base || first + counts[range] > hashes.size()) {
        throw ArgumentError("ranges rise, and each lies in one text");
      }
      for (std::size_t at = first; at < first + counts[range]; ++at) {
        const std::size_t behind = at + min_tokens;
        const std::uint32_t before = at == 0 ? 0 : neighbour(read.hashes[at - 1]);
        const std::uint32_t after = behind == read.size() ? 0 : neighbour(read.hashes[behind]);
        const auto number = static_cast<std::uint32_t>(windows.at.size());
        const std::uint32_t taken = recent.take(hashes[at], at, number);
        if (taken != number) {
          if (windows.before[taken] != before) windows.before[taken] = 0;
          if (windows.after[taken] != after) windows.after[taken] = 0;
          continue;
        }
        windows.hashes.push_back(hashes[at]);
        windows.at.push_back(static_cast<std::uint32_t>(base + at));
        windows.before.push_back(before);
        windows.after.push_back(after);
      }
    }
  }
  return windows;
}

WindowGroups group_windows(const Windows& windows, std::span<const std::uint8_t> is_dropped,
                           std::span<const std::uint64_t> by, std::uint32_t max_copies) {
  const std::size_t size = windows.hashes.size();
  if (by.empty() || by.front() != 0 || by.back() != size || !std::ranges::is_sorted(by) ||
      is_dropped.size() != size) {
    throw ArgumentError("each window has its block, and whether it is dropped");
  }
  std::vector<std::uint32_t> block_of(size);
  for (std::size_t block = 0; block + 1 < by.size(); ++block) {
    std::fill(block_of.begin() + static_cast<std::ptrdiff_t>(by[block]),
              block_of.begin() + static_cast<std::ptrdiff_t>(by[block + 1]),
              static_cast<std::uint32_t>(block));
  }
  Groups groups = equal_groups(windows.hashes);
  std::vector<std::uint32_t> group_of(size, none);
  std::vector<std::uint8_t> flags(size);
  WindowGroups found;
  found.places.reserve(groups.members.size());
  for (std::size_t group = 0; group + 1 < groups.starts.size(); ++group) {
    const auto members =
        std::span<const std::uint32_t>(groups.members)
            .subspan(groups.starts[group], groups.starts[group + 1] - groups.starts[group]);
    const std::uint32_t before = windows.before[members.front()];
    const std::uint32_t after = windows.after[members.front()];
    bool is_same_before = before != 0;
    bool is_same_after = after != 0;
    std::uint64_t shape = 0;
    std::uint32_t copies = 0;
    for (const std::uint32_t member : members) {
      is_same_before &= windows.before[member] == before;
      is_same_after &= windows.after[member] == after;
      const std::uint64_t place = std::uint64_t{block_of[member]} << 32 | windows.at[member];
      const std::uint64_t gap = member == members.front() ? 0 : place - found.places.back();
      shape = fmix64(shape + gap);
      found.places.push_back(place);
      group_of[member] = static_cast<std::uint32_t>(group);
      if (is_dropped[member]) continue;
      flags[member] = copies < max_copies ? 0 : Occurrences::surplus;
      ++copies;
    }
    for (const std::uint32_t member : members) {
      flags[member] |= is_same_before ? Occurrences::same_before : 0;
      flags[member] |= is_same_after ? Occurrences::same_after : 0;
    }
    flags[members.front()] |= Occurrences::first;
    found.counts.push_back(static_cast<std::uint32_t>(members.size()));
    found.shapes.push_back(shape);
  }
  found.by.push_back(0);
  for (std::size_t block = 0; block + 1 < by.size(); ++block) {
    for (std::size_t window = by[block]; window < by[block + 1]; ++window) {
      if (group_of[window] == none) continue;
      found.at.push_back(windows.at[window]);
      found.flags.push_back(flags[window]);
      found.groups.push_back(group_of[window]);
    }
    found.by.push_back(found.at.size());
  }
  found.starts = std::move(groups.starts);
  return found;
}

Passages find_passages(std::span<const std::uint32_t> tokens, const Occurrences& occurrences,
                       std::size_t min_tokens, bool with_variants) {
  const std::size_t size = occurrences.at.size();
  if (occurrences.flags.size() != size || occurrences.counts.size() != size ||
      occurrences.shapes.size() != size) {
    throw ArgumentError("each occurrence has its place, flags, count and shape");
  }
  return PassageFinder(tokens, occurrences, min_tokens, with_variants).find();
}

TextSpans find_spans(const TextBlock& texts, std::span<const std::uint32_t> numbers,
                     std::span<const std::uint32_t> starts, std::span<const std::uint32_t> counts) {
  if (numbers.size() != starts.size() || numbers.size() != counts.size()) {
    throw ArgumentError("each span has its text, its start and its count");
  }
  TextSpans spans;
  Tokens read;
  std::size_t open = none;
  for (std::size_t span = 0; span < numbers.size(); ++span) {
    const std::size_t number = numbers[span];
    if (number >= texts.size()) throw ArgumentError("a span lies in no text of its block");
    if (number != open) tokenize_text(texts, number, read);
    open = number;
    const std::size_t first = starts[span];
    const std::size_t count = counts[span];
    if (count == 0 || first + count > read.size()) {
      throw ArgumentError("a span has tokens, all of them in its text");
    }
    spans.starts.push_back(read.starts[first]);
    spans.ends.push_back(read.ends[first + count - 1]);
    spans.contents.push_back(
        content_hash(std::span<const std::uint64_t>(read.hashes).subspan(first, count)));
  }
  return spans;
}

std::vector<double> jaccards(std::span<const std::string_view> texts,
                             std::span<const std::uint32_t> left,
                             std::span<const std::uint32_t> right, std::size_t shingle_size) {
  if (left.size() != right.size()) throw ArgumentError("each pair has two texts");
  std::vector<std::vector<std::uint64_t>> sets(texts.size());
  Tokens tokens;
  for (std::size_t text = 0; text < texts.size(); ++text) {
    tokenize(texts[text], tokens);
    shingle_hashes(std::span<const std::uint64_t>(tokens.hashes), shingle_size, sets[text]);
    std::ranges::sort(sets[text]);
    const auto repeats = std::ranges::unique(sets[text]);
    sets[text].erase(repeats.begin(), repeats.end());
  }
  std::vector<double> found(left.size());
  for (std::size_t pair = 0; pair < left.size(); ++pair) {
    if (left[pair] >= texts.size() || right[pair] >= texts.size()) {
      throw ArgumentError("a pair names a text that is not there");
    }
    const auto& one = sets[left[pair]];
    const auto& two = sets[right[pair]];
    std::size_t common = 0;
    for (std::size_t i = 0, j = 0; i < one.size() && j < two.size();) {
      const bool is_common = one[i] == two[j];
      common += is_common;
      const bool is_less = one[i] < two[j];
      j += !is_less;
      i += is_less || is_common;
    }
    const std::size_t either = one.size() + two.size() - common;
    found[pair] = either == 0 ? 0.0 : static_cast<double>(common) / static_cast<double>(either);
  }
  return found;
}

}  // namespace dedup
