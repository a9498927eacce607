#include "word_cuts.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "letters.h"
#include "streaks.h"

namespace dedup {
namespace {

constexpr uint32_t kLongest = 16;  // letters of a word; of English text 1 in 5,000 has more

// What a word of so many letters is worth, against kSkipped for each letter that is in none. Long
// ones are worth more than the short ones within them, but no more than a few: of strings of any
// length one in 300 passes for a word.
constexpr std::array<float, kLongest + 1> kWorth = {0, -5, -2, 0.5, 2, 4, 5, 6, 7,
                                                    8, 8,  8,  8,   8, 8, 8, 8};
constexpr float kSkipped = -4;
constexpr float kKept = 2;  // more for a word that stands so in the text

// More for one of the commonest words: in a vocabulary of 100,000 words seven of ten strings of
// three letters are words too. Of the runs of five words of joined English 74 % are found again
// there, 22 % without this; of 1,000 words 95 %, of 10,000 84 %, of 550,000 66 %.
constexpr float kCommon = 4;
constexpr std::string_view kCommonWords =
    "the of and to in a is that it was for on are as with his they at be this from i have or by "
    "one "
    "had not but what all were when we there can an your which their said if do will each about "
    "how "
    "up out them then she many some so these would other into has more her two like him see time "
    "could no make than first been its who now people my made over did down only way find use may "
    "long little very after words called just where most know get through back much before go good "
    "new our me man too any day same right look think also around came come work three must "
    "because "
    "does part even place well such here take why things help put years different away again off "
    "went old number great tell men say small every found still between should home big give air "
    "line set own under read last never us left end along while might next sound below saw "
    "something "
    "thought both few those always looked show large often together asked house world going want "
    "against shall upon nothing being without though yet once am";

// Letters one behind the other, without what separates them.
struct Letters {
  std::string text;                  // folded
  std::vector<uint32_t> at;          // where each begins there, and the end
  std::vector<uint32_t> start, end;  // in the original
  std::vector<uint8_t> begins;       // a piece of the original

