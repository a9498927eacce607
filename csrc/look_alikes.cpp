#include "look_alikes.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "letters.h"
#include "look_alikes_table.h"
#include "streaks.h"
#include "tokenize.h"

namespace dedup {
namespace {

using look_alikes::Group;

constexpr uint32_t bit(Group group) { return 1u << group; }
constexpr uint32_t kScripts = bit(look_alikes::latin) | bit(look_alikes::cyrillic) |
                              bit(look_alikes::greek) | bit(look_alikes::other);

constexpr uint32_t kForeign = kScripts & ~bit(look_alikes::latin);

// A run of letters and of what looks like some.
struct Token {
  uint32_t start = 0, end = 0;
  uint32_t groups = 0;            // of what looks like Latin, a bit each
  uint32_t characters = 0;        // but for marks and the like
  uint32_t looking = 0;           // of these, characters that look like Latin
  bool has_latin = false;         // letters that are Latin as they stand
  bool is_strange = false;        // has others that neither are Latin nor look like it
  std::string skeleton;           // folded
  std::vector<uint32_t> strokes;  // where in it an i may be an l, and an l an i
};

struct Candidate {
  uint32_t start, end;
  double score;
  std::string skeleton;
};

constexpr size_t kStrokes = 3;
constexpr uint32_t kLongest = 256;  // characters of a token
// Of a streak: a word that is certain makes one, of likely ones it takes three and more.
constexpr double kLeast = 3, kCertain = 3, kLikely = 1, kSlight = 0.5, kUnlikely = -1;
constexpr uint32_t kNext = 4;  // bytes between words
constexpr uint32_t kGap = 64;  // bytes, some ten words

class Respeller {
 public:
  Respeller(std::string_view text, const Vocabulary& vocabulary)
      : text_(text), vocabulary_(vocabulary) {}

  std::optional<Reading> read() {
    for (size_t at = ascii_end(0); at < text_.size(); at = ascii_end(at)) {
      // A word that goes on beyond ASCII is read from its start.
      size_t word = at;
      while (word > done_ && (is_ascii_letter(text_[word - 1]) || text_[word - 1] == '\'')) --word;
      at = done_ = take(word);
    }
    return respelled();
  }

 private:
  size_t ascii_end(size_t at) const {
    while (at + 8 <= text_.size() && (read64(at) & 0x8080808080808080) == 0) at += 8;
    while (at < text_.size() && static_cast<uint8_t>(text_[at]) < 0x80) ++at;
    return at;
  }

  uint64_t read64(size_t at) const {
    uint64_t word;
    std::memcpy(&word, text_.data() + at, sizeof word);
    return word;
  }

  // Reads the token at `at`, if one is there; returns where to go on.
  size_t take(size_t at) {
    Token token;
    token.start = static_cast<uint32_t>(at);
    while (at < text_.size() && token.characters < kLongest) {
      const Character character = character_at(text_, at);
      const uint16_t entry = look_alikes::entry(character.point);
      if (entry != 0) {
        add_look(token, entry);
      } else if (!add_plain(token, folded(text_, at, character))) {
        break;
      }
      at += character.size;
    }
    token.end = static_cast<uint32_t>(at);
    if (token.groups != 0) judge(token);
    return at > token.start ? at : at + character_at(text_, at).size;
  }

  void add_look(Token& token, uint16_t entry) {
    token.groups |= bit(static_cast<Group>(entry >> 10 & 7));
    if (entry >> 13 != 0) token.strokes.push_back(static_cast<uint32_t>(token.skeleton.size()));
    ++token.characters;
    ++token.looking;
    for (const int letter : {entry & 31, entry >> 5 & 31}) {
      if (letter != 0) token.skeleton += static_cast<char>('a' - 1 + letter);
    }
  }

  // False if the character is no part of the token.
  bool add_plain(Token& token, const Letter& letter) {
    if (letter.kind == unicode::separator) return false;
    if (letter.kind == unicode::own_word && token.groups == 0) return false;
    if (letter.kind != unicode::word && letter.kind != unicode::own_word) return true;
    const bool is_ascii = static_cast<uint8_t>(letter.bytes[0]) < 0x80;
    token.has_latin |= is_ascii_letter(letter.bytes[0]);
    token.is_strange |= !is_ascii;
    ++token.characters;
    token.skeleton += letter.text();
    return true;
  }

  void judge(Token& token) {
    const double speaking = score(token);
    candidates_.push_back({token.start, token.end, speaking, std::move(token.skeleton)});
  }

