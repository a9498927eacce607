#include "lex.h"

#include <algorithm>
#include <array>

#include "unicode_tables.h"

namespace dedup {

namespace {

constexpr uint32_t kWait = 0xFFFFFFFF;
constexpr uint32_t kMaxNameBytes = 256;  // as tokens of the text view: longer ones are cut
constexpr uint32_t kPrefixBytes = 32;    // what a line's start may hold that is none of its code
constexpr int32_t kToldEvidence = 1 << 20;

// How much a reserved word says about what opens a comment here: over 0 for #, under 0 for //.
int32_t evidence_of(std::string_view word) {
  for (const std::string_view hash : {"def", "elif", "None", "True", "False", "lambda", "except",
                                      "elsif", "unless", "pass", "not"}) {
    if (word == hash) return 1;
  }
  for (const std::string_view slash :
       {"function", "const", "public", "void", "null", "struct", "var", "let", "func", "fn",
        "catch", "private", "switch", "double", "boolean"}) {
    if (word == slash) return -1;
  }
  return 0;
}

enum ByteKind : uint8_t { kOther, kSpace, kNewline, kLetter, kDigit, kMarkByte, kHigh };

constexpr std::array<uint8_t, 256> kKinds = [] {
  std::array<uint8_t, 256> kinds{};
  for (int byte = 0; byte < 256; ++byte) {
    const bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
    kinds[static_cast<size_t>(byte)] = byte >= 0x80                           ? kHigh
                                       : letter || byte == '_' || byte == '$' ? kLetter
                                       : byte >= '0' && byte <= '9'           ? kDigit
                                       : byte == '\n'                         ? kNewline
                                       : byte <= ' ' || byte == 0x7F          ? kSpace
                                                                              : kMarkByte;
  }
  return kinds;
}();

ByteKind kind_of(char byte) { return static_cast<ByteKind>(kKinds[static_cast<uint8_t>(byte)]); }

// What a character beyond ASCII is to the lexer, and its size; the size of one cut off by the end
// of the data is 0.
struct High {
  enum Kind : uint8_t { kLetter, kIgnored, kSpace, kQuoteSingle, kQuoteDouble } kind;
  uint32_t size;
};

High high_at(std::string_view data, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(data[at + i]); };
  const uint32_t lead = byte(0);
  const uint32_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1;
  if (size == 1) return {High::kSpace, 1};
  if (at + size > data.size()) return {High::kSpace, 0};
  uint32_t point = lead & (0x7F >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {High::kSpace, 1};
    point = point << 6 | (byte(i) & 0x3F);
  }
  if (point == 0x2018 || point == 0x2019) return {High::kQuoteSingle, size};
  if (point == 0x201C || point == 0x201D) return {High::kQuoteDouble, size};
  if (point >= 0xAC00 && point < 0xD7A4) return {High::kLetter, size};  // Hangul has no entries
  const uint16_t entry = unicode::entry(point);
  if (entry == unicode::ignored) return {High::kIgnored, size};
  return {entry >= unicode::word ? High::kLetter : High::kSpace, size};
}

bool is_directive(std::string_view data, size_t at) {
  for (const std::string_view word :
       {"include", "define", "if", "el", "endif", "undef", "pragma", "error", "warning", "import",
        "region", "endregion", "line"}) {
    if (data.substr(at, word.size()) == word) return true;
  }
  return false;
}

// Longer operators first. What is written differently and means the same has one symbol.
struct Operator {
  std::string_view written, symbol;
};
constexpr Operator kOperators[] = {{"===", "=="},  {"!==", "!="},    {"...", "..."}, {"**=", "**="},
                                   {"//=", "//="}, {"<<=", "<<="},   {">>=", ">>="}, {"&&=", "&&="},
                                   {"||=", "||="}, {"?\?=", "?\?="}, {"==", "=="},   {"!=", "!="},
                                   {"<=", "<="},   {"->", "->"},     {"=>", "=>"},   {"::", "::"},
                                   {"++", "++"},   {"--", "--"},     {"+=", "+="},   {"-=", "-="},
                                   {"*=", "*="},   {"/=", "/="},     {"%=", "%="},   {"&=", "&="},
                                   {"|=", "|="},   {"^=", "^="},     {"&&", "&&"},   {"||", "||"},
                                   {"**", "**"},   {"//", "//"},     {"?.", "?."},   {"?\?", "?\?"},
                                   {":=", ":="},   {"..", "..."},    {"<-", "<-"},   {"<>", "!="}};

const uint64_t kStringMix = lexeme_hash("neighbouring strings");

}  // namespace

