#include "deciphering.h"

#include <algorithm>
#include <array>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tokenize.h"

namespace dedup {
namespace {

using Byte = unsigned char;

constexpr uint32_t kProbeStep = 48;   // bytes: a stretch of eight words is a little longer
constexpr uint32_t kWindowWords = 8;  // different ones of three letters or more
constexpr uint32_t kWindowBytes = 256;
constexpr uint32_t kLongestWord = 48;  // bytes; what is longer is no word
constexpr uint32_t kTriedWords = 4;    // the longest of a window
constexpr uint32_t kMayMiss = 1;       // of these
// Of the weight of a window: as it stands no more than, and deciphered at least.
constexpr double kMostPlain = 0.4, kLeastKnown = 0.6;
// Weight that must be known: eight words of English have 24 on average, eight of three letters 8.
constexpr uint32_t kLeastWeight = 14;
constexpr uint32_t kSooner = 2048;  // bytes before a window that may belong to its stretch
constexpr int kGiveUp = 24;         // weight of unknown words that ends a stretch
constexpr uint32_t kMostRounds = 4;

// The first 25 are shifts by as many letters.
enum Cipher : uint32_t {
  kPlain = 0,
  kAtbash = 26,
  kReversed,
  kTurned,
  kMirrored,
  kPigLatin,
  kCiphers
};

bool is_ascii_letter(char c) { return static_cast<Byte>((c | 0x20) - 'a') < 26; }
bool is_continuation(char byte) { return (byte & 0xC0) == 0x80; }
// Scripts that are written in words have two bytes a letter, or three from E0 and E1.
bool is_of_word(char c) {
  const auto byte = static_cast<Byte>(c);
  return is_ascii_letter(c) || static_cast<Byte>(c - '0') < 10 || (byte >= 0x80 && byte < 0xE2);
}
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

struct Word {
  uint32_t start = 0, end = 0;
  uint32_t letters = 0;  // 0 if it is none that counts: too long, or with digits
};

// The first word that begins at `at` or behind; false if there is none.
bool next_word(std::string_view text, uint32_t at, Word& word) {
  const auto size = static_cast<uint32_t>(text.size());
  const auto skip_character = [&] {
    for (++at; at < size && is_continuation(text[at]); ++at) {
    }
  };
  while (at < size && !is_of_word(text[at])) skip_character();
  if (at >= size) return false;
  word = {at, at, 0};
  bool counts = true;
  while (at < size) {
    if (is_of_word(text[at])) {
      counts = counts && static_cast<Byte>(text[at] - '0') >= 10;
      word.letters += !is_continuation(text[at]);
      ++at;
    } else if (text[at] == '\'' && at + 1 < size && is_of_word(text[at + 1])) {
      ++at;
    } else if (text.substr(at, 4).starts_with("’") && at + 3 < size && is_of_word(text[at + 3])) {
      at += 3;
    } else {
      break;
    }
  }
  word.end = at;
  if (!counts || word.end - word.start > kLongestWord) word.letters = 0;
  return true;
}

uint32_t weight(const Word& word) {
  return std::min(word.letters, 8u) - std::min(word.letters, 2u);
}

// ---- ciphers -----------------------------------------------------------------------------------

struct Glyph {
  char32_t shown;
  char letter;
};

template <size_t size>
constexpr std::array<Glyph, size> sorted(std::array<Glyph, size> glyphs) {
  std::ranges::sort(glyphs, {}, &Glyph::shown);
  return glyphs;
}

// Letters as the usual generators turn them by half a circle; n and u, b and q, d and p are each
// other's, and all not named stay.
constexpr auto kTurnedGlyphs = sorted(std::to_array<Glyph>({
    {U'ɐ', 'a'}, {U'q', 'b'}, {U'ɔ', 'c'},  {U'p', 'd'},  {U'ǝ', 'e'}, {U'ɟ', 'f'}, {U'ƃ', 'g'},
    {U'ᵷ', 'g'}, {U'ɥ', 'h'}, {U'ᴉ', 'i'},  {U'ı', 'i'},  {U'ɾ', 'j'}, {U'ſ', 'J'}, {U'ʞ', 'k'},
    {U'ʅ', 'l'}, {U'ן', 'l'}, {U'ꞁ', 'l'},  {U'ɯ', 'm'},  {U'u', 'n'}, {U'd', 'p'}, {U'b', 'q'},
    {U'ɹ', 'r'}, {U'ʇ', 't'}, {U'n', 'u'},  {U'ʌ', 'v'},  {U'ʍ', 'w'}, {U'ʎ', 'y'}, {U'∀', 'A'},
    {U'Ɐ', 'A'}, {U'ꓯ', 'A'}, {U'ꓭ', 'B'},  {U'ᗺ', 'B'},  {U'Ɔ', 'C'}, {U'ᗡ', 'D'}, {U'ꓷ', 'D'},
    {U'Ǝ', 'E'}, {U'Ⅎ', 'F'}, {U'⅁', 'G'},  {U'פ', 'G'},  {U'ꓘ', 'K'}, {U'⋊', 'K'}, {U'˥', 'L'},
    {U'⅂', 'L'}, {U'ꓶ', 'L'}, {U'W', 'M'},  {U'Ԁ', 'P'},  {U'ᴚ', 'R'}, {U'ꓤ', 'R'}, {U'┴', 'T'},
    {U'⊥', 'T'}, {U'ꓕ', 'T'}, {U'∩', 'U'},  {U'ꓵ', 'U'},  {U'Λ', 'V'}, {U'ꓥ', 'V'}, {U'M', 'W'},
    {U'⅄', 'Y'}, {U'˙', '.'}, {U'\'', ','}, {U',', '\''}, {U'¿', '?'}, {U'¡', '!'},
}));
constexpr auto kMirroredGlyphs = sorted(std::to_array<Glyph>({
    {U'ɒ', 'a'}, {U'd', 'b'}, {U'ɔ', 'c'}, {U'b', 'd'}, {U'ɘ', 'e'}, {U'Ꮈ', 'f'}, {U'ǫ', 'g'},
    {U'ϱ', 'g'}, {U'ʜ', 'h'}, {U'į', 'j'}, {U'ʞ', 'k'}, {U'ꞁ', 'l'}, {U'ᴎ', 'n'}, {U'q', 'p'},
    {U'p', 'q'}, {U'ɿ', 'r'}, {U'ꙅ', 's'}, {U'ƨ', 's'}, {U'ƚ', 't'}, {U'γ', 'y'}, {U'ƹ', 'z'},
    {U'ᗺ', 'B'}, {U'Ɔ', 'C'}, {U'ᗡ', 'D'}, {U'Ǝ', 'E'}, {U'ꟻ', 'F'}, {U'Ⴑ', 'J'}, {U'ꓘ', 'K'},
    {U'⅃', 'L'}, {U'И', 'N'}, {U'ꟼ', 'P'}, {U'Я', 'R'}, {U'Ƨ', 'S'}, {U'Ƹ', 'Z'}, {U'⸮', '?'},
}));

// Appends the characters from the last to the first, each as the one it shows.
void append_reversed(std::string_view text, std::span<const Glyph> glyphs, std::string& out) {
  for (size_t end = text.size(); end > 0;) {
    size_t at = end - 1;
    while (at > 0 && is_continuation(text[at])) --at;
    char32_t point = static_cast<Byte>(text[at]);
    if (end - at > 1) point &= 0x7Fu >> (end - at);
    for (size_t next = at + 1; next < end; ++next) {
      point = point << 6 | (static_cast<Byte>(text[next]) & 0x3F);
    }
    const auto glyph = std::ranges::lower_bound(glyphs, point, {}, &Glyph::shown);
    if (glyph != glyphs.end() && glyph->shown == point) {
      out += glyph->letter;
    } else {
      out.append(text, at, end - at);
    }
    end = at;
  }
}

std::span<const Glyph> glyphs(uint32_t cipher) {
  if (cipher == kTurned) return kTurnedGlyphs;
  if (cipher == kMirrored) return kMirroredGlyphs;
  return {};
}

class Decipherer {
 public:
  Decipherer(std::string_view text, const Vocabulary& vocabulary)
      : text_(text), vocabulary_(vocabulary) {}