  size_t size() const { return start.size(); }
  void clear() {
    text.clear();
    for (auto* all : {&at, &start, &end}) all->clear();
    begins.clear();
  }
  void add(std::string_view letter, uint32_t from, uint32_t to, bool begins_piece) {
    at.push_back(static_cast<uint32_t>(text.size()));
    text += letter;
    start.push_back(from);
    end.push_back(to);
    begins.push_back(begins_piece);
  }
  void close() { at.push_back(static_cast<uint32_t>(text.size())); }
};

// Whether a word is one of the commonest, by the hash of it.
bool is_common(uint64_t hash) {
  static const auto hashes = [] {
    std::vector<uint64_t> all;
    for (std::string_view left = kCommonWords; !left.empty();) {
      const size_t size = std::min(left.find(' '), left.size());
      all.push_back(xxh3_64(left.substr(0, size)));
      left.remove_prefix(std::min(size + 1, left.size()));
    }
    std::ranges::sort(all);
    return all;
  }();
  return std::ranges::binary_search(hashes, hash);
}

// The best way to cut letters into words.
class Cutter {
 public:
  explicit Cutter(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {}

  // Fills `sizes` with those of words, and of single letters in none as 0, in order.
  void cut(const Letters& letters, std::vector<uint8_t>& sizes) {
    look_up(letters);
    best(letters, 0, letters.size());
    sizes.clear();
    for (size_t at = letters.size(); at > 0; at -= std::max<size_t>(1, back_[at])) {
      sizes.push_back(back_[at]);
    }
    std::ranges::reverse(sizes);
  }

 private:
  // Segments of which not even samples are words are not looked up further, so that what is no
  // text at all costs little.
  static constexpr size_t kSegment = 256, kSample = 32;

  void look_up(const Letters& letters) {
    const size_t size = letters.size();
    words_.assign(size, 0);
    common_.assign(size, 0);
    for (size_t from = 0; from < size; from += kSegment) {
      const size_t to = std::min(size, from + kSegment);
      if (to - from > 3 * kSample) {
        const size_t middle = from + kSegment / 2;
        if (!is_promising(letters, from) && (middle >= to || !is_promising(letters, middle))) {
          continue;
        }
      }
      look_up(letters, from, to);
    }
  }

  bool is_promising(const Letters& letters, size_t from) {
    const size_t to = std::min(letters.size(), from + kSample);
    look_up(letters, from, to);
    best(letters, from, to);
    size_t skipped = 0;
    for (size_t at = to; at > from; at -= std::max<size_t>(1, back_[at])) skipped += back_[at] == 0;
    return 2 * skipped < to - from;
  }

  // Sets of each letter which numbers of letters from it on are words.
  void look_up(const Letters& letters, size_t from, size_t to) {
    hashes_.clear();
    for (size_t i = from; i < to; ++i) {
      const size_t longest = std::min<size_t>(kLongest, letters.size() - i);
      for (size_t length = 1; length <= longest; ++length) {
        hashes_.push_back(
            xxh3_64(letters.text.data() + letters.at[i], letters.at[i + length] - letters.at[i]));
      }
    }
    keyed_.resize(hashes_.size());
    vocabulary_.key().all(hashes_, keyed_.data());
    size_t next = 0;
    for (size_t i = from; i < to; ++i) {
      const size_t longest = std::min<size_t>(kLongest, letters.size() - i);
      uint32_t words = 0, common = 0;
      for (size_t length = 1; length <= longest; ++length, ++next) {
        if (!vocabulary_.holds(keyed_[next])) continue;
        words |= 1u << length;
        if (is_common(hashes_[next])) common |= 1u << length;
      }
      words_[i] = words;
      common_[i] = common;
    }
  }

  // Fills back_ within (from, to]: the size of the word that ends there on the best way, or 0.
  void best(const Letters& letters, size_t from, size_t to) {
    constexpr float kNever = -1e30f;
    score_.resize(letters.size() + 1);
    back_.resize(letters.size() + 1);
    std::fill(score_.begin() + static_cast<ptrdiff_t>(from),
              score_.begin() + static_cast<ptrdiff_t>(to) + 1, kNever);
    score_[from] = 0;
    for (size_t i = from; i < to; ++i) {
      const auto reach = [&](size_t end, float score, uint8_t size) {
        if (score <= score_[end]) return;
        score_[end] = score;
        back_[end] = size;
      };
      reach(i + 1, score_[i] + kSkipped, 0);
      size_t piece = i + 1;  // where the piece that begins here ends
      if (letters.begins[i]) {
        while (piece < letters.size() && !letters.begins[piece] && piece - i < kLongest) ++piece;
      }
      for (uint32_t left = words_[i]; left != 0; left &= left - 1) {
        const auto size = static_cast<uint32_t>(std::countr_zero(left));
        if (i + size > to) break;
        const bool kept = size > 1 && letters.begins[i] && piece == i + size &&
                          (piece == letters.size() || letters.begins[piece]);
        const float worth = kWorth[size] + (common_[i] >> size & 1) * kCommon + kept * kKept;
        reach(i + size, score_[i] + worth, static_cast<uint8_t>(size));
      }
    }
  }

  const Vocabulary& vocabulary_;
  std::vector<uint64_t> hashes_, keyed_;
  std::vector<uint32_t> words_, common_;
  std::vector<float> score_;
  std::vector<uint8_t> back_;
};

// A run of letters in the text, apostrophes and what is not seen within it left out.
struct Piece {
  uint32_t start, end, letters;
  bool is_known;
  bool is_barrier;  // holds digits, or is a character that is a word
  bool is_camel;    // has a capital behind a small letter, as names in code do
  bool is_apart;    // a sign of code stands before it
  bool is_scrap;    // one of many as short as are no words side by side
};

struct Candidate {
  uint32_t start, end;
  double score;
  std::vector<std::pair<std::string, Span>> words;  // none if it stays as it is
};

// Of a streak: six words of five letters, or twenty as a text has them are twice as many.
constexpr double kLeast = 20;
constexpr uint32_t kNear = 4;  // bytes
constexpr uint32_t kGap = 60;  // bytes: at every third word spaced one comes sooner in most cases
constexpr size_t kScraps = 8;  // pieces of up to two letters in a row
constexpr size_t kSpaced = 8;  // letters from where on they were spaced on purpose
constexpr std::string_view kCodeSigns = "=(){}[]<>_;&|\\/#";
constexpr uint32_t kName = 32;  // letters of a piece from where it can't be a name in code

class Recutter {
 public:
  Recutter(std::string_view text, const Vocabulary& vocabulary)
      : text_(text), vocabulary_(vocabulary), cutter_(vocabulary) {}

