#include "query.h"

namespace dedup {

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
