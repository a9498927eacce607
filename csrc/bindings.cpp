// The only file that knows Python exists: checks arguments, drops the GIL, wraps results.
// It mirrors dedup/_core.pyi line for line.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "align.h"
#include "deciphering.h"
#include "decoding.h"
#include "error.h"
#include "hash.h"
#include "lex.h"
#include "minhash.h"
#include "rendering.h"
#include "repeats.h"
#include "respelling.h"
#include "search.h"
#include "seed_block.h"
#include "segment.h"
#include "stream_search.h"
#include "thinning.h"
#include "tokenize.h"
#include "vocabulary.h"
#include "word_shingles.h"

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

// ---- hashes and signatures (hash.h, minhash.h) --------------------------------------------------

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

// The UTF-8 of a str, without a copy, or the bytes as they are. The object must outlive the view.
std::string_view utf8(const py::object& text) {
  if (PyUnicode_Check(text.ptr())) {
    Py_ssize_t size = 0;
    const char* data = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
    if (!data) throw py::error_already_set();
    return {data, static_cast<std::size_t>(size)};
  }
  if (PyBytes_Check(text.ptr())) return view(py::reinterpret_borrow<py::bytes>(text));
  throw py::type_error("expected str or bytes, got " + std::string(Py_TYPE(text.ptr())->tp_name));
}

// A contiguous array that is taken as it is: another dtype is an error, not a conversion.
template <typename Word>
using Array = py::array_t<Word, py::array::c_style>;

// An array over a vector's memory, which it now owns.
template <typename Word>
Array<Word> owned(std::vector<Word>&& words) {
  auto* kept = new std::vector<Word>(std::move(words));
  const py::capsule owner(kept, [](void* at) { delete static_cast<std::vector<Word>*>(at); });
  return Array<Word>(static_cast<py::ssize_t>(kept->size()), kept->data(), owner);
}

template <typename Word>
std::span<const Word> view(const Array<Word>& array, const char* name) {
  if (array.ndim() != 1) {
    throw dedup::ArgumentError(std::string(name) + " has one dimension, got " +
                               std::to_string(array.ndim()));
  }
  return {array.data(), static_cast<std::size_t>(array.size())};
}

// The UTF-8 of a sequence of str and bytes. Holds the items, for the caller may change the sequence
// while the GIL is dropped.
class Texts {
 public:
  explicit Texts(const py::sequence& texts) : items_(texts) {
    if (PyUnicode_Check(texts.ptr()) || PyBytes_Check(texts.ptr())) {
      throw py::type_error("expected a sequence of str or bytes, got a single one");
    }
    views_.reserve(items_.size());
    for (const py::handle item : items_) {
      views_.push_back(utf8(py::reinterpret_borrow<py::object>(item)));
    }
  }

  std::span<const std::string_view> views() const { return views_; }

 private:
  py::tuple items_;
  std::vector<std::string_view> views_;
};

std::size_t checked_shingle_size(std::size_t size) {
  constexpr std::size_t largest = 1 << 16;  // a window of hashes this long is kept in memory
  if (size < 1 || size > largest) {
    throw dedup::ArgumentError("shingle_size is from 1 to " + std::to_string(largest) + ", got " +
                               std::to_string(size));
  }
  return size;
}

dedup::TokenHash token_hash_of(const std::string& name) {
  if (name == "sha1") return dedup::TokenHash::sha1;
  if (name == "xxh32") return dedup::TokenHash::xxh32;
  if (name == "xxh64") return dedup::TokenHash::xxh64;
  throw dedup::ArgumentError("token_hash is sha1, xxh32 or xxh64, got " + name);
}

void check_parameters(std::size_t a, std::size_t b) {
  if (a != b) {
    throw dedup::ArgumentError("a and b have one value for each slot, got " + std::to_string(a) +
                               " and " + std::to_string(b));
  }
}

// The signature of each document, whose hashes are those from one offset up to the next.
template <auto lower, typename Hash, typename Parameter, typename Slot>
Array<Slot> signatures(const Array<Hash>& hashes, const Array<std::uint64_t>& offsets,
                       const Array<Parameter>& a, const Array<Parameter>& b, bool portable) {
  const auto all = view(hashes, "hashes");
  const auto bounds = view(offsets, "offsets");
  const auto factor = view(a, "a");
  const auto offset = view(b, "b");
  check_parameters(factor.size(), offset.size());
  if (bounds.empty() || bounds.front() != 0 || bounds.back() != all.size() ||
      !std::is_sorted(bounds.begin(), bounds.end())) {
    throw dedup::ArgumentError("offsets rise from 0 to the number of hashes, which is " +
                               std::to_string(all.size()));
  }
  const std::size_t slots = factor.size();
  Array<Slot> result({bounds.size() - 1, slots});
  const std::span<Slot> out(result.mutable_data(), static_cast<std::size_t>(result.size()));
  {
    py::gil_scoped_release release;
    std::ranges::fill(out, std::numeric_limits<Slot>::max());
    for (std::size_t document = 0; document + 1 < bounds.size(); ++document) {
      const auto own = all.subspan(bounds[document], bounds[document + 1] - bounds[document]);
      lower(own, factor, offset, out.subspan(document * slots, slots), dispatch(portable));
    }
  }
  return result;
}

Array<std::uint32_t> text_signatures(const py::sequence& sequence, std::size_t shingle_size,
                                     const Array<std::uint32_t>& a, const Array<std::uint32_t>& b,
                                     bool portable) {
  const Texts texts(sequence);
  const auto factor = view(a, "a");
  const auto offset = view(b, "b");
  check_parameters(factor.size(), offset.size());
  checked_shingle_size(shingle_size);
  Array<std::uint32_t> result({texts.views().size(), factor.size()});
  const std::span out(result.mutable_data(), static_cast<std::size_t>(result.size()));
  {
    py::gil_scoped_release release;
    dedup::text_signatures(texts.views(), shingle_size, factor, offset, out, dispatch(portable));
  }
  return result;
}

Array<std::uint64_t> token_hashes(const py::sequence& sequence, const std::string& token_hash,
                                  bool portable) {
  const Texts tokens(sequence);
  const dedup::TokenHash function = token_hash_of(token_hash);
  Array<std::uint64_t> result(tokens.views().size());
  const std::span out(result.mutable_data(), tokens.views().size());
  {
    py::gil_scoped_release release;
    dedup::token_hashes(tokens.views(), function, out, dispatch(portable));
  }
  return result;
}

// Hashes, their offsets, and the numbers of the texts that the table does not suffice for.
py::tuple word_shingle_hashes(const py::sequence& sequence, std::size_t shingle_size,
                              const std::string& token_hash, const Array<std::uint32_t>& table,
                              bool portable) {
  const Texts texts(sequence);
  const dedup::TokenHash function = token_hash_of(token_hash);
  const auto words_table = view(table, "table");
  checked_shingle_size(shingle_size);
  std::vector<std::uint64_t> hashes;
  std::vector<std::uint64_t> offsets = {0};
  std::vector<std::uint64_t> undone;
  {
    py::gil_scoped_release release;
    dedup::WordShingles words;
    for (const std::string_view text : texts.views()) {
      if (!dedup::word_shingles(text, shingle_size, words_table, words)) {
        undone.push_back(offsets.size() - 1);
      }
      hashes.resize(offsets.back() + words.shingles.size());
      dedup::token_hashes(words.shingles, function, std::span(hashes).subspan(offsets.back()),
                          dispatch(portable));
      offsets.push_back(hashes.size());
    }
  }
  return py::make_tuple(owned(std::move(hashes)), owned(std::move(offsets)),
                        owned(std::move(undone)));
}