  // Whether what is hidden in the text may go on behind it.
  bool read() {
    find_pieces();
    for (size_t at = 0; at < pieces_.size();) {
      const size_t alone = alone_end(at);
      if (alone - at >= kSpaced && take_spaced(at, alone)) {
        at = alone;
      } else if (vocabulary_.empty()) {
        at = std::max(alone, at + 1);
      } else {
        const size_t end = stretch_end(at);
        if (end > at) take(at, end);
        at = std::max(end, at + 1);
      }
    }
    return !candidates_.empty() && candidates_.back().end + kGap > text_.size() &&
           belongs(candidates_.back());
  }

  // Puts words for what hides them. The text begins at `base` of the whole one, of which `reading`
  // has what is before `done`. False if it hides none.
  bool recut(uint32_t base, std::string_view whole, std::optional<Reading>& reading,
             uint32_t& done) const {
    const uint32_t before = done;
    each_streak(candidates_, kLeast, kGap, kNear, belongs, [&](size_t from, size_t to) {
      for (size_t i = from; i < to; ++i) {
        const Candidate& candidate = candidates_[i];
        if (candidate.words.empty()) continue;
        if (!reading) reading.emplace();
        reading->copy(whole, done, base + candidate.start);
        for (const auto& [word, span] : candidate.words) {
          // A space that was not there belongs to the word behind it.
          const bool first = &word == &candidate.words.front().first;
          reading->put(first ? word : " " + word, base + static_cast<uint32_t>(span.start),
                       base + static_cast<uint32_t>(span.end));
        }
        done = base + candidate.end;
      }
    });
    return done != before;
  }

 private:
  static bool belongs(const Candidate& one) { return one.score >= -2 && !one.words.empty(); }

  static bool is_odd(const Piece& piece) {
    return !piece.is_known || piece.letters == 1 || piece.is_scrap;
  }

  void find_pieces() {
    std::string word;
    Piece piece{};
    bool open = false, was_small = false, is_apart = false;
    const auto close = [&] {
      if (open) {
        piece.is_known = !piece.is_barrier && vocabulary_.knows(word);
        pieces_.push_back(piece);
      }
      open = false;
    };
    for (uint32_t at = 0; at < text_.size();) {
      const Character character = character_at(text_, at);
      const Letter letter = folded(text_, at, character);
      const uint32_t end = at + character.size;
      if (letter.kind == unicode::own_word || letter.kind == unicode::separator) {
        close();
        is_apart |= character.point < 0x80 &&
                    kCodeSigns.find(static_cast<char>(character.point)) != kCodeSigns.npos;
        if (letter.kind == unicode::own_word)
          pieces_.push_back({at, end, 1, false, true, false, false, false});
      } else if (letter.kind == unicode::word) {
        if (!open) {
          piece = {at, end, 0, false, false, false, is_apart, false};
          is_apart = false;
          word.clear();
          open = true;
          was_small = false;
        }
        const bool is_capital = character.point - 'A' < 26;
        piece.is_camel |= is_capital && was_small;
        was_small = character.point - 'a' < 26;
        piece.is_barrier |= character.point - '0' < 10;
        piece.end = end;
        ++piece.letters;
        if (piece.letters <= kLongest) {
          word += letter.text();
        } else {
          word.clear();
        }
      }
      at = end;
    }
    close();
    for (size_t from = 0, at = 0; at <= pieces_.size(); ++at) {
      if (at < pieces_.size() && !pieces_[at].is_barrier && pieces_[at].letters <= 2) continue;
      if (at - from >= kScraps) {
        for (size_t i = from; i < at; ++i) pieces_[i].is_scrap = true;
      }
      from = at + 1;
    }
  }

