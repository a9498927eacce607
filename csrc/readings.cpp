#include "readings.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "deciphering.h"
#include "decoding.h"
#include "rendering.h"
#include "respelling.h"
#include "thinning.h"

namespace dedup {

namespace {

// Bytes around a change that are searched with it: some 80 words, so that a passage of which only
// a part was disguised is found in one piece.
constexpr uint32_t kAround = 512;

bool is_space(char byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

}  // namespace

std::vector<UndoneReading> readings_of(std::string_view utf8, const Vocabulary& vocabulary) {
  std::vector<UndoneReading> readings;
  std::optional<Reading> whole;
  uint32_t devices = 0;
  const auto undo = [&](Device device, auto stage) {
    const std::string_view now = whole ? std::string_view(whole->text()) : utf8;
    std::optional<Reading> next = stage(now);
    if (!next || next->text().size() > utf8.size() * Reading::kMaxGrowth) return false;
    whole = whole ? next->of(*whole) : std::move(*next);
    devices |= device;
    return true;
  };
  const auto in = [&](auto stage) {
    return [&vocabulary, stage](std::string_view text) { return stage(text, vocabulary); };
  };
  undo(kMarkup, rendered);
  if (undo(kEncoding, in(decoded))) undo(kMarkup, rendered);
  if (whole) readings.push_back({*whole, devices, true});
  const bool is_deciphered = undo(kCipher, in(deciphered));
  const bool is_respelled = undo(kSpelling, in(respelled));
  // The text as it stands is thinned where its tokens are known: see Searcher::search().
  const bool is_thinned =
      whole && undo(kFiller, [](std::string_view text) { return thinned(text); });
  if (is_deciphered || is_respelled || is_thinned) {
    readings.push_back({std::move(*whole), devices, false});
  }
  return readings;
}

std::vector<Stretch> changed_stretches(const Reading& reading) {
  const std::string& text = reading.text();
  const auto size = static_cast<uint32_t>(text.size());
  std::vector<Stretch> stretches;
  const auto add = [&](uint32_t from, uint32_t to) {
    from -= std::min(from, kAround);
    to = std::min(size, to + kAround);
    if (!stretches.empty() && from <= stretches.back().to) {
      stretches.back().to = std::max(stretches.back().to, to);
    } else {
      stretches.push_back({from, to});
    }
  };
  uint32_t end = 0;  // of the original, up to which all has been seen
  for (const Reading::Run& run : reading.runs()) {
    if (run.start != end) add(run.at, run.at);
    if (!run.copied) add(run.at, run.at + run.size);
    end = run.end;
  }
  for (size_t i = 0; i < stretches.size(); ++i) {
    auto& [from, to] = stretches[i];
    const uint32_t least = i == 0 ? 0 : stretches[i - 1].to;
    while (from > least && !is_space(text[from - 1])) --from;
    while (to < size && !is_space(text[to])) ++to;
  }
  // Those that met in the middle of a long word are one.
  std::vector<Stretch> apart;
  for (const Stretch& stretch : stretches) {
    if (!apart.empty() && stretch.from <= apart.back().to) {
      apart.back().to = std::max(apart.back().to, stretch.to);
    } else {
      apart.push_back(stretch);
    }
  }
  return apart;
}

}  // namespace dedup
