#include "reading.h"

#include <algorithm>

namespace dedup {

void Reading::copy(std::string_view original, uint32_t start, uint32_t end) {
  if (start == end) return;
  const auto at = static_cast<uint32_t>(text_.size());
  text_.append(original, start, end - start);
  if (!runs_.empty() && runs_.back().copied && runs_.back().end == start) {
    runs_.back().size += end - start;
    runs_.back().end = end;
    return;
  }
  runs_.push_back({at, end - start, start, end, true});
}

void Reading::put(std::string_view utf8, uint32_t start, uint32_t end) {
  if (utf8.empty()) return;
  const auto at = static_cast<uint32_t>(text_.size());
  text_.append(utf8);
  runs_.push_back({at, static_cast<uint32_t>(utf8.size()), start, end, false});
}

Span Reading::original(uint32_t start, uint32_t end) const {
  auto run = std::ranges::partition_point(
      runs_, [&](const Run& one) { return one.at + one.size <= start; });
  if (start == end) {
    uint64_t at = runs_.empty() ? 0 : runs_.back().end;
    if (run != runs_.end()) at = run->start + (run->copied ? start - run->at : 0);
    return {at, at};
  }
  Span span{~0ull, 0};
  for (; run != runs_.end() && run->at < end; ++run) {
    uint64_t from = run->start, to = run->end;
    if (run->copied) {
      from += std::max(start, run->at) - run->at;
      to = run->start + (std::min(end, run->at + run->size) - run->at);
    }
    span.start = std::min(span.start, from);
    span.end = std::max(span.end, to);
  }
  return span.start > span.end ? Span{} : span;
}

Reading Reading::of(const Reading& other) const {
  Reading whole;
  const auto add = [&](uint32_t at, uint32_t size, Span span, bool copied) {
    const auto start = static_cast<uint32_t>(span.start), end = static_cast<uint32_t>(span.end);
    whole.runs_.push_back({at, size, start, end, copied});
  };
  whole.text_ = text_;
  for (const Run& run : runs_) {
    if (!run.copied) {
      add(run.at, run.size, other.original(run.start, run.end), false);
      continue;
    }
    // What was copied keeps the runs it has in the other.
    auto inner = std::ranges::partition_point(
        other.runs_, [&](const Run& one) { return one.at + one.size <= run.start; });
    for (; inner != other.runs_.end() && inner->at < run.end; ++inner) {
      const uint32_t from = std::max(run.start, inner->at);
      const uint32_t to = std::min(run.end, inner->at + inner->size);
      add(run.at + (from - run.start), to - from, other.original(from, to), inner->copied);
    }
  }
  return whole;
}

}  // namespace dedup