Comments comments_of(std::string_view language) {
  const auto one_of = [&](std::initializer_list<std::string_view> names) {
    return std::ranges::find(names, language) != names.end();
  };
  if (one_of({"python", "ruby", "bash", "perl", "r", "julia", "elixir", "yaml", "toml", "make",
              "cmake", "dockerfile", "tcl", "awk", "powershell"})) {
    return Comments::kHash;
  }
  if (one_of({"sql", "lua", "haskell", "ada", "vhdl", "elm"})) return Comments::kDash;
  if (one_of({"javascript", "typescript", "tsx", "java", "c", "cpp", "go", "rust", "c_sharp",
              "kotlin", "swift", "scala", "dart", "objc", "css", "zig", "groovy", "solidity"})) {
    return Comments::kSlash;
  }
  return Comments::kAuto;  // PHP has both
}

Lexer::Lexer(Comments comments, bool nested) : comments_(comments), nested_(nested) {
  if (comments == Comments::kHash) hash_evidence_ = kToldEvidence;
  if (comments == Comments::kSlash) slash_evidence_ = kToldEvidence;
}

void Lexer::open(char bracket) {
  if (depth_ < kMaxDepth) brackets_[depth_] = bracket;
  ++depth_;
}

char Lexer::innermost() const {
  return depth_ == 0 || depth_ > kMaxDepth ? 0 : brackets_[depth_ - 1];
}

bool Lexer::slashes_comment() const { return hash_evidence_ <= slash_evidence_; }
bool Lexer::hashes_comment() const { return hash_evidence_ > slash_evidence_; }

void Lexer::feed(std::string_view chunk, Lexemes& out) {
  held_.append(chunk);
  const uint32_t done = scan(held_, false, out);
  held_.erase(0, done);
  base_ += done;
}

void Lexer::finish(Lexemes& out) {
  const uint32_t done = scan(held_, true, out);
  held_.erase(0, done);
  base_ += done;
  flush(out);
}

void lex(std::string_view text, Comments comments, Lexemes& out) {
  out.clear();
  Lexer lexer(comments);
  lexer.scan(text, true, out);
  lexer.flush(out);
}

void Lexer::flush(Lexemes& out) {
  if (pending_.held) {
    out.add(pending_.kind, pending_.symbol, pending_.raw, pending_.tells, pending_.start,
            pending_.end);
  }
  pending_.held = false;
}

// Passes on the lexeme before, which what follows may have changed, and holds this one.
void Lexer::emit(LexemeClass kind, uint64_t symbol, uint64_t raw, bool tells, uint32_t start,
                 uint32_t end, Lexemes& out) {
  if (kind == LexemeClass::kString && pending_.held && pending_.kind == LexemeClass::kString) {
    pending_.raw = fmix64(pending_.raw * 3 + raw + kStringMix);
    pending_.tells |= tells;
    pending_.end = end;
    return;
  }
  flush(out);
  pending_ = {true, kind, symbol, raw, tells, start, end, false, false, false};
}

uint32_t Lexer::scan(std::string_view data, bool last, Lexemes& out) {
  const auto size = static_cast<uint32_t>(data.size());
  uint32_t at = 0;
  while (at < size) {
    if (at_line_start_ && kind_of(data[at]) != kSpace && kind_of(data[at]) != kNewline) {
      const uint32_t next = line_start(data, at, last);
      if (next == kWait) return at;
      if (next != at) {
        at = next;
        at_column_0_ = false;
        continue;
      }
    }
    const char byte = data[at];
    uint32_t next = kWait;
    switch (kind_of(byte)) {
      case kNewline:
        at_line_start_ = at_column_0_ = true;
        ++at;
        continue;
      case kSpace:
        at_column_0_ = false;
        ++at;
        continue;
      case kLetter:
        next = name(data, at, last, out);
        break;
      case kDigit:
        next = number(data, at, last, out);
        break;
      case kHigh: {
        const High high = high_at(data, at);
        if (high.size == 0 && !last) return at;
        if (high.size != 0 && high.kind == High::kLetter) {
          next = name(data, at, last, out);
        } else if (high.size != 0 && high.kind == High::kQuoteDouble) {
          next = quoted(data, at, at + high.size, {kDouble, "\xE2\x80\x9D", true, true}, last, out);
          if (next == at) next = at + high.size;
        } else {
          next = at + std::max(high.size, 1u);
        }
        break;
      }
      default:
        next = operator_at(data, at, last, out);
        break;
    }
    if (next == kWait) return at;
    at_line_start_ = at_column_0_ = false;
    // A line comment or a fence ends before its newline, a docstring behind its mark.
    at = next;
  }
  return at;
}