Array<std::uint64_t> shingle_hashes(const Array<std::uint64_t>& tokens, std::size_t shingle_size) {
  const auto hashes = view(tokens, "tokens");
  checked_shingle_size(shingle_size);
  std::vector<std::uint64_t> shingles;
  {
    py::gil_scoped_release release;
    dedup::shingle_hashes(hashes, shingle_size, shingles);
  }
  return owned(std::move(shingles));
}

template <typename Word, Word (*mix)(Word)>
Array<Word> mixed(const Array<Word>& hashes) {
  const auto in = view(hashes, "hashes");
  Array<Word> result(in.size());
  std::ranges::transform(in, result.mutable_data(), mix);
  return result;
}

template <typename Slot>
Array<std::uint64_t> band_keys(const Array<Slot>& signatures, std::size_t bands, std::size_t rows) {
  if (signatures.ndim() != 2) {
    throw dedup::ArgumentError("signatures has two dimensions, got " +
                               std::to_string(signatures.ndim()));
  }
  const auto documents = static_cast<std::size_t>(signatures.shape(0));
  const auto slots = static_cast<std::size_t>(signatures.shape(1));
  if (bands == 0 || rows == 0 || rows > slots / bands) {
    throw dedup::ArgumentError("bands x rows is from 1 x 1 to " + std::to_string(slots) +
                               " slots, got " + std::to_string(bands) + " x " +
                               std::to_string(rows));
  }
  Array<std::uint64_t> result({documents, bands});
  const std::span in(signatures.data(), documents * slots);
  const std::span out(result.mutable_data(), documents * bands);
  {
    py::gil_scoped_release release;
    for (std::size_t document = 0; document < documents; ++document) {
      dedup::band_keys(in.subspan(document * slots, slots), rows,
                       out.subspan(document * bands, bands));
    }
  }
  return result;
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
      "siphash",
      [](const py::bytes& key, const py::bytes& data) {
        return dedup::siphash(key_of(key), view(data));
      },
      "key"_a, "data"_a);
  module.def(
      "siphash",
      [](const py::bytes& key, std::uint64_t word) { return dedup::siphash(key_of(key), word); },
      "key"_a, "word"_a);
  module.def(
      "siphash_all",
      [](const py::bytes& key, const Array<std::uint64_t>& words, bool portable) {
        const auto in = view(words, "words");
        Array<std::uint64_t> hashes(static_cast<py::ssize_t>(in.size()));
        dedup::siphash_all(key_of(key), in, hashes.mutable_data(), dispatch(portable));
        return hashes;
      },
      "key"_a, py::arg("words").noconvert(), "portable"_a = false);
  module.def("fmix32", &mixed<std::uint32_t, &dedup::fmix32>, py::arg("hashes").noconvert());
  module.def("fmix64", &mixed<std::uint64_t, &dedup::fmix64>, py::arg("hashes").noconvert());
  module.def("token_hashes", &token_hashes, "tokens"_a, "token_hash"_a, "portable"_a = false);
  module.def("word_shingle_hashes", &word_shingle_hashes, "texts"_a, "shingle_size"_a,
             "token_hash"_a, py::arg("table").noconvert(), "portable"_a = false);
  module.def("shingle_hashes", &shingle_hashes, py::arg("tokens").noconvert(), "shingle_size"_a);
}

void bind_signatures(py::module_& module) {
  using namespace py::literals;
  module.def("affine32", &signatures<&dedup::affine32, std::uint32_t, std::uint32_t, std::uint32_t>,
             py::arg("hashes").noconvert(), py::arg("offsets").noconvert(),
             py::arg("a").noconvert(), py::arg("b").noconvert(), "portable"_a = false);
  module.def("affine64", &signatures<&dedup::affine64, std::uint64_t, std::uint64_t, std::uint64_t>,
             py::arg("hashes").noconvert(), py::arg("offsets").noconvert(),
             py::arg("a").noconvert(), py::arg("b").noconvert(), "portable"_a = false);
  module.def("legacy", &signatures<&dedup::legacy, std::uint32_t, std::uint64_t, std::uint32_t>,
             py::arg("hashes").noconvert(), py::arg("offsets").noconvert(),
             py::arg("a").noconvert(), py::arg("b").noconvert(), "portable"_a = false);
  module.def("text_signatures", &text_signatures, "texts"_a, "shingle_size"_a,
             py::arg("a").noconvert(), py::arg("b").noconvert(), "portable"_a = false);
  module.def("band_keys", &band_keys<std::uint32_t>, py::arg("signatures").noconvert(), "bands"_a,
             "rows"_a);
  module.def("band_keys", &band_keys<std::uint64_t>, py::arg("signatures").noconvert(), "bands"_a,
             "rows"_a);
}

// ---- tokens (tokenize.h) ------------------------------------------------------------------------

// An array that owns the vector's memory.
template <class T>
py::array_t<T> array_of(std::vector<T>&& values) {
  auto* kept = new std::vector<T>(std::move(values));
  const py::capsule owner(kept, [](void* vector) { delete static_cast<std::vector<T>*>(vector); });
  return py::array_t<T>(static_cast<py::ssize_t>(kept->size()), kept->data(), owner);
}

py::tuple tokenize(const py::object& text, bool portable) {
  const std::string_view bytes = utf8(text);
  dedup::Tokens tokens;
  {
    const py::gil_scoped_release released;
    dedup::tokenize(bytes, tokens, dispatch(portable));
  }
  return py::make_tuple(array_of(std::move(tokens.hashes)), array_of(std::move(tokens.starts)),
                        array_of(std::move(tokens.ends)));
}

py::tuple tokenize_batch(const py::sequence& texts) {
  const py::tuple kept(texts);  // another thread may change the list, not what we read
  std::vector<std::string_view> views;
  views.reserve(kept.size());
  for (const py::handle text : kept)
    views.push_back(utf8(py::reinterpret_borrow<py::object>(text)));
  dedup::Tokens tokens;
  std::vector<std::uint64_t> offsets{0};
  offsets.reserve(views.size() + 1);
  {
    const py::gil_scoped_release released;
    for (const std::string_view bytes : views) {
      try {
        dedup::append_tokens(bytes, tokens);
      } catch (const dedup::ArgumentError& error) {
        const std::string number = std::to_string(offsets.size() - 1);
        throw dedup::ArgumentError("text " + number + ": " + error.what());
      }
      offsets.push_back(tokens.size());
    }
  }
  return py::make_tuple(array_of(std::move(tokens.hashes)), array_of(std::move(tokens.starts)),
                        array_of(std::move(tokens.ends)), array_of(std::move(offsets)));
}

std::vector<std::string> normalised_tokens(const py::object& text) {
  const std::string_view bytes = utf8(text);
  const py::gil_scoped_release released;
  return dedup::normalised_tokens(bytes);
}

void bind_tokens(py::module_& module) {
  using namespace py::literals;
  module.def("tokenize", &tokenize, "text"_a, "portable"_a = false);
  module.def("tokenize_batch", &tokenize_batch, "texts"_a);
  module.def("normalised_tokens", &normalised_tokens, "text"_a);
  module.def("unicode_version", &dedup::unicode_version);
}

// ---- readings (reading.h, vocabulary.h) ---------------------------------------------------------

dedup::Vocabulary vocabulary(const std::vector<py::object>& words) {
  if (words.empty()) return {};
  dedup::Vocabulary made(dedup::TokenKey{}, words.size());
  for (const py::object& word : words) {
    for (const std::string& token : dedup::normalised_tokens(utf8(word))) {
      made.add(dedup::xxh3_64(token.data(), token.size()));
    }
  }
  return made;
}