  // Where the run of letters that stand alone ends which begins with piece `at`.
  size_t alone_end(size_t at) const {
    while (at < pieces_.size() && pieces_[at].letters == 1 && !pieces_[at].is_barrier) ++at;
    return at;
  }

  // Takes such a run if gaps between its words are wider than those between letters.
  bool take_spaced(size_t at, size_t end) {
    const auto gap = [&](size_t i) {  // before piece i
      return text_.substr(pieces_[i - 1].end, pieces_[i].start - pieces_[i - 1].end);
    };
    std::string_view narrow = gap(at + 1);
    for (size_t i = at + 2; i < end; ++i) {
      if (gap(i).size() < narrow.size()) narrow = gap(i);
    }
    const bool has_space = narrow.find_first_of(" \t\n") != narrow.npos;
    const auto is_wide = [&](size_t i) {
      return gap(i).size() > narrow.size() ||
             (!has_space && gap(i).find_first_of(" \t\n") != narrow.npos);
    };
    const size_t before = candidates_.size();
    size_t known = 0;
    bool exact = true;  // one sign between letters, white space between words
    for (size_t from = at; from < end;) {
      size_t to = from + 1;
      while (to < end && !is_wide(to)) ++to;
      exact &= to == end || gap(to).find_first_not_of(" \t\r\n.,:!?\"'-") == narrow.npos;
      for (size_t i = from + 1; i < to; ++i) exact &= gap(i) == narrow;
      exact &= to - from <= kLongest;
      gather(from, to);
      const bool is_word = vocabulary_.knows(letters_.text);
      const auto letters = letters_.size();
      known += is_word * letters;
      Candidate unit{pieces_[from].start, pieces_[to - 1].end, 0, {}};
      unit.score = vocabulary_.empty() ? kLeast : is_word ? value(letters, true) : -1;
      unit.words.emplace_back(letters_.text, Span{unit.start, unit.end});
      candidates_.push_back(std::move(unit));
      from = to;
    }
    const size_t words = candidates_.size() - before, letters = end - at;
    const bool is_likely = vocabulary_.empty()
                               ? exact && words > 1 && 2 * words <= letters && letters <= 9 * words
                               : 2 * known >= letters;
    if (!is_likely) candidates_.resize(before);
    return is_likely;
  }

  // Where the stretch that begins with piece `at` ends: one of odd pieces, of which no more than
  // two that are words divide the next.
  size_t stretch_end(size_t at) const {
    const auto odd = [&](size_t i) {
      return i < pieces_.size() && !pieces_[i].is_barrier && is_odd(pieces_[i]);
    };
    if (!odd(at) && !(is_short(at) && odd(at + 1) && !pieces_[at + 1].is_apart)) return at;
    size_t end = at;
    for (size_t i = at; i < pieces_.size() && !pieces_[i].is_barrier && i <= end + 2; ++i) {
      // But letters that stand alone may be divided by any sign.
      const bool alone = i > at && pieces_[i].letters == 1 && pieces_[i - 1].letters == 1;
      if (i > at && pieces_[i].is_apart && !alone) break;
      if (odd(i)) end = i + 1;
    }
    const bool follows = end < pieces_.size() && is_short(end) && !pieces_[end].is_apart;
    return end + follows;
  }

  bool is_short(size_t at) const { return !pieces_[at].is_barrier && pieces_[at].letters <= 3; }

  void take(size_t from, size_t to) {
    gather(from, to);
    if (letters_.size() < 4) return;
    cutter_.cut(letters_, sizes_);
    // A unit ends where a piece does before and after.
    size_t piece = from, letter = 0;
    Candidate unit{};
    size_t first_piece = from, words = 0;
    for (size_t i = 0; i < sizes_.size();) {
      size_t end = letter;
      const bool is_word = sizes_[i] != 0;
      if (is_word) {
        end += sizes_[i++];
      } else {
        // Letters in no word, up to the next word or piece.
        do {
          ++end;
          ++i;
        } while (i < sizes_.size() && sizes_[i] == 0 && !letters_.begins[end]);
      }
      const std::string_view text(letters_.text.data() + letters_.at[letter],
                                  letters_.at[end] - letters_.at[letter]);
      unit.words.emplace_back(text, Span{letters_.start[letter], letters_.end[end - 1]});
      unit.score += value(end - letter, is_word);
      words += is_word;
      for (size_t k = letter + 1; k < end; ++k) piece += letters_.begins[k];
      letter = end;
      if (letter < letters_.size() && !letters_.begins[letter]) continue;
      add(std::move(unit), first_piece, piece + 1, words);
      unit = {};
      first_piece = ++piece;
      words = 0;
    }
  }