// Where the code of a line begins: behind a line number, or the mark of a quotation, a diff or a
// prompt. A fence is skipped whole.
uint32_t Lexer::line_start(std::string_view data, uint32_t at, bool last) const {
  const char byte = data[at];
  const bool may_be_mark = byte == '>' || byte == '+' || byte == '-' || byte == '.' ||
                           byte == '`' || byte == '~' || kind_of(byte) == kDigit;
  if (!may_be_mark) return at;
  const std::string_view line = data.substr(at, kPrefixBytes);
  const size_t newline = line.find('\n');
  if (newline == line.npos && line.size() < kPrefixBytes && !last) return kWait;
  const auto at_or_newline = [&](size_t i) { return i < line.size() ? line[i] : '\n'; };
  if (line.starts_with("```") || line.starts_with("~~~")) {
    const size_t end = data.find('\n', at);
    if (end != data.npos) return static_cast<uint32_t>(end);
    if (last) return static_cast<uint32_t>(data.size());
    // A fence line has no end yet; beyond a page it is no fence.
    return data.size() - at < kMaxQuotedBytes ? kWait : at + 3;
  }
  if ((line.starts_with(">>>") || line.starts_with("...")) &&
      kind_of(at_or_newline(3)) <= kNewline && at_or_newline(3) != 0) {
    return at + 3;
  }
  if (!at_column_0_ && kind_of(byte) != kDigit) return at;
  if (byte == '>' || byte == '+' || byte == '-') {
    // "> " quotes, "+ " and "- " are a diff's; "+++ " and "--- " head one.
    const bool marks = kind_of(at_or_newline(1)) == kSpace || kind_of(at_or_newline(1)) == kNewline;
    return marks || (byte != '>' && kind_of(at_or_newline(1)) == kLetter) ? at + 1 : at;
  }
  if (kind_of(byte) == kDigit) {
    size_t i = 0;
    while (i < 7 && kind_of(at_or_newline(i)) == kDigit) ++i;
    if (i == 7) return at;
    const size_t digits = i;
    if (at_or_newline(i) == ':' || at_or_newline(i) == '|' || at_or_newline(i) == ')' ||
        at_or_newline(i) == '.') {
      ++i;
    }
    if (i > digits) {
      return kind_of(at_or_newline(i)) <= kNewline && at_or_newline(i) != 0
                 ? at + static_cast<uint32_t>(i)
                 : at;
    }
    // Without a mark a number is one of a line only if it stands well apart: 12<tab>x, 12  x, 12 |
    // x.
    size_t next = digits;
    while (next < line.size() && (line[next] == ' ' || line[next] == '\t')) ++next;
    if (at_or_newline(next) == '|' && next > digits) return at + static_cast<uint32_t>(next) + 1;
    const bool apart = next >= digits + 2 || (next > digits && at_or_newline(digits) == '\t');
    return apart ? at + static_cast<uint32_t>(digits) : at;
  }
  return at;
}

