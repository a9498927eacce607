#include "leet.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "letters.h"
#include "streaks.h"

namespace dedup {
namespace {

// What a digit or sign stands for, the likeliest first; "." for nothing at all, which a sign at
// either end of a word may.
struct Sign {
  char sign;
  std::string_view letters;
};
constexpr Sign kSigns[] = {
    {'0', "o"},  {'1', "il"}, {'2', "z"},  {'3', "e"},  {'4', "a"},  {'5', "s"},  {'6', "gb"},
    {'7', "t"},  {'8', "b"},  {'9', "gq"}, {'@', "a"},  {'$', "s"},  {'!', ".i"}, {'|', "li"},
    {'+', "t."}, {'(', ".c"}, {')', "."},  {'#', ".h"}, {'^', "a."}, {'?', "."},  {'%', "x"},
};

enum Class : uint8_t { kOther, kLetter, kDigit, kMark, kApostrophe };
constexpr auto kClasses = [] {
  std::array<uint8_t, 256> classes{};
  for (int letter = 'a'; letter <= 'z'; ++letter) {
    classes[letter] = classes[letter - 0x20] = kLetter;
  }
  for (const Sign& sign : kSigns) {
    classes[static_cast<uint8_t>(sign.sign)] =
        sign.sign <= '9' && sign.sign >= '0' ? kDigit : kMark;
  }
  classes['\''] = kApostrophe;
  return classes;
}();
constexpr auto kLetters = [] {
  std::array<std::string_view, 128> letters{};
  for (const Sign& sign : kSigns) letters[sign.sign] = sign.letters;
  return letters;
}();

uint8_t class_of(char byte) { return kClasses[static_cast<uint8_t>(byte)]; }

struct Candidate {
  uint32_t start, end;
  double score;
  std::string word;  // what it is read as; empty if as nothing
};

constexpr size_t kLongest = 32;  // bytes of a word
constexpr uint32_t kTries = 12;  // words looked up for one: each is known by chance in 1 of 300
// Of a streak: two words of five letters and more, or four of four, and more if others make none.
constexpr double kLeast = 4, kLong = 2, kMiddling = 1, kShort = 0.5, kUnknown = -2;
constexpr size_t kFewest = 2;               // signs within words
constexpr size_t kBlock = 64;               // bytes looked at at once
constexpr uint32_t kGap = 100, kNear = 12;  // bytes

class Respeller {
 public:
  Respeller(std::string_view text, const Vocabulary& vocabulary)
      : text_(text), vocabulary_(vocabulary) {}

  // Reads only around digits and signs within words, of which most texts have few.
  std::optional<Reading> read() {
    size_t done = 0, last = 0, before = 0;  // the last block that has some, and how many
    for (size_t block = 0; block < text_.size(); block += kBlock) {
      const size_t signs = signs_within(block);
      if (signs == 0) continue;
      if (block - last > 2 * kBlock) before = 0;
      if (signs + before >= kFewest) {
        const size_t from = before > 0 ? last : block;
        done = take_all(std::max(done, from - std::min(from, kBlock)), done, block + 2 * kBlock);
      }
      last = block;
      before = signs;
    }
    return respelled();
  }

 private:
  // How many digits of the block at `at` stand beside a letter, and signs that may be letters there
  // between such or letters.
  size_t signs_within(size_t at) const {
    const std::string_view block = text_.substr(at, kBlock);
    uint8_t any = 0;
    for (const char byte : block) {
      const bool is_digit = static_cast<uint8_t>(byte - '0') < 10;
      any |= static_cast<uint8_t>(is_digit | (byte == '@') | (byte == '$') | (byte == '!') |
                                  (byte == '|') | (byte == '+') | (byte == '#'));
    }
    if (any == 0) return 0;
    size_t signs = 0;
    const auto kind = [&](size_t i) {
      return i < text_.size() ? class_of(text_[i]) : uint8_t{kOther};
    };
    for (size_t i = at; i < at + block.size(); ++i) {
      if (class_of(text_[i]) < kDigit) continue;
      const uint8_t one = kind(i), left = kind(i - 1), right = kind(i + 1);
      signs += one == kDigit  ? left == kLetter || right == kLetter
               : one == kMark ? left != kOther && right != kOther && is_letter_within(text_[i])
                              : 0;
    }
    return signs;
  }

  static bool is_letter_within(char sign) { return sign != '(' && sign != ')' && sign != '?'; }