  std::optional<Reading> run();

 private:
  struct Window {
    std::array<Word, kWindowWords> words;
    uint32_t size = 0, end = 0;
    uint32_t weight = 0, plain = 0;
    bool is_ascii = true;
  };

  std::string_view at(const Word& word) const {
    return text_.substr(word.start, word.end - word.start);
  }
  bool knows(std::string_view word);
  // The word under the cipher; the text is good until the next call.
  std::string_view decipher(std::string_view word, uint32_t cipher);
  std::string_view pig_latin(std::string_view word);
  // Shifts are those of a to z.
  bool knows(const Word& word, uint32_t cipher) {
    const bool may_be = cipher == kPlain || (cipher > kAtbash && cipher < kPigLatin) ||
                        word.letters == word.end - word.start || at(word).find('\'') < word.letters;
    return may_be && knows(decipher(at(word), cipher));
  }

  Window window(uint32_t from);
  uint32_t cipher_of(const Window& window);
  int evidence(const Word& word, uint32_t cipher);
  Span stretch(const Window& window, uint32_t cipher, uint32_t from);
  void write(Span stretch, uint32_t cipher, Reading& out);
  void write_words(Span stretch, uint32_t cipher, Reading& out);
  void write_reversed(Span stretch, uint32_t cipher, Reading& out);