uint32_t Lexer::name(std::string_view data, uint32_t at, bool last, Lexemes& out) {
  const auto size = static_cast<uint32_t>(data.size());
  const uint32_t limit = at + kMaxNameBytes;
  uint32_t end = at;
  while (true) {
    while (end < size && (kind_of(data[end]) == kLetter || kind_of(data[end]) == kDigit)) ++end;
    if (end >= limit) {
      end = limit;
      while (end > at + 1 && (static_cast<uint8_t>(data[end]) & 0xC0) == 0x80) --end;
      break;
    }
    if (end == size) {
      if (!last) return kWait;
      break;
    }
    if (kind_of(data[end]) == kHigh) {
      const High high = high_at(data, end);
      if (high.size == 0 && !last) return kWait;
      if (high.size == 0 || high.kind > High::kIgnored) break;
      end += high.size;
      continue;
    }
    if (data[end] == '\'' && end + 1 >= size && !last) return kWait;
    // don't is one name; a reserved word or a prefix before a quote is what it is.
    if (data[end] == '\'' && end + 1 < size && kind_of(data[end + 1]) == kLetter && end - at > 2 &&
        !is_reserved(lexeme_hash(data.substr(at, end - at)))) {
      ++end;
      continue;
    }
    break;
  }
  const std::string_view word = data.substr(at, end - at);
  if (base_ + at == regex_end_) return end;  // the flags of a regular expression
  // A prefix of a literal: r"", f'', u8"", R"x(...)x", r#"..."#.
  if (end < size && word.size() <= 3 &&
      (data[end] == '"' || data[end] == '\'' || data[end] == '#')) {
    constexpr std::string_view prefixes =
        " r R b B u U f F L rb br Rb bR rB Br RB BR fr rf Fr fR FR "
        "rF Rf RF u8 uR UR LR u8R ";
    std::string padded = " " + std::string(word) + " ";
    if (prefixes.find(padded) != prefixes.npos) {
      if (data[end] != '#') {
        const bool cpp_raw = word.back() == 'R' && data[end] == '"';
        if (cpp_raw) {
          const std::string_view head = data.substr(end + 1, 18);
          const size_t open = head.find_first_of("(\" \n\\)");
          if (open == head.npos && head.size() < 18 && !last) return kWait;
          if (open != head.npos && head[open] == '(') {
            const std::string close = ")" + std::string(head.substr(0, open)) + "\"";
            const uint32_t next =
                quoted(data, at, end + 2 + static_cast<uint32_t>(open), {kRaw, close}, last, out);
            if (next != at) return next;
          }
        }
        if (end + 2 >= size && !last) return kWait;
        const bool triple =
            end + 2 < size && data[end + 1] == data[end] && data[end + 2] == data[end];
        const bool twofold = data[end] == '"';
        const uint32_t next =
            triple
                ? quoted(data, at, end + 3,
                         {twofold ? kTripleDouble : kTripleSingle,
                          twofold ? std::string_view("\"\"\"") : "'''", false, true},
                         last, out)
                : quoted(data, at, end + 1,
                         {twofold ? kDouble : kSingle, data.substr(end, 1), true, true}, last, out);
        if (next != at) return next;
      } else if (word == "r" || word == "br") {
        uint32_t hashes = 0;
        while (hashes < 8 && end + hashes < size && data[end + hashes] == '#') ++hashes;
        if (end + hashes >= size && !last) return kWait;
        if (end + hashes < size && data[end + hashes] == '"') {
          const std::string close = "\"" + std::string(hashes, '#');
          const uint32_t next = quoted(data, at, end + hashes + 1, {kRaw, close}, last, out);
          if (next != at) return next;
        }
      }
    }
  }
  const uint64_t hash = lexeme_hash(word);
  const uint32_t start = base_ + at, stop = base_ + end;
  if (!accessor_ && is_reserved(hash)) {
    const int32_t evidence = evidence_of(word);
    if (evidence > 0) ++hash_evidence_;
    if (evidence < 0) ++slash_evidence_;
    emit(LexemeClass::kFixed, hash, hash, false, start, stop, out);
    // `this` and literal words are operands; behind the others a ( groups.
    operand_ = word == "this" || word == "super" || word == "None" || word == "null" ||
               word == "True" || word == "False" || word == "true" || word == "false" ||
               word == "nil" || word == "undefined";
  } else {
    const char before = before_;
    const auto kind = accessor_ ? LexemeClass::kMember : LexemeClass::kName;
    emit(kind, 0, hash, is_telling(kind, word), start, stop, out);
    const char bracket = innermost();
    pending_.opens_argument = !accessor_ && bracket == '(' && (before == '(' || before == ',');
    pending_.opens_entry = !accessor_ && bracket == '{' && (before == '{' || before == ',');
    operand_ = true;
  }
  accessor_ = false;
  before_ = 'a';
  return end;
}