// A reading's own text, and its runs, a row each.
py::object shown(const std::optional<dedup::Reading>& reading) {
  if (!reading) return py::none();
  Array<std::uint32_t> runs({reading->runs().size(), std::size_t{5}});
  auto rows = runs.mutable_unchecked<2>();
  for (std::size_t i = 0; i < reading->runs().size(); ++i) {
    const auto row = static_cast<py::ssize_t>(i);
    const dedup::Reading::Run& run = reading->runs()[i];
    rows(row, 0) = run.at;
    rows(row, 1) = run.size;
    rows(row, 2) = run.start;
    rows(row, 3) = run.end;
    rows(row, 4) = run.copied;
  }
  return py::make_tuple(py::str(reading->text()), runs);
}

// One stage's reading of a text.
py::object read_as(const std::string& stage, const py::object& text,
                   const dedup::Vocabulary& vocabulary) {
  const std::string_view bytes = utf8(text);
  std::optional<dedup::Reading> reading;
  {
    const py::gil_scoped_release released;
    if (stage == "rendered") {
      reading = dedup::rendered(bytes);
    } else if (stage == "decoded") {
      reading = dedup::decoded(bytes, vocabulary);
    } else if (stage == "deciphered") {
      reading = dedup::deciphered(bytes, vocabulary);
    } else if (stage == "respelled") {
      reading = dedup::respelled(bytes, vocabulary);
    } else if (stage == "thinned") {
      reading = dedup::thinned(bytes);
    } else {
      throw dedup::ArgumentError("no stage of reading is called " + stage);
    }
  }
  return shown(reading);
}

void bind_readings(py::module_& module) {
  using namespace py::literals;
  py::class_<dedup::Vocabulary>(module, "Vocabulary")
      .def(py::init(&vocabulary), "words"_a)
      .def(
          "knows",
          [](const dedup::Vocabulary& self, const std::string& word) { return self.knows(word); },
          "normalised"_a);
  module.def("read_as", &read_as, "stage"_a, "text"_a, "vocabulary"_a);
}

// ---- lexemes (lexemes.h, lex.h)
// ------------------------------------------------------------------

using dedup::Lexemes;

Lexemes lex(const py::object& text, const std::string& language) {
  const std::string_view bytes = utf8(text);
  const py::gil_scoped_release released;
  Lexemes lexemes;
  dedup::lex(bytes, dedup::comments_of(language), lexemes);
  return lexemes;
}

// The nodes of a syntax tree as lexemes; what stands in the text is read off their spans.
Lexemes syntax_lexemes(const py::object& text, const Array<std::uint8_t>& classes,
                       const Array<std::uint64_t>& symbols, const Array<std::uint32_t>& starts,
                       const Array<std::uint32_t>& ends) {
  const std::string_view bytes = utf8(text);
  const auto kinds = view(classes, "classes");
  const auto names = view(symbols, "symbols");
  const auto from = view(starts, "starts");
  const auto to = view(ends, "ends");
  const std::size_t size = kinds.size();
  if (names.size() != size || from.size() != size || to.size() != size) {
    throw dedup::ArgumentError("classes, symbols, starts and ends have one value for each node");
  }
  Lexemes lexemes;
  std::uint32_t before = 0;
  for (std::size_t i = 0; i < size; ++i) {
    if (from[i] < before || to[i] < from[i] || to[i] > bytes.size() ||
        kinds[i] >= dedup::kLexemeClasses) {
      throw dedup::ArgumentError("node " + std::to_string(i) + " has no class, or lies before " +
                                 "the one before it or past the text's end");
    }
    before = to[i];
    const auto kind = static_cast<dedup::LexemeClass>(kinds[i]);
    const std::string_view written = bytes.substr(from[i], to[i] - from[i]);
    const bool fixed = kind == dedup::LexemeClass::kFixed;
    lexemes.add(kind, fixed ? names[i] : 0, fixed ? names[i] : dedup::lexeme_hash(written),
                dedup::is_telling(kind, written), from[i], to[i]);
  }
  return lexemes;
}

template <typename Word>
Array<Word> copied(const std::vector<Word>& words) {
  return Array<Word>(static_cast<py::ssize_t>(words.size()), words.data());
}

// Moves spans from a text to the one it was decoded from, whose byte at i is offsets[i] there.
void relocate(Lexemes& lexemes, const Array<std::uint32_t>& offsets) {
  const auto places = view(offsets, "offsets");
  const auto move = [&](std::uint32_t& at) {
    if (at >= places.size()) {
      throw dedup::ArgumentError("offsets has " + std::to_string(places.size()) + " values, byte " +
                                 std::to_string(at) + " has none");
    }
    at = places[at];
  };
  for (std::size_t i = 0; i < lexemes.size(); ++i) {
    // The end is that of the last byte, not where the next one begins: an escape may lie between.
    const bool empty = lexemes.ends[i] == lexemes.starts[i];
    move(lexemes.starts[i]);
    if (empty) {
      lexemes.ends[i] = lexemes.starts[i];
    } else {
      move(lexemes.ends[i]);
    }
  }
}

void shift(Lexemes& lexemes, std::uint32_t by) {
  for (std::uint32_t& at : lexemes.starts) at += by;
  for (std::uint32_t& at : lexemes.ends) at += by;
}

void extend(Lexemes& lexemes, const Lexemes& other) {
  const std::uint32_t end = lexemes.size() == 0 ? 0 : lexemes.ends.back();
  if (other.size() != 0 && other.starts.front() < end) {
    throw dedup::ArgumentError("lexemes come in the order of their text");
  }
  for (std::size_t i = 0; i < other.size(); ++i) {
    lexemes.add(static_cast<dedup::LexemeClass>(other.classes[i]), other.symbols[i], other.raws[i],
                other.telling[i] != 0, other.starts[i], other.ends[i]);
  }
}

void bind_lexemes(py::module_& module) {
  using namespace py::literals;
  py::class_<Lexemes>(module, "Lexemes")
      .def(py::init<>())
      .def("__len__", &Lexemes::size)
      .def_property_readonly("classes", [](const Lexemes& own) { return copied(own.classes); })
      .def_property_readonly("symbols", [](const Lexemes& own) { return copied(own.symbols); })
      .def_property_readonly("raws", [](const Lexemes& own) { return copied(own.raws); })
      .def_property_readonly("starts", [](const Lexemes& own) { return copied(own.starts); })
      .def_property_readonly("ends", [](const Lexemes& own) { return copied(own.ends); })
      .def("relocate", &relocate, py::arg("offsets").noconvert())
      .def("shift", &shift, "by"_a)
      .def("extend", &extend, "other"_a);
  module.def("lex", &lex, "text"_a, "language"_a = "");
  module.def(
      "lex_chunks",
      [](const py::sequence& chunks, const std::string& language) {
        const Texts texts(chunks);
        Lexemes lexemes;
        dedup::Lexer lexer(dedup::comments_of(language));
        for (const std::string_view chunk : texts.views()) lexer.feed(chunk, lexemes);
        lexer.finish(lexemes);
        return lexemes;
      },
      "chunks"_a, "language"_a = "");
  module.def("syntax_lexemes", &syntax_lexemes, "text"_a, py::arg("classes").noconvert(),
             py::arg("symbols").noconvert(), py::arg("starts").noconvert(),
             py::arg("ends").noconvert());
}

// ---- what a search came across (trace.h) -------------------------------------------------------

// The devices of a reading.
py::tuple names_of(std::uint32_t devices) {
  py::list names;
  for (std::size_t i = 0; i < std::size(dedup::kDeviceNames); ++i) {
    if (devices >> i & 1) names.append(dedup::kDeviceNames[i]);
  }
  return py::tuple(names);
}

