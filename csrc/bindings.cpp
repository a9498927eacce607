// The only file that knows Python exists: checks arguments, drops the GIL, wraps results.
// It mirrors dedup/_core.pyi line for line.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "error.h"

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

// ---- hashes and signatures (hash.h, minhash.h) ---------------------------------------------------

// ---- tokens (tokenize.h) -------------------------------------------------------------------------

// ---- segments, search (segment.h, search.h) ------------------------------------------------------

}  // namespace

PYBIND11_MODULE(_core, module) {
  module.doc() = "The native core of dedup.";
  py::register_exception_translator(&translate);
}