uint32_t Lexer::number(std::string_view data, uint32_t at, bool last, Lexemes& out) {
  const auto size = static_cast<uint32_t>(data.size());
  uint32_t end = at;
  for (; end < size && end - at < kMaxNameBytes; ++end) {
    const char byte = data[end];
    const ByteKind kind = kind_of(byte);
    if (kind == kDigit || (kind == kLetter && byte != '$')) continue;
    if (end + 1 >= size && !last && (byte == '.' || byte == '\'' || byte == '+' || byte == '-')) {
      return kWait;
    }
    const char next = end + 1 < size ? data[end + 1] : ' ';
    // 1.5 and 1. are numbers, 1..2 is a range, 1.max() a call; 1'000 is C++; 1e-5 has a sign.
    if (byte == '.' && next != '.' && (kind_of(next) != kLetter || next == 'e' || next == 'f')) {
      continue;
    }
    if (byte == '\'' && kind_of(next) == kDigit) continue;
    if ((byte == '+' || byte == '-') && (data[end - 1] == 'e' || data[end - 1] == 'E') &&
        kind_of(next) == kDigit && !data.substr(at, 2).starts_with("0x")) {
      continue;
    }
    break;
  }
  if (end == size && !last && end - at < kMaxNameBytes) return kWait;
  const std::string_view word = data.substr(at, end - at);
  emit(LexemeClass::kNumber, 0, lexeme_hash(word), is_telling(LexemeClass::kNumber, word),
       base_ + at, base_ + end, out);
  operand_ = true;
  accessor_ = false;
  before_ = '0';
  return end;
}

bool Lexer::is_hash_comment(std::string_view data, uint32_t at) const {
  if (comments_ == Comments::kSlash || comments_ == Comments::kDash) return false;
  if (comments_ == Comments::kHash) return true;
  const char next = at + 1 < data.size() ? data[at + 1] : '\n';
  if (next == ' ' || next == '\t') return !is_directive(data, at + 2);
  if (next == '!' || next == '#' || next == '-' || next == '=' || next == '\n') return true;
  if (next == '[' || is_directive(data, at + 1)) return hashes_comment();
  return hashes_comment() && kind_of(next) != kDigit;
}

// The end of the comment that opens at `at`; of a row of lines that are all comment, the end of the
// last, as a program is quoted so too.
uint32_t Lexer::line_comment(std::string_view data, uint32_t at, std::string_view mark, bool last,
                             Lexemes& out) {
  const auto size = static_cast<uint32_t>(data.size());
  uint32_t end = comment_line(data, at, last);
  if (!at_line_start_ || !nested_ || end == kWait || end == at + 2) return end;
  std::string inside;  // the lines without their marks, byte for byte where they were
  uint32_t line = at;
  while (true) {
    uint32_t body = line + static_cast<uint32_t>(mark.size());
    while (body < end && data[body] == mark.back()) ++body;
    inside.append(body - line, ' ').append(data.substr(body, end - body));
    uint32_t next = end;
    while (next < size && kind_of(data[next]) != kMarkByte && kind_of(data[next]) <= kNewline &&
           data[next] != '\0') {
      ++next;
    }
    if (next - at > kMaxQuotedBytes) break;
    if (next + mark.size() > size && !last) return kWait;
    if (data.substr(next, mark.size()) != mark) break;
    const uint32_t next_end = comment_line(data, next, last);
    if (next_end == kWait) return kWait;
    if (next_end == next + 2 || next_end - at > kMaxQuotedBytes) break;
    inside.append(data.substr(end, next - end));
    line = next;
    end = next_end;
  }
  if (inside.size() >= kNestedBytes && lex_nested(inside, at, out)) {
    before_ = 0;
    operand_ = false;
  }
  return end;
}

// Where the line ends, before its newline; two bytes on if it is longer than any comment.
uint32_t Lexer::comment_line(std::string_view data, uint32_t at, bool last) const {
  const size_t newline = data.substr(at, kMaxQuotedBytes).find('\n');
  if (newline != data.npos) return at + static_cast<uint32_t>(newline);
  if (data.size() - at >= kMaxQuotedBytes) return at + 2;  // no comment: a minified file on a line
  return last ? static_cast<uint32_t>(data.size()) : kWait;
}