void bind_trace(py::module_& module) {
  using dedup::Trace;
  static constexpr const char* kClues[] = {"tile", "gapped", "window", "unit"};
  static constexpr const char* kFates[] = {"explained", "unlike", "removed", "too short",
                                           "aligned"};
  static constexpr const char* kOutcomes[] = {"matched", "too short", "scattered", "repetitive",
                                              "repeated"};
  py::class_<Trace::Hit>(module, "Hit")
      .def_readonly("view", &Trace::Hit::view)
      .def_readonly("segment", &Trace::Hit::segment)
      .def_readonly("token", &Trace::Hit::token)
      .def_readonly("start", &Trace::Hit::start)
      .def_property_readonly("clue", [](const Trace::Hit& own) { return kClues[int(own.clue)]; })
      .def_readonly("postings", &Trace::Hit::postings)
      .def_readonly("is_common", &Trace::Hit::is_common)
      .def_readonly("bits", &Trace::Hit::bits);
  py::class_<Trace::Place>(module, "Place")
      .def_readonly("view", &Trace::Place::view)
      .def_readonly("segment", &Trace::Place::segment)
      .def_readonly("document", &Trace::Place::document)
      .def_readonly("token", &Trace::Place::token)
      .def_readonly("start", &Trace::Place::start)
      .def_property_readonly("clue", [](const Trace::Place& own) { return kClues[int(own.clue)]; })
      .def_property_readonly("fate", [](const Trace::Place& own) { return kFates[int(own.fate)]; })
      .def_readonly("score", &Trace::Place::score)
      .def_readonly("needed", &Trace::Place::needed);
  py::class_<Trace::Passage>(module, "Passage")
      .def_readonly("view", &Trace::Passage::view)
      .def_readonly("segment", &Trace::Passage::segment)
      .def_readonly("document", &Trace::Passage::document)
      .def_readonly("start", &Trace::Passage::start)
      .def_readonly("end", &Trace::Passage::end)
      .def_property_readonly("tokens", [](const Trace::Passage& own) { return own.to - own.from; })
      .def_readonly("matched", &Trace::Passage::matched)
      .def_readonly("parts", &Trace::Passage::parts)
      .def_readonly("score", &Trace::Passage::score)
      .def_readonly("needed", &Trace::Passage::needed)
      .def_readonly("distinct", &Trace::Passage::distinct)
      .def_readonly("needed_distinct", &Trace::Passage::needed_distinct)
      .def_property_readonly("outcome",
                             [](const Trace::Passage& own) { return kOutcomes[int(own.outcome)]; });
  py::class_<Trace::Seeds>(module, "TracedSeeds")
      .def_readonly("tokens", &Trace::Seeds::tokens)
      .def_readonly("made", &Trace::Seeds::made)
      .def_readonly("held", &Trace::Seeds::held)
      .def_readonly("gate", &Trace::Seeds::gate);
  py::class_<Trace::Reading>(module, "TracedReading")
      .def_property_readonly("undone",
                             [](const Trace::Reading& own) { return names_of(own.devices); })
      .def_readonly("matches", &Trace::Reading::matches);
  py::class_<Trace>(module, "Trace")
      .def_readonly("readings", &Trace::readings)
      .def_property_readonly("seeds",
                             [](const Trace& own) {
                               return std::vector<Trace::Seeds>(std::begin(own.seeds),
                                                                std::end(own.seeds));
                             })
      .def_readonly("hits", &Trace::hits)
      .def_readonly("places", &Trace::places)
      .def_readonly("passages", &Trace::passages)
      .def_readonly("all_hits", &Trace::all_hits)
      .def_readonly("all_places", &Trace::all_places)
      .def_readonly("all_passages", &Trace::all_passages);
}

// ---- segments, search (segment.h, search.h) -----------------------------------------------------

dedup::TokenKey token_key(const std::optional<py::bytes>& key) {
  return {key ? std::optional(key_of(*key)) : std::nullopt};
}

using SegmentPtr = std::shared_ptr<dedup::Segment>;
using StoragePtr = std::shared_ptr<dedup::Storage>;

StoragePtr storage_or_default(const StoragePtr& storage) {
  return storage ? storage : std::make_shared<dedup::Storage>();
}

// A Python function as a hook: hook(call, path, detail) -> int or None.
dedup::StorageHook storage_hook(py::object function) {
  if (function.is_none()) return {};
  // Let go of wherever the storage ends, which may be without the GIL.
  const std::shared_ptr<py::object> held(new py::object(std::move(function)), [](py::object* held) {
    const py::gil_scoped_acquire acquire;
    delete held;
  });
  return [held](const dedup::StorageCall& call) {
    const py::gil_scoped_acquire acquire;
    py::object detail = py::none();
    if (std::string_view(call.name) == "write") {
      detail = py::bytes(call.detail.data(), call.detail.size());
    } else if (!call.detail.empty()) {
      detail = py::str(call.detail.data(), call.detail.size());
    }
    const py::object verdict = (*held)(call.name, call.path, detail);
    return verdict.is_none() ? 0 : verdict.cast<int>();
  };
}

void bind_storage(py::module_& module) {
  using namespace py::literals;
  using dedup::Storage;
  using Release = py::call_guard<py::gil_scoped_release>;
  py::class_<dedup::StorageLock>(module, "StorageLock")
      .def("release", &dedup::StorageLock::release);
  py::class_<Storage, StoragePtr>(module, "Storage")
      .def(py::init([](py::object hook) {
             return std::make_shared<Storage>(storage_hook(std::move(hook)));
           }),
           "hook"_a = py::none())
      .def(
          "read",
          [](const Storage& storage, const std::string& path, std::uint64_t limit) {
            std::string bytes;
            {
              const py::gil_scoped_release release;
              bytes = storage.read(path, limit);
            }
            return py::bytes(bytes);
          },
          "path"_a, "limit"_a)
      .def(
          "write",
          [](const Storage& storage, const std::string& path, const py::bytes& bytes) {
            const std::string_view raw = view(bytes);
            const py::gil_scoped_release release;
            storage.write(path, raw);
          },
          "path"_a, "data"_a)
      .def("rename", &Storage::rename, "source"_a, "target"_a, Release())
      .def("sync_folder", &Storage::sync_folder, "path"_a, Release())
      .def("remove", &Storage::remove, "path"_a, Release())
      .def("list", &Storage::list, "path"_a, Release())
      .def("make_folder", &Storage::make_folder, "path"_a, Release())
      .def("exists", &Storage::exists, "path"_a, Release())
      .def(
          "lock",
          [](const StoragePtr& storage, const std::string& path) {
            return dedup::StorageLock::take(storage, path);
          },
          "path"_a, Release());
}

std::vector<std::shared_ptr<const dedup::Segment>> read_only(
    const std::vector<SegmentPtr>& segments) {
  return {segments.begin(), segments.end()};
}

// A set of document numbers for each segment, as bits of bytes.
std::vector<dedup::Tombstones> tombstones(const std::vector<py::bytes>& dead) {
  std::vector<dedup::Tombstones> bits(dead.size());
  for (std::size_t s = 0; s < dead.size(); ++s) {
    const std::string_view raw = view(dead[s]);
    bits[s].resize((raw.size() + 7) / 8);
    std::copy(raw.begin(), raw.end(), reinterpret_cast<char*>(bits[s].data()));
  }
  return bits;
}

// Name, start, end, first line, last line, first node, nodes.
using Unit = std::tuple<std::string, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t,
                        std::uint32_t, std::uint32_t>;

std::vector<dedup::UnitInfo> units_of(const std::vector<Unit>& units, std::size_t nodes) {
  std::vector<dedup::UnitInfo> infos;
  for (const auto& [name, start, end, first_line, last_line, first, count] : units) {
    if (std::uint64_t{first} + count > nodes) {
      throw dedup::ArgumentError("unit " + name + " has nodes past the last");
    }
    infos.push_back({name, start, end, first_line, last_line, {first, count}});
  }
  return infos;
}

