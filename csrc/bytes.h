// Exact-width little-endian reads and writes of trivially copyable values.
//
// Segments are little-endian and so is every machine the core builds for; a big-endian port would
// swap here and nowhere else. Loads go through memcpy, so no alignment is asked of the bytes.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace dedup {

static_assert(std::endian::native == std::endian::little, "segments are little-endian");

using Bytes = std::span<const uint8_t>;

template <typename T>
T load(const uint8_t* at) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <typename T>
void store(uint8_t* at, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::memcpy(at, &value, sizeof value);
}

}  // namespace dedup