  // How much speaks for it that the token is drawn and not written.
  double score(Token& token) const {
    if (token.is_strange) return kUnlikely;
    if (token.groups == bit(look_alikes::regional)) {
      // A flag is two of them, unless what is before it was none.
      if (token.characters % 2 == 1) return kCertain;
      const bool follows = !candidates_.empty() && candidates_.back().score > 0 &&
                           token.start - candidates_.back().end <= kNext;
      return follows && knows(token) ? kSlight : -kSlight;
    }
    const bool is_known = knows(token);
    const uint32_t scripts =
        (token.groups & kScripts) | (token.has_latin ? bit(look_alikes::latin) : 0);
    if ((scripts & kForeign) != 0 && std::popcount(scripts) > 1) {
      if (token.characters > 2) return kCertain;
      return is_known ? kSlight : 0;  // units of measure do so
    }
    if (token.characters == 1) return beside_letter(token.start) ? kLikely : 0;
    if ((scripts & kForeign) == 0 && token.looking >= 4 && 2 * token.looking > token.characters &&
        (token.groups & bit(look_alikes::latin)) != 0) {
      return kCertain;  // no language is written in these
    }
    if (!is_known || is_word(token)) return kUnlikely;
    if (token.characters < 4) return kSlight;
    return (scripts & kForeign) != 0 ? kLikely : kCertain;
  }

  // Whether it makes a word, its first strokes read the other way if need be.
  bool knows(Token& token) const {
    if (vocabulary_.knows(token.skeleton)) return true;
    std::string other = token.skeleton;
    const uint32_t ways = 1u << std::min<size_t>(token.strokes.size(), kStrokes);
    for (uint32_t way = 1; way < ways; ++way) {
      // Gray's order: one stroke is turned at a time.
      char& stroke = other[token.strokes[static_cast<size_t>(std::countr_zero(way))]];
      stroke = stroke == 'i' ? 'l' : 'i';
      if (!vocabulary_.knows(other)) continue;
      token.skeleton = std::move(other);
      return true;
    }
    return false;
  }

  // Whether it is one as it stands.
  bool is_word(const Token& token) const {
    const auto tokens = normalised_tokens(text_.substr(token.start, token.end - token.start));
    return tokens.size() == 1 && vocabulary_.knows(tokens[0]);
  }

  // Whether a letter that stands alone does so behind another one: letters are spaced there.
  bool beside_letter(uint32_t start) const {
    if (start < 2 || !is_separator(text_[start - 1])) return false;
    if (is_ascii_letter(text_[start - 2])) return start == 2 || is_separator(text_[start - 3]);
    return !candidates_.empty() && candidates_.back().end == start - 1 &&
           candidates_.back().score > 0 && candidates_.back().skeleton.size() == 1;
  }

  static bool is_separator(char byte) {
    return static_cast<uint8_t>(byte) < 0x80 && !is_ascii_letter(byte);
  }

  std::optional<Reading> respelled() const {
    std::optional<Reading> reading;
    uint32_t done = 0;
    const auto belongs = [](const Candidate& one) { return one.score > 0; };
    each_streak(candidates_, kLeast, kGap, kGap, belongs, [&](size_t from, size_t to) {
      if (!reading) reading.emplace();
      for (size_t i = from; i < to; ++i) {
        const Candidate& candidate = candidates_[i];
        if (candidate.score <= 0) continue;
        done = put(candidate, done, *reading);
      }
    });
    if (reading) reading->copy(text_, done, static_cast<uint32_t>(text_.size()));
    return reading;
  }

  // Puts letters for what looks like some, each in its place; returns up to where the text is read.
  uint32_t put(const Candidate& candidate, uint32_t done, Reading& reading) const {
    size_t letter = 0;  // of the skeleton
    for (uint32_t at = candidate.start; at < candidate.end;) {
      const Character character = character_at(text_, at);
      const uint32_t end = at + character.size;
      if (const uint16_t entry = look_alikes::entry(character.point); entry != 0) {
        const size_t size = (entry >> 5 & 31) != 0 ? 2 : 1;
        reading.copy(text_, done, at);
        reading.put(std::string_view(candidate.skeleton).substr(letter, size), at, end);
        letter += size;
        done = end;
      } else if (const Letter plain = folded(text_, at, character); plain.kind == unicode::word) {
        letter += plain.size;
      }
      at = end;
    }
    return done;
  }

  std::string_view text_;
  const Vocabulary& vocabulary_;
  std::vector<Candidate> candidates_;
  size_t done_ = 0;  // tokens up to there are read
};

}  // namespace

std::optional<Reading> without_look_alikes(std::string_view utf8, const Vocabulary& vocabulary) {
  return Respeller(utf8, vocabulary).read();
}

}  // namespace dedup