  const std::string_view text_;
  const Vocabulary& vocabulary_;
  std::string word_;
};

bool Decipherer::knows(std::string_view word) {
  std::array<char, 2 * kLongestWord> folded;
  if (word.size() > folded.size()) return false;
  size_t size = 0;
  for (const char c : word) {
    if (static_cast<Byte>(c) >= 0x80) {
      const std::vector<std::string> tokens = normalised_tokens(word);
      return !tokens.empty() && std::ranges::all_of(tokens, [&](const std::string& token) {
        return vocabulary_.knows(token);
      });
    }
    folded[size] = lower(c);
    size += c != '\'';
  }
  return vocabulary_.knows({folded.data(), size});
}

std::string_view Decipherer::decipher(std::string_view word, uint32_t cipher) {
  if (cipher == kPlain) return word;
  if (cipher == kPigLatin) return pig_latin(word);
  if (cipher > kAtbash) {
    word_.clear();
    append_reversed(word, glyphs(cipher), word_);
    return word_;
  }
  word_.assign(word);
  for (char& c : word_) {
    if (!is_ascii_letter(c)) continue;
    const uint32_t letter = static_cast<Byte>(c | 0x20) - 'a';
    const uint32_t shifted = letter + cipher;
    const uint32_t moved = cipher == kAtbash ? 25 - letter : shifted < 26 ? shifted : shifted - 26;
    c = static_cast<char>((c & ~0x1F) | (moved + 1));
  }
  return word_;
}

// Of the beginnings that may have been moved to the end, the first that makes a known word; then
// that of a word that begins with a vowel; else one letter.
std::string_view Decipherer::pig_latin(std::string_view word) {
  constexpr size_t kMostMoved = 4;
  word_.clear();
  if (word.size() < 4 || lower(word.back()) != 'y' || lower(word[word.size() - 2]) != 'a')
    return {};
  const std::string_view stem = word.substr(0, word.size() - 2);
  if (is_continuation(stem.back())) return {};
  for (size_t moved = 1; moved <= std::min(kMostMoved, stem.size() - 1); ++moved) {
    if (is_continuation(stem[stem.size() - moved])) continue;
    word_.assign(stem.substr(stem.size() - moved)).append(stem.substr(0, stem.size() - moved));
    if (knows(word_)) return word_;
  }
  word_.assign(stem.substr(0, stem.size() - 1));
  if (knows(word_)) return word_;
  word_.assign(stem.substr(stem.size() - 1)).append(stem.substr(0, stem.size() - 1));
  return word_;
}

Decipherer::Window Decipherer::window(uint32_t from) {
  Window window;
  Word word;
  window.end = from;
  while (window.size < kWindowWords && window.end - from < kWindowBytes &&
         next_word(text_, window.end, word)) {
    window.end = word.end;
    if (word.letters < 3) continue;
    // One chance counts once: code says the same few names again and again.
    const auto end = window.words.begin() + window.size;
    if (std::any_of(window.words.begin(), end,
                    [&](const Word& other) { return at(other) == at(word); })) {
      continue;
    }
    window.words[window.size++] = word;
    window.weight += weight(word);
    if (knows(word, kPlain)) window.plain += weight(word);
  }
  const std::string_view bytes = text_.substr(from, window.end - from);
  window.is_ascii = std::ranges::all_of(bytes, [](char c) { return static_cast<Byte>(c) < 0x80; });
  return window;
}

// The one that makes the most of the window's words, if that is enough; else kPlain.
uint32_t Decipherer::cipher_of(const Window& window) {
  std::array<Word, kWindowWords> words = window.words;
  std::ranges::partial_sort(words, words.begin() + kTriedWords, std::ranges::greater{},
                            &Word::letters);
  uint32_t best = kPlain, best_known = 0;
  for (uint32_t cipher = 1; cipher < kCiphers; ++cipher) {
    if (window.is_ascii && (cipher == kTurned || cipher == kMirrored)) continue;
    uint32_t missed = 0;
    for (uint32_t i = 0; i < kTriedWords && missed <= kMayMiss; ++i) {
      missed += !knows(words[i], cipher);
    }
    if (missed > kMayMiss) continue;
    uint32_t known = 0;
    for (const Word& word : window.words) known += knows(word, cipher) ? weight(word) : 0;
    if (known > best_known) best = cipher, best_known = known;
  }
  const bool is_enough = best_known >= kLeastWeight && best_known >= kLeastKnown * window.weight;
  return is_enough ? best : kPlain;
}

// For a word being part of the stretch, or against it.
int Decipherer::evidence(const Word& word, uint32_t cipher) {
  const int letters = static_cast<int>(std::clamp(word.letters, 1u, 8u));
  const bool is_plain = word.letters > 0 && knows(word, kPlain);
  if (word.letters > 0 && knows(word, cipher)) return is_plain ? letters / 2 : letters;
  return is_plain ? -2 * letters : -(letters + 1) / 2;
}

Span Decipherer::stretch(const Window& window, uint32_t cipher, uint32_t from) {
  const Word& middle = window.words[kWindowWords / 2];
  Span span{middle.start, middle.end};
  Word word;
  int sum = 0, best = 0;
  for (uint32_t at = middle.end; sum > best - kGiveUp && next_word(text_, at, word);
       at = word.end) {
    sum += evidence(word, cipher);
    if (sum > best) best = sum, span.end = word.end;
  }
  std::vector<Word> before;
  from = std::max(from, middle.start - std::min(middle.start, kSooner));
  while (from > 0 && from < middle.start && is_of_word(text_[from - 1])) ++from;
  while (from < middle.start && next_word(text_, from, word) && word.start < middle.start) {
    before.push_back(word);
    from = word.end;
  }
  sum = best = 0;
  for (; !before.empty() && sum > best - kGiveUp; before.pop_back()) {
    sum += evidence(before.back(), cipher);
    if (sum > best) best = sum, span.start = before.back().start;
  }
  return span;
}

void Decipherer::write_words(Span stretch, uint32_t cipher, Reading& out) {
  auto at = static_cast<uint32_t>(stretch.start);
  for (Word word; at < stretch.end && next_word(text_, at, word) && word.end <= stretch.end;) {
    out.copy(text_, at, word.start);
    const std::string_view is = this->at(word), was = decipher(is, cipher);
    // What was put between words is left alone.
    if (was.empty() || (knows(is) && !knows(was))) {
      out.copy(text_, word.start, word.end);
    } else {
      out.put(was, word.start, word.end);
    }
    at = word.end;
  }
  out.copy(text_, at, static_cast<uint32_t>(stretch.end));
}

// Word by word from the last on, with the marks that stand on it.
void Decipherer::write_reversed(Span stretch, uint32_t cipher, Reading& out) {
  const auto is_space = [&](uint64_t at) { return static_cast<Byte>(text_[at]) <= ' '; };
  for (uint64_t end = stretch.end; end > stretch.start;) {
    uint64_t at = end - 1;
    while (at > stretch.start && is_space(at - 1) == is_space(end - 1)) --at;
    word_.clear();
    append_reversed(text_.substr(at, end - at), glyphs(cipher), word_);
    out.put(word_, static_cast<uint32_t>(at), static_cast<uint32_t>(end));
    end = at;
  }
}

void Decipherer::write(Span stretch, uint32_t cipher, Reading& out) {
  const bool is_turned = cipher == kTurned || cipher == kMirrored;
  if (cipher != kReversed && !is_turned) return write_words(stretch, cipher, out);
  write_reversed(stretch, cipher, out);
  if (is_turned) return;
  // Whether the text was reversed or each word by itself can't be told by its words.
  const auto end = static_cast<uint32_t>(stretch.end);
  out.put("\n\n", end, end);
  write_words(stretch, cipher, out);
}

std::optional<Reading> Decipherer::run() {
  Reading reading;
  uint32_t copied = 0;
  Word word;
  for (uint32_t at = 0; next_word(text_, at, word);) {
    at = word.end;
    if (word.letters < 4) continue;
    if (knows(word, kPlain)) {
      // Words that are not ASCII take ten times as long to look up.
      const uint32_t step =
          static_cast<Byte>(text_[word.start]) < 0x80 ? kProbeStep : 4 * kProbeStep;
      at = std::max(at, word.start + step);
      while (at < text_.size() && is_of_word(text_[at])) ++at;
      continue;
    }
    const Window found = window(word.start);
    at = found.end;
    if (found.size < kWindowWords || found.plain > kMostPlain * found.weight) continue;
    const uint32_t cipher = cipher_of(found);
    if (cipher == kPlain) continue;
    const Span span = stretch(found, cipher, copied);
    reading.copy(text_, copied, static_cast<uint32_t>(span.start));
    write(span, cipher, reading);
    copied = at = static_cast<uint32_t>(span.end);
  }
  if (copied == 0) return std::nullopt;
  reading.copy(text_, copied, static_cast<uint32_t>(text_.size()));
  return reading;
}

}  // namespace

std::optional<Reading> deciphered(std::string_view text, const Vocabulary& vocabulary) {
  if (vocabulary.empty()) return std::nullopt;
  std::optional<Reading> reading = Decipherer(text, vocabulary).run();
  // A stretch may show only once those beside it are read.
  for (uint32_t round = 1; reading && round < kMostRounds; ++round) {
    const std::optional<Reading> next = Decipherer(reading->text(), vocabulary).run();
    if (!next) break;
    reading = next->of(*reading);
  }
  return reading;
}

}  // namespace dedup
