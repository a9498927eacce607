#include "thinning.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <vector>

namespace dedup {

namespace {

// Every tenth word with a filler behind it, and three fillers in turns.
constexpr size_t kMostPeriod = 12;
constexpr size_t kLeastFillers = 6;  // five of "of a, of b, of c" are met in every tenth chapter
constexpr size_t kBlock = 64;
// What is left of a text is worth a search only from here on.
constexpr size_t kLeastLeft = 12;
// Without its fillers a text may show others, whose distance they had disturbed.
constexpr size_t kMostPasses = 4;

constexpr uint8_t kNumber = 0;  // stands for any number

// The tokens that have not been found to be fillers.
struct Left {
  std::vector<uint32_t> numbers;  // of the tokens of the text
  std::vector<uint64_t> hashes;
  std::vector<uint8_t> low;  // a byte of each, so that many are compared at once

  size_t size() const { return numbers.size(); }
  void resize(size_t size) {
    numbers.resize(size);
    hashes.resize(size);
    low.resize(size);
  }
};

class Thinner {
 public:
  Thinner(std::string_view utf8, const Tokens& tokens) : utf8_(utf8), tokens_(tokens) {
    left_.low.resize(tokens.size());
    for (uint32_t i = 0; i < tokens.size(); ++i) left_.low[i] = low_of(i);
    left_.hashes = tokens.hashes;
    left_.numbers.resize(tokens.size());
    std::iota(left_.numbers.begin(), left_.numbers.end(), 0u);
  }

  const std::vector<uint32_t>& left() const { return left_.numbers; }

  // Whether there were any fillers.
  bool drop() {
    fillers_.clear();
    for (size_t from = 0; from < left_.size(); from += kBlock) {
      for (size_t period = 2; period <= kMostPeriod; ++period) {
        if (count_equal(from, period) >= kLeastFillers - 1) find(from, period);
      }
    }
    if (fillers_.empty()) return false;
    size_t left = 0;
    for (size_t i = 0; i < left_.size(); ++i) {
      if (fillers_[i]) continue;
      left_.numbers[left] = left_.numbers[i];
      left_.hashes[left] = left_.hashes[i];
      left_.low[left++] = left_.low[i];
    }
    left_.resize(left);
    return true;
  }

 private:
  std::string_view written(uint32_t token) const {
    return utf8_.substr(tokens_.starts[token], tokens_.ends[token] - tokens_.starts[token]);
  }
  uint8_t low_of(uint32_t token) const {
    const bool is_number =
        is_digit(utf8_[std::min<size_t>(tokens_.starts[token], utf8_.size() - 1)]);
    return is_number ? kNumber : static_cast<uint8_t>(tokens_.hashes[token]);
  }
  static bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

  // Its value, or 0 if the token is no number.
  uint32_t number_of(uint32_t token) const {
    const std::string_view digits = written(token);
    if (digits.size() > 9 || !std::ranges::all_of(digits, is_digit)) return 0;
    uint32_t number = 0;
    for (const char digit : digits) number = number * 10 + static_cast<uint32_t>(digit - '0');
    return number;
  }

  // Whether one is the filler that comes after the other.
  bool follows(size_t before, size_t after) const {
    if (left_.hashes[before] == left_.hashes[after]) return true;
    if (left_.low[before] != kNumber || left_.low[after] != kNumber) return false;
    const uint32_t first = number_of(left_.numbers[before]);
    return first != 0 && number_of(left_.numbers[after]) == first + 1;
  }

  // Tokens of a block that may be followed at a distance.
  size_t count_equal(size_t from, size_t period) const {
    const size_t to = std::min(from + kBlock, left_.size() - std::min(left_.size(), period));
    uint8_t equal = 0;
    for (size_t i = from; i < to; ++i) {
      equal = static_cast<uint8_t>(equal + (left_.low[i] == left_.low[i + period]));
    }
    return equal;
  }

  // Marks those that stand in a row with some of a block.
  void find(size_t from, size_t period) {
    const size_t around = period * (kLeastFillers - 1);
    const size_t first = from - std::min(from, around);
    const size_t to = std::min(from + kBlock + around, left_.size());
    std::array<uint8_t, kBlock + 2 * kMostPeriod * kLeastFillers> before{};  // in a row
    for (size_t i = first + period; i < to; ++i) {
      if (!follows(i - period, i)) continue;
      uint8_t& row = before[i - first];
      row = static_cast<uint8_t>(before[i - period - first] + 1);
      if (row < kLeastFillers - 1) continue;
      fillers_.resize(left_.size());
      for (size_t back = 0; back < kLeastFillers; ++back) fillers_[i - back * period] = true;
    }
  }

  const std::string_view utf8_;
  const Tokens& tokens_;
  Left left_;                  // all of them at first
  std::vector<bool> fillers_;  // of those left; empty if there are none
};

}  // namespace

std::optional<Reading> thinned(std::string_view utf8, const Tokens& tokens) {
  if (tokens.size() < kLeastLeft + kLeastFillers) return std::nullopt;
  Thinner thinner(utf8, tokens);
  size_t passes = 0;
  while (passes < kMostPasses && thinner.drop()) ++passes;
  if (passes == 0 || thinner.left().size() < kLeastLeft) return std::nullopt;
  Reading reading;
  uint32_t from = 0;
  size_t next = 0;
  for (uint32_t i = 0; i < tokens.size(); ++i) {
    if (next < thinner.left().size() && thinner.left()[next] == i) {
      ++next;
      continue;
    }
    reading.copy(utf8, from, tokens.starts[i]);
    from = tokens.ends[i];
    // Words that had nothing but the filler between them remain apart.
    const bool is_joined = (i > 0 && tokens.ends[i - 1] == tokens.starts[i]) ||
                           (i + 1 < tokens.size() && tokens.starts[i + 1] == from);
    if (is_joined) reading.put(" ", tokens.starts[i], from);
  }
  reading.copy(utf8, from, static_cast<uint32_t>(utf8.size()));
  return reading;
}

std::optional<Reading> thinned(std::string_view utf8) {
  Tokens tokens;
  tokenize(utf8, tokens);
  return thinned(utf8, tokens);
}

}  // namespace dedup