std::vector<std::vector<dedup::Match>> search_all(const dedup::Searcher& searcher,
                                                  const std::vector<std::string_view>& texts,
                                                  const std::vector<dedup::CodeInfo>& syntaxes,
                                                  std::size_t threads) {
  std::vector<std::vector<dedup::Match>> found(texts.size());
  std::atomic<std::size_t> next = 0;
  std::mutex guard;
  std::exception_ptr failure;
  const auto work = [&] {
    for (std::size_t i = next++; i < texts.size(); i = next++) {
      try {
        found[i] = searcher.search(texts[i], nullptr, i < syntaxes.size() ? &syntaxes[i] : nullptr);
      } catch (...) {
        const std::lock_guard lock(guard);
        if (!failure) failure = std::current_exception();
        return;
      }
    }
  };
  std::vector<std::thread> others;
  for (std::size_t t = 1; t < std::min(threads, texts.size()); ++t) others.emplace_back(work);
  work();
  for (auto& thread : others) thread.join();
  if (failure) std::rethrow_exception(failure);
  return found;
}

// ---- what searches look up (seed_block.h, seeds.h, align.h)
// --------------------------------------------------

dedup::Sequence sequence_of(const py::object& text, bool lexemes) {
  const std::string_view bytes = utf8(text);
  dedup::Sequence sequence;
  if (lexemes) {
    Lexemes found;
    dedup::lex(bytes, dedup::Comments::kAuto, found);
    dedup::key_lexemes(found, {}, sequence);
  } else {
    dedup::Tokens tokens;
    dedup::tokenize(bytes, tokens);
    dedup::key_tokens(tokens, {}, sequence);
  }
  return sequence;
}

// A row for each kind of seed, with one for each tile; all ones where there is none.
Array<std::uint64_t> query_seeds(const py::object& text, const dedup::Scheme& scheme, bool lexemes,
                                 bool portable) {
  const dedup::Sequence sequence = sequence_of(text, lexemes);
  dedup::SeedReader reader(sequence, scheme, dispatch(portable));
  const std::uint32_t tiles =
      sequence.size() < scheme.tile_size ? 0 : sequence.size() - scheme.tile_size + 1;
  const std::size_t kinds = scheme.gapped_shape != 0 ? dedup::SeedBlock::kKinds : 1;
  Array<std::uint64_t> seeds({kinds, std::size_t{tiles}});
  for (dedup::SeedBlock block; reader.next(block);) {
    for (std::size_t kind = 0; kind < kinds; ++kind) {
      for (std::uint32_t i = 0; i < block.tokens; ++i) {
        const bool is_one = (block.present[kind] >> i & 1) != 0;
        seeds.mutable_at(kind, block.first + i) = is_one ? block.seeds[kind][i] : dedup::kNoSeed;
      }
    }
  }
  return seeds;
}

// The same, each seed made by itself.
Array<std::uint64_t> single_seeds(const py::object& text, const dedup::Scheme& scheme,
                                  bool lexemes) {
  const dedup::Sequence sequence = sequence_of(text, lexemes);
  const std::size_t size = sequence.size();
  const std::size_t tiles = size < scheme.tile_size ? 0 : size - scheme.tile_size + 1;
  const std::size_t kinds = scheme.gapped_shape != 0 ? dedup::SeedBlock::kKinds : 1;
  Array<std::uint64_t> seeds({kinds, tiles});
  for (std::size_t i = 0; i < tiles; ++i) {
    seeds.mutable_at(0, i) = dedup::tile_seed(sequence, i, scheme);
    for (std::size_t s = 0; s + 1 < kinds; ++s) {
      const std::int32_t shift = dedup::kShift[s];
      const std::size_t span = scheme.gapped_span() + static_cast<std::size_t>(shift);
      seeds.mutable_at(s + 1, i) =
          i + span > size ? dedup::kNoSeed : dedup::gapped_seed(sequence, i, scheme, shift);
    }
  }
  return seeds;
}

// The minima of each window, `stride` tokens apart.
Array<std::uint32_t> window_minima(const py::object& text, const dedup::Scheme& scheme,
                                   std::uint32_t stride, bool portable) {
  const dedup::Sequence sequence = sequence_of(text, false);
  std::vector<std::uint32_t> minima;
  const std::size_t slots = scheme.bands * scheme.rows;
  dedup::WindowMinima windows(scheme, dispatch(portable));
  windows.each(sequence, stride, [&](std::size_t, const std::uint32_t* window) {
    minima.insert(minima.end(), window, window + slots);
  });
  Array<std::uint32_t> out({minima.size() / slots, slots});
  std::ranges::copy(minima, out.mutable_data());
  return out;
}

dedup::Fingerprints fingerprints(const py::bytes& bytes) {
  const std::string_view own = view(bytes);
  return {reinterpret_cast<const std::uint8_t*>(own.data()), own.size()};
}

// Whether a place is worth aligning, and the best anchor there.
py::tuple screen(const py::bytes& query, const py::bytes& document, std::int64_t q, std::int64_t d,
                 std::int32_t reach, bool portable) {
  const dedup::Screened found =
      dedup::screen(fingerprints(query), fingerprints(document), q, d, reach, dispatch(portable));
  return py::make_tuple(found.passed, found.query, found.document);
}

// Score, pieces, and whether more of the document, before or behind, would have been looked at.
py::tuple align(const py::bytes& query, const py::bytes& document, std::uint32_t q, std::uint32_t d,
                std::int32_t cost, bool portable, std::int32_t gain, std::int32_t extra) {
  const dedup::Fingerprints own = fingerprints(query), other = fingerprints(document);
  if (q > own.size() || d > other.size()) throw py::index_error("the anchor lies outside");
  const dedup::Alignment found = dedup::align(
      own, other, q, d, dedup::Prices{gain, cost, extra < 0 ? cost : extra}, dispatch(portable));
  std::vector<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>> pieces;
  for (const auto& piece : found.pieces) {
    pieces.emplace_back(piece.query, piece.document, piece.length);
  }
  return py::make_tuple(found.score, pieces, found.wants_before, found.wants_behind);
}

void bind_kernels(py::module_& module) {
  using namespace py::literals;
  module.def("query_seeds", &query_seeds, "text"_a, "scheme"_a, "lexemes"_a = false,
             "portable"_a = false);
  module.def("single_seeds", &single_seeds, "text"_a, "scheme"_a, "lexemes"_a = false);
  module.def("window_minima", &window_minima, "text"_a, "scheme"_a, "stride"_a,
             "portable"_a = false);
  module.def("screen", &screen, "query"_a, "document"_a, "q"_a, "d"_a, "reach"_a,
             "portable"_a = false);
  module.def("align", &align, "query"_a, "document"_a, "q"_a, "d"_a, "cost"_a, "portable"_a = false,
             "gain"_a = 2, "extra"_a = -1);
}

