// A text as somebody reads it who undoes what hides its words, and where in the original each part
// of it stands.
//
//   rendered     markup, entities, escapes and direction overrides as they are shown (rendering.h)
//   decoded      base64, hex and the like as what they hold (decoding.h)
//   deciphered   rotated, reversed and turned words as what they are (deciphering.h)
//   respelled    look-alikes, leet, spaced letters and joined words as plain words (respelling.h)
//   thinned      without the words that were put between those of another text (thinning.h)
//
// A query is searched as it stands, and besides in the readings that differ from it. Readings are
// for matching only: spans are those of the original, which nothing alters.
//
// Each stage takes valid UTF-8 and gives valid UTF-8, or nothing where there is nothing to undo;
// given its own result it gives nothing. All are linear in the text, whatever it holds, and give
// no more than kMaxGrowth times its bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "span_map.h"
#include "vocabulary.h"

namespace dedup {

class Reading {
 public:
  static constexpr uint64_t kMaxGrowth = 4;

  // Bytes [at, at + size) of the reading come of bytes [start, end) of the original: one for one if
  // `copied`, else all of them of all of these.
  struct Run {
    uint32_t at, size, start, end;
    bool copied;
  };

  // Appends bytes [start, end) of the original as they are.
  void copy(std::string_view original, uint32_t start, uint32_t end);
  // Appends what stands for bytes [start, end) of the original; it may be empty. Order is free, so
  // that what was reversed can be put back byte by byte.
  void put(std::string_view utf8, uint32_t start, uint32_t end);

  const std::string& text() const { return text_; }
  const std::vector<Run>& runs() const { return runs_; }
  // The least span of the original that holds all of what bytes [start, end) were made of; of no
  // bytes, the place where they would stand.
  Span original(uint32_t start, uint32_t end) const;
  // This reading of the text of another, as a reading of what that one is of.
  Reading of(const Reading& other) const;

 private:
  std::string text_;
  std::vector<Run> runs_;  // in order of `at`; those of no bytes are left out
};

}  // namespace dedup