uint32_t Lexer::operator_at(std::string_view data, uint32_t at, bool last, Lexemes& out) {
  const auto size = static_cast<uint32_t>(data.size());
  const uint32_t left = size - at;
  if (left < 12 && !last && data.find('\n', at) == data.npos) return kWait;  // the longest look
  const auto next_is = [&](std::string_view text) { return data.substr(at, text.size()) == text; };
  const char byte = data[at];
  const auto skip = [&](uint32_t count) {
    before_ = byte;
    return at + count;
  };

  if (byte == '"' || byte == '\'' || byte == '`') {
    const bool triple = left >= 3 && data[at + 1] == byte && data[at + 2] == byte && byte != '`';
    if (triple) {
      const Quote quote = byte == '"' ? Quote{kTripleDouble, "\"\"\"", false, true}
                                      : Quote{kTripleSingle, "'''", false, true};
      const uint32_t next = quoted(data, at, at + 3, quote, last, out);
      if (next != at) return next;
      return skip(3);
    }
    // 'a as in <'a, 'b> or &'a: a lifetime.
    if (byte == '\'' && left >= 3 && (before_ == '<' || before_ == '&') &&
        kind_of(data[at + 1]) == kLetter && data[at + 2] != '\'') {
      return at + 1;
    }
    const Quote quote = byte == '"'    ? Quote{kDouble, "\"", true, true}
                        : byte == '\'' ? Quote{kSingle, "'", true, true}
                                       : Quote{kBack, "`", false, true};
    const uint32_t next = quoted(data, at, at + 1, quote, last, out);
    return next != at ? next : skip(1);
  }
  if (next_is("/*")) {
    const uint32_t next = quoted(data, at, at + 2, {kBlock, "*/", false, false, true}, last, out);
    return next != at ? next : skip(2);
  }
  if (next_is("<!--")) {
    const uint32_t next = quoted(data, at, at + 4, {kMarkup, "-->", false, false, true}, last, out);
    return next != at ? next : skip(4);
  }
  if (next_is("//") && before_ != ':' && slashes_comment()) {
    return line_comment(data, at, "//", last, out);
  }
  if (byte == '#' && is_hash_comment(data, at)) return line_comment(data, at, "#", last, out);
  if (next_is("--") && (comments_ == Comments::kDash ||
                        (comments_ == Comments::kAuto && at_line_start_ && next_is("-- ")))) {
    return line_comment(data, at, "--", last, out);
  }
  if (byte == '/' && !operand_ && left >= 2 && data[at + 1] != '/' && data[at + 1] != '=') {
    const uint32_t next = quoted(data, at, at + 1, {kRegex, "/", true, true}, last, out);
    if (next != at) {
      if (next != kWait) regex_end_ = base_ + next;
      return next;
    }
  }

  switch (byte) {
    case ')':
    case ']':
    case '}':
    case ';':
      if (pending_.held && pending_.is_comma && byte != ';') pending_.held = false;
      if (byte == ';') slash_evidence_ += slash_evidence_ < kToldEvidence - 1;
      if (byte != ';' && depth_ > 0) --depth_;
      operand_ = byte == ')' || byte == ']';
      accessor_ = false;
      return skip(1);
    case '{':
      open(byte);
      [[fallthrough]];
    case '\\':
      operand_ = accessor_ = false;
      return skip(1);
    case '(':
      open(byte);
      if (operand_) {
        const uint64_t hash = lexeme_hash("(");
        emit(LexemeClass::kFixed, hash, hash, false, base_ + at, base_ + at + 1, out);
      }
      operand_ = accessor_ = false;
      return skip(1);
    case '.':
      if (!next_is("..") && left >= 2 && kind_of(data[at + 1]) == kDigit && !operand_) {
        return number(data, at, last, out);
      }
      break;
    default:
      break;
  }
  if (byte == '[') open(byte);
  std::string_view written = data.substr(at, 1), symbol = written;
  for (const Operator& candidate : kOperators) {
    if (!next_is(candidate.written)) continue;
    written = candidate.written;
    symbol = candidate.symbol;
    break;
  }
  const auto length = static_cast<uint32_t>(written.size());
  // What a name before it turns out to be.
  if (pending_.held && pending_.kind == LexemeClass::kName &&
      ((pending_.opens_argument && symbol == "=") || (pending_.opens_entry && symbol == ":"))) {
    pending_.kind = LexemeClass::kLabel;
  }
  const bool accesses = symbol == "." || symbol == "->" || symbol == "?." || symbol == "::";
  if (accesses) {
    accessor_ = true;
  } else {
    const uint64_t hash = lexeme_hash(symbol);
    emit(LexemeClass::kFixed, hash, hash, false, base_ + at, base_ + at + length, out);
    pending_.is_comma = byte == ',';
    accessor_ = false;
  }
  operand_ = false;
  before_ = written.back();
  return at + length;
}

