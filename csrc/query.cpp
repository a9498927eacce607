#include "query.h"

namespace dedup {

void extend_seeds(Query& query, const Scheme& scheme) {
  const Sequence& sequence = query.sequence;
  const size_t n = sequence.size();
  for (size_t i = query.tiles.size(); i + scheme.tile_size <= n; ++i) {
    query.tiles.push_back(tile_seed(sequence, i, scheme));
  }
  for (size_t s = 0; s < kShifts && scheme.gapped_shape; ++s) {
    const auto span = static_cast<size_t>(static_cast<int32_t>(scheme.gapped_span()) + kShift[s]);
    for (size_t i = query.gapped[s].size(); i + span <= n; ++i) {
      query.gapped[s].push_back(gapped_seed(sequence, i, scheme, kShift[s]));
    }
  }
}

void add_bands(Query& query, const Scheme& scheme) {
  if (query.size() < scheme.tile_size) return;
  const auto add = [&](const uint32_t* minima) {
    for (uint32_t band = 0; band < scheme.bands; ++band) {
      query.bands.push_back(band_seed(minima + band * scheme.rows, scheme.rows, band));
    }
  };
  WindowMinima windows(scheme);
  windows.each(query.sequence, WindowMinima::kStep, [&](size_t start, const uint32_t* minima) {
    query.window_starts.push_back(static_cast<uint32_t>(start));
    add(minima);
  });
  windows.each_unit(query.sequence, query.units, [&](size_t unit, const uint32_t* minima) {
    query.unit_numbers.push_back(static_cast<uint32_t>(unit));
    add(minima);
  });
}

}  // namespace dedup