  // What a word of so many letters says for it that this is how the letters are to be read; by
  // chance short ones are found, and long ones too seldom to make up for the letters between them.
  static double value(size_t letters, bool is_word) {
    constexpr std::array<double, 7> kValue = {0, -2, -1, 0, 2, 4, 5};
    if (!is_word) return -2 * static_cast<double>(letters);
    return kValue[std::min(letters, kValue.size() - 1)];
  }

  void add(Candidate unit, size_t from, size_t to, size_t words) {
    unit.start = pieces_[from].start;
    unit.end = pieces_[to - 1].end;
    if (words == 1 && unit.words.size() == 1 && to - from >= 4) unit.score *= 2;
    if (unit.words.size() == 1 && to - from == 1) {
      if (words == 1 && !is_odd(pieces_[from])) return;
      unit.words.clear();  // a piece as it was
      if (words == 1) return;
    } else if (to - from == 1 && may_be_name(from)) {
      unit.score = std::min(unit.score, 0.0);
    } else if (to - from == 1 && pieces_[from].letters < kName && unit.score > 0) {
      unit.score *= 0.7;  // long words are made of short ones in many languages
    }
    candidates_.push_back(std::move(unit));
  }

  // Whether a piece looks like a name in code: not one of several with a space between.
  bool may_be_name(size_t at) const {
    const auto is_beside = [&](size_t one, size_t other) {
      return pieces_[one].is_camel && pieces_[other].is_camel &&
             text_.substr(pieces_[one].end, pieces_[other].start - pieces_[one].end) == " ";
    };
    if (!pieces_[at].is_camel || pieces_[at].letters >= kName) return false;
    return !(at > 0 && is_beside(at - 1, at)) &&
           !(at + 1 < pieces_.size() && is_beside(at, at + 1));
  }

  void gather(size_t from, size_t to) {
    letters_.clear();
    for (size_t i = from; i < to; ++i) {
      for (uint32_t at = pieces_[i].start; at < pieces_[i].end;) {
        const Character character = character_at(text_, at);
        const Letter letter = folded(text_, at, character);
        if (letter.kind == unicode::word) {
          letters_.add(letter.text(), at, at + character.size, at == pieces_[i].start);
        }
        at += character.size;
      }
    }
    letters_.close();
  }

  std::string_view text_;
  const Vocabulary& vocabulary_;
  Cutter cutter_;
  std::vector<Piece> pieces_;
  std::vector<Candidate> candidates_;
  Letters letters_;
  std::vector<uint8_t> sizes_;
};

// Where a text may hide words: what most texts are asked and no more. Its words are measured; of
// every so many, and of long ones, some are looked up, and if they are none, cut.
class Suspicion {
 public:
  Suspicion(std::string_view text, const Vocabulary& vocabulary)
      : text_(text), vocabulary_(vocabulary), cutter_(vocabulary) {}

  // Reads on from `at`. Of what is suspicious there, where it may begin and where it was seen;
  // nothing of the end of the text.
  std::optional<Span> next(size_t at) {
    singles_ = shorts_ = spaced_ = longs_ = since_ = 0;
    begin_ = asked_ = from_ = static_cast<uint32_t>(at);
    const auto size = static_cast<uint32_t>(text_.size());
    for (uint32_t block = from_; block < size; block += 8) {
      uint32_t others = ~letter_mask(text_.substr(block, 8)) & 0xFF;
      for (; others != 0; others &= others - 1) {
        const uint32_t end = block + static_cast<uint32_t>(std::countr_zero(others));
        if (end > from_ && ends(from_, std::min(end, size))) return Span{asked_, end};
        from_ = end + 1;
      }
    }
    if (from_ < size && ends(from_, size)) return Span{asked_, size};
    return std::nullopt;
  }