// The end of what quote.close closes, or kWait, or `open` if it is no literal.
uint32_t Lexer::find_close(std::string_view data, uint32_t open, uint32_t body, const Quote& quote,
                           bool last) {
  const uint32_t opened = base_ + open;
  if (opened < dead_until_[quote.mark]) return open;
  const auto size = static_cast<uint32_t>(data.size());
  const uint32_t limit = std::min(size, open + kMaxQuotedBytes);
  const bool resumes = search_open_ == opened && search_mark_ == quote.mark;
  uint32_t at = resumes ? search_at_ - base_ : body;
  const auto fail = [&](uint32_t reached) {
    dead_until_[quote.mark] = base_ + std::max(reached, open + 1);
    return open;
  };
  const bool in_class_matters = quote.mark == kRegex;
  bool in_class = false;
  if (in_class_matters) at = body;  // a regular expression ends on its line: short
  while (at < limit) {
    const char byte = data[at];
    if (quote.escapes && byte == '\\') {
      if (at + 1 == size && !last) break;  // what it escapes is not there yet
      at += 2;
      continue;
    }
    if (quote.one_line && byte == '\n') return fail(at);
    if (quote.mark == kBack && byte == '\n' && at > body && data[at - 1] == '\n') return fail(at);
    if (in_class_matters && byte == '[') in_class = true;
    if (in_class_matters && byte == ']') in_class = false;
    if (byte == quote.close.front() && !in_class) {
      const std::string_view here = data.substr(at, quote.close.size());
      if (here == quote.close) return at + static_cast<uint32_t>(quote.close.size());
      if (here.size() < quote.close.size() && !last) break;
    }
    ++at;
  }
  if (at >= open + kMaxQuotedBytes || last) return fail(std::min(at, size));
  search_open_ = opened;
  search_mark_ = quote.mark;
  search_at_ = base_ + std::min(at, size);
  return kWait;
}

uint32_t Lexer::quoted(std::string_view data, uint32_t open, uint32_t body, const Quote& quote,
                       bool last, Lexemes& out) {
  const uint32_t end = find_close(data, open, body, quote, last);
  if (end == kWait || end == open) return end;
  // What follows on the line tells a docstring; it needs to be there.
  const auto size = static_cast<uint32_t>(data.size());
  uint32_t after = end;
  while (after < size && data[after] != '\n' && kind_of(data[after]) == kSpace) ++after;
  const bool stands_alone = at_line_start_ && (before_ == ':' || before_ == 0);
  if (stands_alone && !quote.is_comment && after == size && !last) {
    if (after - end < kMaxQuotedBytes) return kWait;
  }
  const auto close_size = static_cast<uint32_t>(quote.close.size());
  const std::string_view content = data.substr(body, end - close_size - body);
  if (content.size() >= kNestedBytes && nested_ && lex_nested(content, body, out)) {
    before_ = 0;
    operand_ = false;
    return end;
  }
  if (quote.is_comment) return end;
  const bool is_docstring =
      stands_alone && (after == size || data[after] == '\n' || data[after] == '#');
  if (!is_docstring) {
    emit(LexemeClass::kString, 0, lexeme_hash(content), is_telling(LexemeClass::kString, content),
         base_ + open, base_ + end, out);
    operand_ = true;
    before_ = '"';
  }
  accessor_ = false;
  return end;
}

// Lexes what stands in a long comment or string, if it reads as code.
bool Lexer::lex_nested(std::string_view content, uint32_t at, Lexemes& out) {
  Lexer inner(comments_, false);
  inner.base_ = base_ + at;
  inner.hash_evidence_ = hash_evidence_;
  inner.slash_evidence_ = slash_evidence_;
  Lexemes found;
  inner.scan(content, true, found);
  inner.flush(found);
  uint32_t operators = 0, words_side_by_side = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    operators += found.classes[i] == 0 && !is_reserved(found.symbols[i]);
    words_side_by_side += i > 0 && is_name(found.classes[i]) && found.classes[i] != 2 &&
                          is_name(found.classes[i - 1]);
  }
  // Prose has a comma or stop every ten words and most words beside another; code has it the other
  // way round.
  const size_t size = found.size();
  if (size < 24 || operators * 5 < size || words_side_by_side * 4 > size) return false;
  flush(out);
  for (size_t i = 0; i < size; ++i) {
    out.add(static_cast<LexemeClass>(found.classes[i]), found.symbols[i], found.raws[i],
            found.telling[i] != 0, found.starts[i], found.ends[i]);
  }
  return true;
}

}  // namespace dedup