void bind_index(py::module_& module) {
  using namespace py::literals;
  using dedup::Scheme;
  const Scheme defaults;
  py::class_<Scheme>(module, "Scheme")
      .def(
          py::init([](std::uint32_t tile_size, std::uint32_t tile_stride,
                      std::uint32_t gapped_shape, std::uint32_t gapped_stride,
                      std::uint32_t window_size, std::uint32_t window_stride,
                      std::uint32_t shingle_size, std::uint32_t bands, std::uint32_t rows,
                      std::uint32_t least_distinct) {
            const Scheme scheme{
                tile_size,    tile_stride, gapped_shape, gapped_stride,  window_size, window_stride,
                shingle_size, bands,       rows,         least_distinct, {}};
            scheme.check();
            return scheme;
          }),
          py::kw_only(), "tile_size"_a = defaults.tile_size, "tile_stride"_a = defaults.tile_stride,
          "gapped_shape"_a = defaults.gapped_shape, "gapped_stride"_a = defaults.gapped_stride,
          "window_size"_a = defaults.window_size, "window_stride"_a = defaults.window_stride,
          "shingle_size"_a = defaults.shingle_size, "bands"_a = defaults.bands,
          "rows"_a = defaults.rows, "least_distinct"_a = defaults.least_distinct)
      .def_static("code", &Scheme::code)
      .def_static("ast", &Scheme::ast)
      .def_readonly("tile_size", &Scheme::tile_size)
      .def_readonly("tile_stride", &Scheme::tile_stride)
      .def_readonly("gapped_shape", &Scheme::gapped_shape)
      .def_readonly("gapped_stride", &Scheme::gapped_stride)
      .def_readonly("window_size", &Scheme::window_size)
      .def_readonly("window_stride", &Scheme::window_stride)
      .def_readonly("shingle_size", &Scheme::shingle_size)
      .def_readonly("bands", &Scheme::bands)
      .def_readonly("rows", &Scheme::rows)
      .def_readonly("least_distinct", &Scheme::least_distinct)
      .def_property_readonly("guaranteed_tokens", &Scheme::guaranteed_tokens)
      .def("__eq__", [](const Scheme& a, const Scheme& b) { return a == b; });
  py::class_<dedup::SegmentSummary>(module, "SegmentSummary")
      .def_readonly("name", &dedup::SegmentSummary::name)
      .def_readonly("bytes", &dedup::SegmentSummary::bytes)
      .def_readonly("documents", &dedup::SegmentSummary::documents)
      .def_readonly("tokens", &dedup::SegmentSummary::tokens)
      .def_readonly("seeds", &dedup::SegmentSummary::seeds);
  module.def(
      "key_id", [](const std::optional<py::bytes>& key) { return token_key(key).id(); }, "key"_a);

  module.def(
      "content_hash",
      [](const py::object& text, const std::optional<py::bytes>& key) {
        const std::string_view bytes = utf8(text);
        return token_key(key)(dedup::lexeme_hash(bytes));
      },
      "text"_a, "key"_a);

  py::class_<dedup::SegmentWriter>(module, "SegmentWriter")
      .def(py::init([](const dedup::Schemes& schemes, const std::optional<py::bytes>& key,
                       const StoragePtr& storage) {
             return std::make_unique<dedup::SegmentWriter>(schemes, token_key(key),
                                                           storage_or_default(storage));
           }),
           "schemes"_a, "key"_a, "storage"_a = py::none())
      .def(
          "add",
          [](dedup::SegmentWriter& writer, const py::object& text, std::string id,
             std::string corpus, std::string licence, std::string owner, std::string url,
             std::uint32_t expires, std::string language, const Lexemes* code, const Lexemes* ast,
             const std::vector<Unit>& units) {
            const std::string_view bytes = utf8(text);
            const dedup::DocumentInfo info{std::move(id),    std::move(corpus), std::move(licence),
                                           std::move(owner), std::move(url),    std::move(language),
                                           expires};
            if (!code) {
              const py::gil_scoped_release release;
              return writer.add(info, bytes);
            }
            const dedup::CodeInfo parts{*code, ast ? *ast : Lexemes(),
                                        units_of(units, ast ? ast->size() : 0)};
            const py::gil_scoped_release release;
            return writer.add(info, bytes, &parts);
          },
          "text"_a, "id"_a, "corpus"_a, "licence"_a, "owner"_a, "url"_a, "expires"_a = 0,
          "language"_a = "", "code"_a = py::none(), "ast"_a = py::none(),
          "units"_a = std::vector<Unit>())
      .def(
          "content_hash",
          [](const dedup::SegmentWriter& writer, const py::object& text) {
            return writer.content_hash(utf8(text));
          },
          "text"_a)
      .def_property_readonly("tokens", &dedup::SegmentWriter::tokens)
      .def_property_readonly("documents", &dedup::SegmentWriter::documents)
      .def_property_readonly("memory_bytes", &dedup::SegmentWriter::memory_bytes)
      .def("write", &dedup::SegmentWriter::write, "folder"_a, "temporary"_a = "segment",
           py::call_guard<py::gil_scoped_release>());

  py::class_<dedup::Segment, SegmentPtr>(module, "Segment")
      .def(py::init([](const std::string& path, const std::optional<py::bytes>& key,
                       const StoragePtr& storage) {
             const dedup::TokenKey secret = token_key(key);
             const py::gil_scoped_release release;
             return std::make_shared<dedup::Segment>(*storage_or_default(storage), path, secret);
           }),
           "path"_a, "key"_a = py::none(), "storage"_a = py::none())
      .def_static(
          "key_id_of",
          [](const std::string& path, const StoragePtr& storage) {
            return dedup::Segment::key_id_of(*storage_or_default(storage), path);
          },
          "path"_a, "storage"_a = py::none(), py::call_guard<py::gil_scoped_release>())
      .def_property_readonly("path", &dedup::Segment::path)
      .def_property_readonly("schemes",
                             [](const dedup::Segment& segment) {
                               dedup::Schemes schemes;
                               for (std::uint32_t v = 0; v < dedup::kViews; ++v) {
                                 schemes[v] = segment.view(v).scheme();
                               }
                               return schemes;
                             })
      .def_property_readonly("key_id", &dedup::Segment::key_id)
      .def_property_readonly("tokens",
                             [](const dedup::Segment& segment) {
                               std::array<std::uint64_t, dedup::kViews> tokens;
                               for (std::uint32_t v = 0; v < dedup::kViews; ++v) {
                                 tokens[v] = segment.view(v).tokens();
                               }
                               return tokens;
                             })
      .def_property_readonly("summary", &dedup::Segment::summary)
      .def("verify", &dedup::Segment::verify, py::call_guard<py::gil_scoped_release>())
      .def_property_readonly("is_filtered",
                             [](const dedup::Segment& segment) {
                               std::array<bool, dedup::kViews> filtered;
                               for (std::uint32_t v = 0; v < dedup::kViews; ++v) {
                                 filtered[v] = segment.view(v).seeds().filter() != nullptr;
                               }
                               return filtered;
                             })
      .def(
          "document",
          [](const dedup::Segment& segment, std::uint32_t index) {
            if (index >= segment.documents()) throw py::index_error("no such document");
            const dedup::DocumentInfo info = segment.info(index);
            const dedup::DocumentRecord record = segment.document(index);
            return py::make_tuple(info.id, info.corpus, info.licence, info.owner, info.url,
                                  info.language, record.views[dedup::kTextView].tokens,
                                  record.views[dedup::kCodeView].tokens,
                                  record.views[dedup::kAstView].tokens, record.units,
                                  record.text_bytes, record.content_hash, record.expires);
          },
          "index"_a)
      .def(
          "corpora",
          [](const dedup::Segment& segment, const py::bytes& dead) {
            std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> counts;
            for (const auto& [corpus, count] : segment.corpora(tombstones({dead})[0])) {
              counts[corpus] = {count.documents, count.tokens};
            }
            return counts;
          },
          "dead"_a)
      .def("find_id", &dedup::Segment::find_id, "id"_a)
      .def("shared_ids", &dedup::Segment::shared_ids, "other"_a,
           py::call_guard<py::gil_scoped_release>())
      .def("expired", &dedup::Segment::expired, "day"_a)
      .def("next_expiry", &dedup::Segment::next_expiry, "day"_a);

  module.def(
      "merge_segments",
      [](const std::vector<SegmentPtr>& segments, const std::vector<py::bytes>& dead,
         const std::optional<py::bytes>& key, const std::string& folder, const std::string& name,
         const StoragePtr& storage) {
        const auto gone = tombstones(dead);
        const dedup::TokenKey secret = token_key(key);
        const py::gil_scoped_release release;
        return dedup::merge_segments(read_only(segments), gone, secret, storage_or_default(storage),
                                     folder, name);
      },
      "segments"_a, "dead"_a, "key"_a, "folder"_a, "name"_a = "", "storage"_a = py::none());

  py::class_<dedup::Supply>(module, "Supply");
  py::class_<dedup::Searcher, std::shared_ptr<dedup::Searcher>>(module, "Searcher")
      .def(py::init([](const std::vector<SegmentPtr>& segments, const std::vector<py::bytes>& dead,
                       const std::optional<py::bytes>& key) {
             return std::make_shared<dedup::Searcher>(read_only(segments), tombstones(dead),
                                                      token_key(key));
           }),
           "segments"_a, "dead"_a, "key"_a)
      .def_property_readonly("has_code", &dedup::Searcher::has_code)
      .def_property_readonly("vocabulary",
                             [](const dedup::Searcher& searcher) -> const dedup::Vocabulary& {
                               const py::gil_scoped_release released;
                               return searcher.vocabulary();
                             })
      .def(
          "search",
          [](const dedup::Searcher& searcher, const py::object& text, const dedup::Supply* supply,
             const Lexemes* ast, const std::vector<Unit>& units) {
            const std::string_view bytes = utf8(text);
            dedup::CodeInfo syntax;
            if (ast) syntax = {Lexemes(), *ast, units_of(units, ast->size())};
            const py::gil_scoped_release release;
            return searcher.search(bytes, supply, ast ? &syntax : nullptr);
          },
          "text"_a, "supply"_a = py::none(), "ast"_a = py::none(), "units"_a = std::vector<Unit>())
      .def(
          "explain",
          [](const dedup::Searcher& searcher, const py::object& text, const dedup::Supply* supply,
             const Lexemes* ast, const std::vector<Unit>& units) {
            const std::string_view bytes = utf8(text);
            dedup::CodeInfo syntax;
            if (ast) syntax = {Lexemes(), *ast, units_of(units, ast->size())};
            dedup::Trace trace;
            {
              const py::gil_scoped_release release;
              searcher.search(bytes, supply, ast ? &syntax : nullptr, &trace);
            }
            return trace;
          },
          "text"_a, "supply"_a = py::none(), "ast"_a = py::none(), "units"_a = std::vector<Unit>())
      .def(
          "is_disguised",
          [](const dedup::Searcher& searcher, const py::object& text) {
            const std::string_view bytes = utf8(text);
            const py::gil_scoped_release release;
            return searcher.is_disguised(bytes);
          },
          "text"_a)
      .def(
          "has_fillers",
          [](const dedup::Searcher& searcher, const py::object& text) {
            const std::string_view bytes = utf8(text);
            const py::gil_scoped_release release;
            return !searcher.without_fillers(bytes).empty();
          },
          "text"_a)
      .def(
          "without_fillers",
          [](const dedup::Searcher& searcher, const py::object& text) {
            const std::string_view bytes = utf8(text);
            std::vector<dedup::Reading> readings;
            {
              const py::gil_scoped_release release;
              readings = searcher.without_fillers(bytes);
            }
            py::list all;
            for (const dedup::Reading& reading : readings) all.append(shown(reading));
            return all;
          },
          "text"_a)
      .def(
          "supply",
          [](const dedup::Searcher& searcher, const py::object& prompt) {
            const std::string_view bytes = utf8(prompt);
            const py::gil_scoped_release release;
            return std::make_unique<dedup::Supply>(searcher.supply(bytes));
          },
          "prompt"_a)
      .def(
          "search_batch",
          [](const dedup::Searcher& searcher, const py::sequence& texts,
             const std::vector<std::pair<const Lexemes*, std::vector<Unit>>>& parsed,
             std::size_t threads) {
            const Texts kept(texts);
            std::vector<dedup::CodeInfo> syntaxes;
            for (const auto& [ast, units] : parsed) {
              syntaxes.push_back(
                  {{}, ast ? *ast : Lexemes(), units_of(units, ast ? ast->size() : 0)});
            }
            const std::vector<std::string_view> views(kept.views().begin(), kept.views().end());
            const py::gil_scoped_release release;
            return search_all(searcher, views, syntaxes, threads);
          },
          "texts"_a, "parsed"_a = std::vector<std::pair<const Lexemes*, std::vector<Unit>>>(),
          "threads"_a = 1);

  using dedup::StreamSearch;
  py::class_<StreamSearch>(module, "StreamSearch")
      .def(py::init([](const std::vector<std::shared_ptr<dedup::Searcher>>& searchers) {
             return std::make_unique<StreamSearch>(
                 std::vector<std::shared_ptr<const dedup::Searcher>>(searchers.begin(),
                                                                     searchers.end()));
           }),
           "searchers"_a)
      .def(
          "feed",
          [](StreamSearch& search, const py::object& text) {
            const std::string_view bytes = utf8(text);
            const py::gil_scoped_release release;
            search.feed(bytes);
          },
          "text"_a)
      .def("finish", &StreamSearch::finish, py::call_guard<py::gil_scoped_release>())
      .def(
          "next",
          [](StreamSearch& search, std::uint64_t until, std::uint64_t until_byte) {
            std::optional<dedup::StreamStep> step;
            {
              const py::gil_scoped_release release;
              step = search.next(until, until_byte);
            }
            if (!step) return py::object(py::none());
            return py::object(
                py::make_tuple(step->is_evidence, step->start, step->end, step->token));
          },
          "until"_a = 0, "until_byte"_a = 0)
      .def("start_of", &StreamSearch::start_of, "token"_a)
      .def_property_readonly("certain", &StreamSearch::certain);

  bind_trace(module);

  using dedup::Match;
  py::class_<Match>(module, "Found")
      .def_readonly("view", &Match::view)
      .def_readonly("segment", &Match::segment)
      .def_readonly("document", &Match::document)
      .def_property_readonly("query_start", [](const Match& own) { return own.query_span.start; })
      .def_property_readonly("query_end", [](const Match& own) { return own.query_span.end; })
      .def_property_readonly("document_start",
                             [](const Match& own) { return own.document_span.start; })
      .def_property_readonly("document_end", [](const Match& own) { return own.document_span.end; })
      .def_property_readonly("tokens",
                             [](const Match& own) { return own.query_to - own.query_from; })
      .def_property_readonly("document_tokens",
                             [](const Match& own) { return own.document_to - own.document_from; })
      .def_readonly("matched", &Match::matched)
      .def_readonly("run", &Match::run)
      .def_readonly("columns", &Match::columns)
      .def_readonly("containment", &Match::containment)
      .def_readonly("sources", &Match::sources)
      .def_readonly("owners", &Match::owners)
      .def_readonly("supplied", &Match::supplied)
      .def_property_readonly("same", [](const Match& own) { return own.code.same; })
      .def_property_readonly("same_run", [](const Match& own) { return own.code.same_run; })
      .def_property_readonly("names", [](const Match& own) { return own.code.names; })
      .def_property_readonly("renamed", [](const Match& own) { return own.code.renamed; })
      .def_property_readonly("consistency", [](const Match& own) { return own.code.consistency; })
      .def_property_readonly("telling", [](const Match& own) { return own.code.telling; })
      .def_readonly("distinct", &Match::distinct)
      .def_property_readonly("undone", [](const Match& own) { return names_of(own.devices); })
      .def_readonly("unit", &Match::unit)
      .def_readonly("first_line", &Match::first_line)
      .def_readonly("last_line", &Match::last_line);
}

