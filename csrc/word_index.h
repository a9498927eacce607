// Which words the documents of a segment hold: what its vocabulary is made of.
//
//   words    u64 how many | bits: of each word, ascending, the gap to the word before, less 1
//   holders  bits: of each word, how many documents hold it, less 1, in Elias's gamma code; then
//            the gaps between their numbers, less 1
//
// A word is kWordBits of the keyed token (vocabulary.h). Gaps are Rice codes, whose parameters
// follow from the counts, and the first counts from -1. At 10^7 tokens that is .28 bytes a token
// of manuals, .21 of code.
//
// Most of it says who holds a word. It is what makes a merge, or an export of a part, tell nothing
// of the documents that are left out; the words alone, .06 bytes a token, would go on telling of
// them, and counts of the holders would lose words of the living. The price is that whoever has
// the key can ask of any word which documents hold it. Its place in them the file does not tell: a
// word shares no bits with the fingerprints, so it takes a dictionary to bring both together.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "bits.h"
#include "checked_file.h"

namespace dedup {

// Calls its argument with every word in order, and the documents that hold it, ascending and at
// least one. Must give the same on each call.
using WordVisitor = std::function<void(uint64_t word, std::span<const uint32_t> documents)>;
using WordSource = std::function<void(const WordVisitor&)>;

struct WordTotals {
  uint64_t words = 0;
  uint64_t digest = 0;  // a hash of all that the source gives
};

WordTotals totals_of(const WordSource& source);
// Append the sections. Each runs the source once.
void write_words(CheckedWriter& out, const WordSource& source, const WordTotals& totals);
void write_holders(CheckedWriter& out, const WordSource& source, uint64_t documents);

// The words of documents as they are added: some 10 bytes for each different word of a document.
class WordBuffer {
 public:
  // So many words fit, whatever the documents.
  static constexpr uint64_t kMaxWords = (1ull << 28) - 1;

  WordBuffer() : slots_(1024) {}
  uint64_t words() const { return words_; }
  // The next document's keyed tokens. It takes words() + keyed.size() to be within kMaxWords.
  void add(std::span<const uint64_t> keyed);
  // What it holds, in the order of a source.
  WordSource source() const;
  uint64_t memory_bytes() const;

 private:
  static constexpr size_t kRecent = 2048;

  uint64_t home_of(uint64_t word) const;
  uint64_t slot_of(uint64_t word) const;
  void grow();

  std::vector<uint64_t> slots_;  // the word << kNumberBits | its number, from 1; 0 if free
  uint64_t words_ = 0;
  std::vector<uint32_t> holdings_;  // the numbers of the words of each document, some twice
  std::vector<uint64_t> ends_;      // of the documents in `holdings_`
  // Words seen last, with the document they were seen in, and those to look up.
  std::array<uint64_t, kRecent> recent_{};
  std::vector<uint64_t> fresh_;
};

class WordIndex {
 public:
  struct Section {
    uint64_t offset = 0, size = 0;
  };

  WordIndex() = default;  // of documents whose words are not known
  // Throws FormatError if the sections can't be a word index.
  WordIndex(const CheckedFile& file, Section words, Section holders, uint64_t documents);

  uint64_t size() const { return size_; }
  // Calls visit(word) for every word in order.
  template <typename Visit>
  void each(Visit visit) const {
    if (size_ == 0) return;
    WordReader reader(*this);
    for (uint64_t i = 0; i < size_; ++i) visit(reader.next());
  }

 private:
  class WordReader {
   public:
    explicit WordReader(const WordIndex& index);
    uint64_t next();

   private:
    BitReader bits_;
    uint32_t low_bits_;
    uint64_t before_ = ~0ull;
  };

 public:
  // Every word in order, with the documents that hold it.
  class Cursor {
   public:
    explicit Cursor(const WordIndex& index);
    bool done() const { return left_ == 0; }
    uint64_t word() const { return word_; }
    const std::vector<uint32_t>& documents() const { return documents_; }
    void advance();

   private:
    void read();

    WordReader words_;
    BitReader holders_;
    uint64_t all_documents_, left_, word_ = 0;
    std::vector<uint32_t> documents_;
  };

 private:
  const CheckedFile* file_ = nullptr;
  Section words_, holders_;
  uint64_t size_ = 0, documents_ = 0;
};

}  // namespace dedup