  // What was suspicious was nothing: a text of unknown words is asked less and less.
  void was_wrong() { every_ = std::min(2 * every_, kSeldom); }

 private:
  // Of up to eight bytes, those that are letters, a bit each. Bytes beyond ASCII count: what they
  // are is seen later.
  static uint32_t letter_mask(std::string_view bytes) {
    constexpr uint64_t kEach = 0x0101010101010101, kHigh = 0x80 * kEach;
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), bytes.size());
    const uint64_t small = (word | 0x20 * kEach) & ~kHigh;
    const uint64_t from_a = small + (0x80 - 'a') * kEach, behind_z = small + (0x7F - 'z') * kEach;
    const uint64_t letters = ((from_a & ~behind_z) | word) & kHigh;
    return static_cast<uint32_t>((letters >> 7) * 0x0102040810204080 >> 56);
  }

  // Counts the word at [from, to); whether it, with those before, is suspicious.
  bool ends(uint32_t from, uint32_t to) {
    const uint32_t length = to - from;
    singles_ = length == 1 ? singles_ + 1 : 0;
    shorts_ = length <= 2 ? shorts_ + 1 : 0;
    spaced_ += singles_ == 3 ? 3 : singles_ > 3 ? 1 : length > 1 && spaced_ > 0 ? -1 : 0;
    longs_ = length >= 7 ? longs_ + 1 : length <= 4 && longs_ > 0 ? longs_ - 1 : longs_;
    ++since_;
    if (spaced_ >= kSpaced || shorts_ >= kScraps) return true;
    if (length >= kLong && is_joined(from, to)) return true;
    if (since_ < every_ && (longs_ < kLongs || 2 * since_ < every_)) return false;
    return hides(to);
  }

  // Whether what looks like a long word is too long for one, or letters with signs beyond ASCII
  // between them.
  bool is_joined(size_t at, size_t to) const {
    uint32_t letters = 0, separators = 0;
    while (at < to) {
      const Character character = character_at(text_, at);
      const unicode::Kind kind = folded(text_, at, character).kind;
      letters += kind == unicode::word;
      separators += kind == unicode::separator;
      at += character.size;
    }
    return letters >= kName || (letters >= kLong / 4 && separators + 1 >= letters);
  }

  // Whether most words before `at` are none, but for short ones, and others are in their letters.
  bool hides(uint32_t at) {
    since_ = longs_ = 0;
    if (vocabulary_.empty()) return false;
    std::array<Span, kSampled> words;
    std::array<uint64_t, kSampled> hashes;
    size_t sampled = 0, unknown = 0, plain = 0;
    for (size_t end = at; sampled < kSampled;) {
      // In batches, the first of which tells of most texts that most of its words are some.
      const size_t before = sampled;
      for (; sampled < before + kBatch; ++sampled) {
        while (end > begin_ && !is_ascii_letter(text_[end - 1])) --end;
        size_t start = end;
        while (start > begin_ && is_ascii_letter(text_[start - 1])) --start;
        if (start == end) break;
        words[sampled] = {start, end};
        hashes[sampled] = hash(words[sampled]);
        end = start;
      }
      if (sampled == before) break;
      const auto batch = std::span(hashes).subspan(before, sampled - before);
      vocabulary_.key().all(batch, batch.data());
      for (size_t i = before; i < sampled; ++i) {
        if (!vocabulary_.holds(hashes[i])) {
          // One word with capitals within is a name in code, several side by side are not.
          unknown +=
              !is_camel(words[i]) ||
              (i > 0 && text_.substr(words[i].end, words[i - 1].start - words[i].end) == " " &&
               is_camel(words[i - 1]));
        } else if (words[i].end - words[i].start > 3) {
          ++plain;
        }
      }
      if (unknown == 0 || 2 * plain > unknown + (kSampled - sampled)) {
        asked_ = static_cast<uint32_t>(end);
        return false;
      }
    }
    if (unknown >= kFewest && unknown >= 2 * plain) {
      if (has_others(std::span(words).first(std::min(sampled, kCut)))) return true;
      was_wrong();
    }
    if (sampled > 0) asked_ = static_cast<uint32_t>(words[sampled - 1].start);
    return false;
  }