// ---- what repeats in a corpus (repeats.h) -------------------------------------------------------

std::string_view characters(const Array<std::uint8_t>& bytes) {
  const auto all = view(bytes, "texts");
  return {reinterpret_cast<const char*>(all.data()), all.size()};
}

py::tuple print_texts(const Array<std::uint8_t>& texts, const Array<std::uint64_t>& offsets,
                      std::size_t min_tokens, std::size_t gram_tokens, std::size_t shingle_size,
                      std::size_t rows, const Array<std::uint32_t>& a,
                      const Array<std::uint32_t>& b) {
  const dedup::TextBlock block(characters(texts), view(offsets, "offsets"));
  const dedup::PrintScheme scheme{min_tokens, gram_tokens,  checked_shingle_size(shingle_size),
                                  rows,       view(a, "a"), view(b, "b")};
  dedup::Prints prints;
  {
    const py::gil_scoped_release released;
    prints = dedup::print_texts(block, scheme);
  }
  return py::make_tuple(owned(std::move(prints.tokens)), owned(std::move(prints.contents)),
                        owned(std::move(prints.band_keys)), owned(std::move(prints.anchor_hashes)),
                        owned(std::move(prints.anchor_starts)),
                        owned(std::move(prints.anchor_windows)));
}

template <typename Grouping>
py::tuple grouped(const Array<std::uint64_t>& hashes, const Grouping& grouping) {
  const auto all = view(hashes, "hashes");
  dedup::Groups groups;
  {
    const py::gil_scoped_release released;
    groups = grouping(all);
  }
  return py::make_tuple(owned(std::move(groups.members)), owned(std::move(groups.starts)));
}

