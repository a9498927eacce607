// The only file that knows Python exists: checks arguments, drops the GIL, wraps results.
// It mirrors dedup/_core.pyi line for line.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "error.h"
#include "hash.h"

namespace py = pybind11;

namespace {

// ---- errors ------------------------------------------------------------------------------------

void translate(std::exception_ptr pending) {
  try {
    if (pending) std::rethrow_exception(pending);
  } catch (const dedup::FormatError& error) {
    py::object type = py::module_::import("dedup.errors").attr("FormatError");
    PyErr_SetString(type.ptr(), error.what());
  } catch (const dedup::IoError& error) {
    py::object arguments = py::make_tuple(error.error_number, error.what(), error.path);
    PyErr_SetObject(PyExc_OSError, arguments.ptr());
  } catch (const dedup::ArgumentError& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
  }
}

// ---- hashes and signatures (hash.h, minhash.h)
// ---------------------------------------------------

dedup::Dispatch dispatch(bool portable) {
  return portable ? dedup::Dispatch::portable : dedup::Dispatch::best;
}

std::string_view view(const py::bytes& bytes) {
  return {PyBytes_AS_STRING(bytes.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.ptr()))};
}

dedup::Key key_of(const py::bytes& bytes) {
  const std::string_view raw = view(bytes);
  if (raw.size() != 16) {
    throw dedup::ArgumentError("a key is 16 bytes, got " + std::to_string(raw.size()));
  }
  const auto* at = reinterpret_cast<const unsigned char*>(raw.data());
  return {dedup::read64(at), dedup::read64(at + 8)};
}

void bind_hashes(py::module_& module) {
  using namespace py::literals;
  module.def("avx2", [] { return dedup::cpu().avx2; });
  module.def("sha_ni", [] { return dedup::cpu().sha; });
  module.def(
      "xxh32",
      [](const py::bytes& data, std::uint32_t seed) { return dedup::xxh32(view(data), seed); },
      "data"_a, "seed"_a = 0);
  module.def(
      "xxh64",
      [](const py::bytes& data, std::uint64_t seed) { return dedup::xxh64(view(data), seed); },
      "data"_a, "seed"_a = 0);
  module.def(
      "xxh3_64",
      [](const py::bytes& data, std::uint64_t seed) { return dedup::xxh3_64(view(data), seed); },
      "data"_a, "seed"_a = 0);
  module.def(
      "sha1_64",
      [](const py::bytes& data, bool portable) {
        return dedup::sha1_64(view(data), dispatch(portable));
      },
      "data"_a, "portable"_a = false);
  module.def(
      "siphash",
      [](const py::bytes& key, const py::bytes& data) {
        return dedup::siphash(key_of(key), view(data));
      },
      "key"_a, "data"_a);
  module.def(
      "siphash",
      [](const py::bytes& key, std::uint64_t word) { return dedup::siphash(key_of(key), word); },
      "key"_a, "word"_a);
  module.def("fmix32", [](std::uint32_t h) { return dedup::fmix32(h); }, "h"_a);
  module.def("fmix64", [](std::uint64_t h) { return dedup::fmix64(h); }, "h"_a);
}

// ---- tokens (tokenize.h)
// -------------------------------------------------------------------------

// ---- segments, search (segment.h, search.h)
// ------------------------------------------------------

}  // namespace

PYBIND11_MODULE(_core, module) {
  module.doc() = "The native core of dedup.";
  py::register_exception_translator(&translate);
  bind_hashes(module);
}
