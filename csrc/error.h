// The exceptions the core throws; bindings.cpp maps each to one Python type.
//
//   FormatError    a segment is damaged or of another version   -> dedup.errors.FormatError
//   IoError        the system refused an operation on a file    -> OSError (errno, text, path)
//   ArgumentError  the caller passed something impossible       -> ValueError
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace dedup {

struct FormatError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct ArgumentError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

struct IoError : std::runtime_error {
  IoError(int code, const std::string& what, std::string file)
      : std::runtime_error(what), error_number(code), path(std::move(file)) {}
  int error_number;
  std::string path;
};

}  // namespace dedup