py::tuple find_windows(const Array<std::uint8_t>& texts, const Array<std::uint64_t>& offsets,
                       const Array<std::uint32_t>& tokens, const Array<std::uint32_t>& starts,
                       const Array<std::uint32_t>& counts, std::size_t min_tokens) {
  const dedup::TextBlock block(characters(texts), view(offsets, "offsets"));
  const auto sizes = view(tokens, "tokens");
  const auto from = view(starts, "starts");
  const auto windows_of = view(counts, "counts");
  dedup::FoundWindows windows;
  {
    const py::gil_scoped_release released;
    windows = dedup::find_windows(block, sizes, from, windows_of, min_tokens);
  }
  return py::make_tuple(owned(std::move(windows.hashes)), owned(std::move(windows.at)),
                        owned(std::move(windows.before)), owned(std::move(windows.after)));
}

py::tuple group_windows(const Array<std::uint64_t>& hashes, const Array<std::uint32_t>& at,
                        const Array<std::uint32_t>& before, const Array<std::uint32_t>& after,
                        const Array<std::uint8_t>& is_dropped, const Array<std::uint64_t>& by,
                        std::uint32_t max_copies) {
  const dedup::Windows windows{view(hashes, "hashes"), view(at, "at"), view(before, "before"),
                               view(after, "after")};
  const std::size_t size = windows.hashes.size();
  if (windows.at.size() != size || windows.before.size() != size || windows.after.size() != size) {
    throw dedup::ArgumentError("each window has its hash, its place and its neighbours");
  }
  const auto dropped = view(is_dropped, "is_dropped");
  const auto blocks = view(by, "by");
  dedup::WindowGroups found;
  {
    const py::gil_scoped_release released;
    found = dedup::group_windows(windows, dropped, blocks, max_copies);
  }
  return py::make_tuple(owned(std::move(found.at)), owned(std::move(found.flags)),
                        owned(std::move(found.groups)), owned(std::move(found.by)),
                        owned(std::move(found.counts)), owned(std::move(found.shapes)),
                        owned(std::move(found.places)), owned(std::move(found.starts)));
}

py::tuple find_passages(const Array<std::uint32_t>& tokens, const Array<std::uint32_t>& at,
                        const Array<std::uint8_t>& flags, const Array<std::uint32_t>& counts,
                        const Array<std::uint64_t>& shapes, std::size_t min_tokens,
                        bool with_variants) {
  const auto sizes = view(tokens, "tokens");
  const dedup::Occurrences occurrences{view(at, "at"), view(flags, "flags"), view(counts, "counts"),
                                       view(shapes, "shapes")};
  dedup::Passages passages;
  {
    const py::gil_scoped_release released;
    passages = dedup::find_passages(sizes, occurrences, min_tokens, with_variants);
  }
  return py::make_tuple(owned(std::move(passages.starts)), owned(std::move(passages.tokens)),
                        owned(std::move(passages.members)), owned(std::move(passages.offsets)));
}

py::tuple find_spans(const Array<std::uint8_t>& texts, const Array<std::uint64_t>& offsets,
                     const Array<std::uint32_t>& numbers, const Array<std::uint32_t>& starts,
                     const Array<std::uint32_t>& counts) {
  const dedup::TextBlock block(characters(texts), view(offsets, "offsets"));
  const auto in = view(numbers, "numbers");
  const auto from = view(starts, "starts");
  const auto tokens = view(counts, "counts");
  dedup::TextSpans spans;
  {
    const py::gil_scoped_release released;
    spans = dedup::find_spans(block, in, from, tokens);
  }
  return py::make_tuple(owned(std::move(spans.starts)), owned(std::move(spans.ends)),
                        owned(std::move(spans.contents)));
}

Array<double> jaccards(const py::sequence& sequence, const Array<std::uint32_t>& left,
                       const Array<std::uint32_t>& right, std::size_t shingle_size) {
  const Texts texts(sequence);
  const auto one = view(left, "left");
  const auto two = view(right, "right");
  checked_shingle_size(shingle_size);
  std::vector<double> found;
  {
    const py::gil_scoped_release released;
    found = dedup::jaccards(texts.views(), one, two, shingle_size);
  }
  return owned(std::move(found));
}

void bind_repeats(py::module_& module) {
  using namespace py::literals;
  module.def("print_texts", &print_texts, py::arg("texts").noconvert(),
             py::arg("offsets").noconvert(), "min_tokens"_a, "gram_tokens"_a, "shingle_size"_a,
             "rows"_a, py::arg("a").noconvert(), py::arg("b").noconvert());
  module.def(
      "equal_groups",
      [](const Array<std::uint64_t>& hashes) { return grouped(hashes, &dedup::equal_groups); },
      py::arg("hashes").noconvert());
  module.def(
      "bucket_groups",
      [](const Array<std::uint64_t>& hashes, std::size_t buckets) {
        return grouped(hashes, [buckets](auto all) { return dedup::bucket_groups(all, buckets); });
      },
      py::arg("hashes").noconvert(), "buckets"_a);
  module.def("find_windows", &find_windows, py::arg("texts").noconvert(),
             py::arg("offsets").noconvert(), py::arg("tokens").noconvert(),
             py::arg("starts").noconvert(), py::arg("counts").noconvert(), "min_tokens"_a);
  module.def("group_windows", &group_windows, py::arg("hashes").noconvert(),
             py::arg("at").noconvert(), py::arg("before").noconvert(), py::arg("after").noconvert(),
             py::arg("is_dropped").noconvert(), py::arg("by").noconvert(), "max_copies"_a);
  module.def("find_passages", &find_passages, py::arg("tokens").noconvert(),
             py::arg("at").noconvert(), py::arg("flags").noconvert(), py::arg("counts").noconvert(),
             py::arg("shapes").noconvert(), "min_tokens"_a, "with_variants"_a = false);
  module.def("find_spans", &find_spans, py::arg("texts").noconvert(),
             py::arg("offsets").noconvert(), py::arg("numbers").noconvert(),
             py::arg("starts").noconvert(), py::arg("counts").noconvert());
  module.def("jaccards", &jaccards, "texts"_a, py::arg("left").noconvert(),
             py::arg("right").noconvert(), "shingle_size"_a);
}

}  // namespace

PYBIND11_MODULE(_core, module) {
  module.doc() = "The native core of dedup.";
  py::register_exception_translator(&translate);
  bind_hashes(module);
  bind_signatures(module);
  bind_tokens(module);
  bind_readings(module);
  bind_lexemes(module);
  bind_storage(module);
  bind_index(module);
  bind_repeats(module);
  bind_kernels(module);
}