  // Takes the words from `at` on, or from where that begins which is there but not before `done`,
  // up to `end`; returns where the last ends.
  size_t take_all(size_t at, size_t done, size_t end) {
    while (at > done && class_of(text_[at - 1]) != kOther) --at;
    end = std::min(end, text_.size());
    while (at < end) {
      while (at < end && class_of(text_[at]) == kOther) ++at;
      uint32_t classes = 0;
      const size_t start = at;
      for (; at < text_.size() && class_of(text_[at]) != kOther; ++at) {
        classes |= 1u << class_of(text_[at]);
      }
      if ((classes & (1u << kDigit | 1u << kMark)) == 0 || at - start > kLongest) continue;
      take(start, at, (classes & 1u << kLetter) != 0);
    }
    return at;
  }

  void take(size_t start, size_t end, bool has_letters) {
    // Signs at the ends that can only be signs.
    const auto is_edge = [&](size_t at) {
      return class_of(text_[at]) == kApostrophe ||
             (class_of(text_[at]) == kMark && letters(at) == ".");
    };
    while (start < end && is_edge(start)) ++start;
    while (start < end && is_edge(end - 1)) --end;
    if (start == end) return;
    // With a sign left out at an end it may be a plain word in brackets, with an exclamation mark.
    size_t first = start, last = end;
    while (first < last && class_of(text_[first]) == kMark) ++first;
    while (first < last && class_of(text_[last - 1]) == kMark) --last;
    bool is_plain = first < last;
    for (size_t at = first; at < last; ++at) {
      is_plain &= class_of(text_[at]) == kLetter || class_of(text_[at]) == kApostrophe;
    }
    if (is_plain && (vocabulary_.empty() || knows(first, last))) return;
    Candidate found{static_cast<uint32_t>(start), static_cast<uint32_t>(end), 0, {}};
    tries_ = 0;
    word_.clear();
    if (!knows(start, end) && walk(start, start, end)) found.word = word_;
    if (has_letters && !is_plain) {
      const size_t size = found.word.size();
      found.score = size >= 5                     ? kLong
                    : size == 4                   ? kMiddling
                    : size == 3                   ? kShort
                    : size > 0 || end - start < 3 ? 0
                                                  : kUnknown;
    }
    candidates_.push_back(std::move(found));
  }

  std::string_view letters(size_t at) const { return kLetters[static_cast<uint8_t>(text_[at])]; }

  // Whether what stands there is a word, apostrophes and all.
  bool knows(size_t start, size_t end) const {
    std::string word;
    for (size_t at = start; at < end; ++at) {
      const uint8_t kind = class_of(text_[at]);
      if (kind == kMark) return false;
      if (kind != kApostrophe) word += static_cast<char>(text_[at] | 0x20);
    }
    return vocabulary_.knows(word);
  }

  // Puts letters for what is from `at` on, until `word_` is one that is known or tries run out.
  bool walk(size_t at, size_t start, size_t end) {
    if (at == end) return ++tries_ <= kTries && !word_.empty() && vocabulary_.knows(word_);
    const uint8_t kind = class_of(text_[at]);
    if (kind == kApostrophe) return walk(at + 1, start, end);
    if (kind == kLetter) {
      word_ += static_cast<char>(text_[at] | 0x20);
      if (walk(at + 1, start, end)) return true;
      word_.pop_back();
      return false;
    }
    for (const char letter : letters(at)) {
      if (tries_ > kTries) return false;
      if (text_[at] == '(' && at != start) return false;  // a call, in code
      if (letter == '.') {
        if (at != start && at + 1 != end) continue;
        if (walk(at + 1, start, end)) return true;
        continue;
      }
      word_ += letter;
      if (walk(at + 1, start, end)) return true;
      word_.pop_back();
    }
    return false;
  }

  std::optional<Reading> respelled() const {
    std::optional<Reading> reading;
    uint32_t done = 0;
    const auto belongs = [](const Candidate& one) { return one.score == 0 && !one.word.empty(); };
    each_streak(candidates_, kLeast, kGap, kNear, belongs, [&](size_t from, size_t to) {
      if (!reading) reading.emplace();
      for (size_t i = from; i < to; ++i) {
        const Candidate& candidate = candidates_[i];
        if (candidate.word.empty()) continue;
        reading->copy(text_, done, candidate.start);
        reading->put(candidate.word, candidate.start, candidate.end);
        done = candidate.end;
      }
    });
    if (reading) reading->copy(text_, done, static_cast<uint32_t>(text_.size()));
    return reading;
  }

  std::string_view text_;
  const Vocabulary& vocabulary_;
  std::vector<Candidate> candidates_;
  std::string word_;
  uint32_t tries_ = 0;
};

}  // namespace

std::optional<Reading> without_leet(std::string_view utf8, const Vocabulary& vocabulary) {
  if (vocabulary.empty()) return std::nullopt;
  return Respeller(utf8, vocabulary).read();
}

}  // namespace dedup
