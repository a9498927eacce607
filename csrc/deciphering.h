// Rotated, reversed and turned words as what they are.
//
//   shifted     Caesar's cipher by 1 to 25 letters (rot13 is one), Atbash
//   reversed    the letters of each word, or of the whole text
//   turned      upside down or mirrored letters, from the end
//   pig latin   "isthay", and -way, -yay, -hay after a vowel
//
// A stretch of words is deciphered if the vocabulary knows few of them as they stand and most under
// one of these, weighed by length, since short words are words under many. Its ends are where words
// begin that are known as they stand. With no vocabulary nothing is deciphered, and neither is a
// stretch of fewer than eight words of three letters. What is reversed is given both ways: whether
// all was, or each word by itself, can't be told by its words.
//
// Cost: of ordinary text one word in kProbeStep bytes is probed, 1 ns a byte. Where all is unknown,
// another language or subject, 30 ciphers are tried on two words of eight, 250 to 500 ns a word. Of
// a million such words none was deciphered, by vocabularies of 52,000 words, of three books and of
// one page.
#pragma once

#include <optional>
#include <string_view>

#include "reading.h"

namespace dedup {

std::optional<Reading> deciphered(std::string_view utf8, const Vocabulary& vocabulary);

}  // namespace dedup
