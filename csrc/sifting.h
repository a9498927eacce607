// Words of protected texts picked out of a query that has others between them: every n-th word, a
// word or two put in after each or after every second, two texts in turns.
//
//   tiles with gaps -> postings -> alignments in which words of the query may be left out ->
//   reading
//
// A tile of the index is looked up under some fifty patterns of gaps: its five words at 0, 2, 4, 6,
// 8 of the query, at 0, 1, 3, 4, 6 and so on. That would cost ten times what a plain search does,
// so it is done only where the order of the words is no text's (word_order.h), and, of a long
// query, only for a share of it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "query.h"
#include "reading.h"
#include "segment.h"
#include "vocabulary.h"
#include "word_order.h"

namespace dedup {

// Those words, if there are any: those of one passage after those of another. `query` is one of the
// text view.
std::optional<Reading> sifted(const Query& query,
                              std::span<const std::shared_ptr<const Segment>> segments,
                              std::span<const Tombstones> dead, const WordOrder& order,
                              const Vocabulary& vocabulary);

}  // namespace dedup