  bool is_camel(Span word) const {
    for (size_t at = word.start + 1; at < word.end; ++at) {
      if ((text_[at - 1] & 0x20) != 0 && (text_[at] & 0x20) == 0) return true;
    }
    return false;
  }

  uint64_t hash(Span word) const {
    std::array<char, kName> folded;
    const size_t size = std::min<size_t>(word.end - word.start, kName);
    for (size_t i = 0; i < size; ++i) folded[i] = static_cast<char>(text_[word.start + i] | 0x20);
    return xxh3_64(folded.data(), size);
  }

  // Whether words, the last first, are made of the letters of others.
  bool has_others(std::span<const Span> words) {
    letters_.clear();
    for (size_t i = words.size(); i-- > 0;) {
      const size_t end = std::min<size_t>(words[i].end, words[i].start + kName);
      for (size_t at = words[i].start; at < end; ++at) {
        const char letter = static_cast<char>(text_[at] | 0x20);
        letters_.add({&letter, 1}, 0, 0, at == words[i].start);
      }
    }
    letters_.close();
    cutter_.cut(letters_, sizes_);
    size_t found = 0, skipped = 0, letter = 0;
    for (const uint8_t size : sizes_) {
      const size_t end = letter + std::max<size_t>(1, size);
      skipped += size == 0;
      bool stood = letters_.begins[letter] && (end == letters_.size() || letters_.begins[end]);
      for (size_t i = letter + 1; i < end; ++i) stood &= !letters_.begins[i];
      if (size >= 4 && !stood) found += size;
      letter = end;
    }
    return 5 * skipped <= letters_.size() && 5 * found >= 2 * letters_.size();
  }

  static constexpr uint32_t kLongs = 5;  // words of 7 letters more than of up to 4
  static constexpr size_t kSampled = 12, kBatch = 4, kFewest = 6, kCut = 6;  // words
  static constexpr uint32_t kLong = 20;                                      // bytes of a word
  static constexpr uint32_t kEvery = 24, kSeldom = 96;

  std::string_view text_;
  const Vocabulary& vocabulary_;
  Cutter cutter_;
  Letters letters_;
  uint32_t begin_ = 0, from_ = 0;      // of what is read, of the word that is read
  uint32_t asked_ = 0;                 // where what was asked last begins
  uint32_t singles_ = 0, shorts_ = 0;  // in a row
  uint32_t spaced_ = 0;  // single letters of three and more in a row, less other words
  uint32_t longs_ = 0, since_ = 0, every_ = kEvery;
  std::vector<uint8_t> sizes_;
};

// So much is read behind what is suspicious, and of what goes on twice as much each time.
constexpr size_t kAhead = 256, kWidest = 4096;

// Where the window of so many bytes that begins at `at` ends: at white space if there is any before
// it is twice as long, else at a character.
size_t window_end(std::string_view text, size_t at, size_t size) {
  if (text.size() - at <= 2 * size) return text.size();
  const size_t space = text.find_first_of(" \t\n", at + size);
  size_t end = std::min(space == text.npos ? text.size() : space + 1, at + 2 * size);
  while (end < text.size() && (text[end] & 0xC0) == 0x80) --end;
  return end;
}

}  // namespace

std::optional<Reading> with_words_cut(std::string_view utf8, const Vocabulary& vocabulary) {
  std::optional<Reading> reading;
  uint32_t done = 0;
  Suspicion suspicion(utf8, vocabulary);
  for (std::optional<Span> found = suspicion.next(0); found;) {
    size_t at = found->start, window = std::min(found->end - at + kAhead, kWidest);
    for (bool goes_on = true; goes_on; window = std::min(2 * window, kWidest)) {
      const size_t end = window_end(utf8, at, window);
      Recutter recutter(utf8.substr(at, end - at), vocabulary);
      goes_on = recutter.read() && end < utf8.size();
      if (goes_on && window < kWidest) continue;
      if (!recutter.recut(static_cast<uint32_t>(at), utf8, reading, done)) suspicion.was_wrong();
      at = end;
    }
    found = suspicion.next(at);
  }
  if (reading) reading->copy(utf8, done, static_cast<uint32_t>(utf8.size()));
  return reading;
}

}  // namespace dedup
