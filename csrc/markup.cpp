#include "markup.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <string>

#include "code_point.h"
#include "escapes.h"

namespace dedup {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view kMarks = "&<\\%=*~`_[{}\xE2"sv;

constexpr std::array<bool, 256> kIsMark = [] {
  std::array<bool, 256> is_mark{};
  for (const char mark : kMarks) is_mark[static_cast<unsigned char>(mark)] = true;
  return is_mark;
}();

constexpr uint32_t kBlock = 64;

// Bit i: byte i of the block is a mark.
uint64_t marks_of(const char* block) {
  uint64_t marks = 0;
  for (uint32_t i = 0; i < kBlock; ++i) {
    marks |= uint64_t{kIsMark[static_cast<unsigned char>(block[i])]} << i;
  }
  return marks;
}

// How far ahead the end of something is looked for, in bytes.
constexpr uint32_t kMostTag = 4096, kMostElement = 1 << 16, kMostAddress = 1024, kMostLabel = 256;
constexpr uint32_t kMostName = 32, kMostArgument = 256;
// Bytes from a mark of emphasis to its partner.
constexpr uint32_t kMostEmphasis = 80;
// Bytes between two line ends of one string.
constexpr uint32_t kMostLine = 400;
// As many of them as a line of a program has.
constexpr uint32_t kFewLineEnds = 2;
constexpr size_t kMostOpenBraces = 64;

// Sorted.
constexpr std::string_view kBlocks[] = {
    "address",  "article",    "aside",    "blockquote", "body",   "br",      "button", "caption",
    "center",   "dd",         "details",  "dialog",     "dir",    "div",     "dl",     "dt",
    "fieldset", "figcaption", "figure",   "footer",     "form",   "h1",      "h2",     "h3",
    "h4",       "h5",         "h6",       "head",       "header", "hr",      "html",   "img",
    "input",    "legend",     "li",       "link",       "main",   "menu",    "meta",   "nav",
    "ol",       "optgroup",   "option",   "p",          "pre",    "section", "select", "summary",
    "table",    "tbody",      "textarea", "tfoot",      "thead",  "title",   "ul"};
constexpr std::string_view kInlines[] = {
    "a",      "abbr",  "acronym", "b",      "bdi",    "bdo",   "big",  "blink", "cite",
    "code",   "data",  "del",     "dfn",    "em",     "font",  "i",    "ins",   "kbd",
    "label",  "mark",  "nobr",    "q",      "rp",     "rt",    "ruby", "s",     "samp",
    "script", "small", "span",    "strike", "strong", "style", "sub",  "sup",   "svg",
    "time",   "tt",    "u",       "var",    "wbr"};
// Commands of TeX whose argument is shown, by itself.
constexpr std::string_view kWrappers[] = {
    "MakeLowercase", "MakeUppercase", "emph",       "hbox",   "lowercase", "mathbf",
    "mathit",        "mathrm",        "mbox",       "sout",   "text",      "textbf",
    "textit",        "textmd",        "textnormal", "textrm", "textsc",    "textsf",
    "textsl",        "texttt",        "textup",     "uline",  "underline", "uppercase"};
// Those that show the second of two arguments, and those that show none.
constexpr std::string_view kSeconds[] = {"colorbox", "href", "textcolor"};
constexpr std::string_view kSilent[] = {"color", "hspace", "index", "label", "phantom", "vspace"};
// Those that hold from where they stand to the end of their group.
constexpr std::string_view kDeclarations[] = {
    "bf",         "bfseries", "em",       "it", "itshape",  "large",  "mdseries", "normalfont",
    "normalsize", "rm",       "rmfamily", "sc", "scshape",  "sf",     "sffamily", "sl",
    "slshape",    "small",    "tiny",     "tt", "ttfamily", "upshape"};
// Those that begin like an escaped n, r or t, and that no word after a line's end does.
constexpr std::string_view kUnlikeLines[] = {
    "nabla",      "neq",        "newcommand", "newline", "noindent",     "nonumber", "normalsize",
    "notin",      "rangle",     "rceil",      "ref",     "renewcommand", "rfloor",   "rho",
    "right",      "rightarrow", "tau",        "textbf",  "textcolor",    "textit",   "textmd",
    "textnormal", "textrm",     "textsc",     "textsf",  "textsl",       "texttt",   "textup",
    "tfrac",      "theta",      "tilde",      "times",   "triangle"};

template <size_t kSize>
bool holds(const std::string_view (&sorted)[kSize], std::string_view name) {
  return std::ranges::binary_search(sorted, name);
}

bool is_space(char byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

class Scanner {
 public:
  explicit Scanner(std::string_view text)
      : text_(text), size_(static_cast<uint32_t>(text.size())), budget_(64 + 4ull * text.size()) {}

  Markup run() {
    scan(0, size_);
    std::erase_if(markup_.edits, &Edit::awaits);
    return std::move(markup_);
  }

 private:
  struct Tag {
    std::string_view name, attributes;
    uint32_t end;
  };
  // A mark of emphasis that may yet find its partner.
  struct Emphasis {
    uint32_t end = 0;
    size_t edit = 0;
    bool is_open = false, has_partner = false, is_inside = false;
  };

  // ---- reading

  char at(uint32_t place) const { return place < size_ ? text_[place] : '\0'; }
  bool starts(uint32_t place, std::string_view with) const {
    return place <= size_ && text_.substr(place).starts_with(with);
  }
  bool ends(uint32_t place, std::string_view with) const {
    return text_.substr(0, place).ends_with(with);
  }
  bool is_inside_word(uint32_t start, uint32_t end) const {
    return word_before(text_, start) && word_after(text_, end);
  }
  uint32_t skip_letters(uint32_t place) const {
    while (is_ascii_letter(at(place))) ++place;
    return place;
  }
  uint32_t skip_spaces(uint32_t place) const {
    while (is_space(at(place))) ++place;
    return place;
  }

  // Where `wanted` begins within so many bytes, or size_. Looking in vain is paid for.
  uint32_t find(std::string_view wanted, uint32_t from, uint32_t most) {
    if (from >= size_) return size_;
    const auto reach = static_cast<uint32_t>(std::min<uint64_t>({most, budget_, size_ - from}));
    const size_t found = text_.substr(from, reach).find(wanted);
    if (found != std::string_view::npos) return from + static_cast<uint32_t>(found);
    budget_ -= reach;
    return size_;
  }

  // ---- writing

  void add(uint32_t start, uint32_t end, std::string_view shown, bool counts, bool awaits = false) {
    Edit edit{start, end, {}, static_cast<uint8_t>(shown.size()), counts, awaits};
    std::ranges::copy(shown, edit.shown.begin());
    markup_.edits.push_back(edit);
  }

  // The same, counting by what it does.
  uint32_t show(uint32_t start, uint32_t end, std::string_view shown, bool awaits = false) {
    const std::string_view written = text_.substr(start, end - start);
    const bool counts = std::ranges::any_of(written, is_ascii_word) ||
                        (shown.empty() && is_inside_word(start, end));
    add(start, end, shown, counts, awaits);
    return end;
  }

  // An escape, which counts if it is a letter or stands at one; where to go on.
  uint32_t show(uint32_t place, const Escape& escape) {
    if (escape.size == 0) return place + 1;
    const uint32_t end = place + escape.size;
    const bool counts =
        word_after(escape.text(), 0) || word_before(text_, place) || word_after(text_, end);
    add(place, end, escape.text(), counts);
    return end;
  }

  bool was_edited(uint32_t end) const {
    return !markup_.edits.empty() && markup_.edits.back().end == end;
  }

  // ---- the pass

  // The first mark in [place, end), or `end`.
  uint32_t next_mark(uint32_t place, uint32_t end) {
    while (place < end) {
      const uint32_t block = place / kBlock * kBlock;
      if (block != block_) {
        block_ = block;
        marks_ = size_ - block >= kBlock ? marks_of(text_.data() + block) : marks_of_tail(block);
      }
      const uint64_t left = marks_ >> (place - block);
      if (left != 0) return std::min(end, place + static_cast<uint32_t>(std::countr_zero(left)));
      place = block + kBlock;
    }
    return end;
  }

  uint64_t marks_of_tail(uint32_t block) const {
    std::array<char, kBlock> bytes{};
    std::ranges::copy(text_.substr(block), bytes.begin());
    return marks_of(bytes.data());
  }

  void scan(uint32_t place, uint32_t end) {
    for (place = next_mark(place, end); place < end; place = next_mark(place, end)) {
      place = std::max(undo(place), place + 1);
    }
  }

  // Looks at the mark at `place`; where to go on.
  uint32_t undo(uint32_t place) {
    switch (text_[place]) {
      case '&':
        return ampersand(place);
      case '<':
        return angle(place);
      case '\\':
        return backslashes(place);
      case '%':
        return percent(place);
      case '=':
        return equals(place);
      case '[':
        return bracket(place);
      case '{':
        return open_brace(place);
      case '}':
        return close_brace(place);
      case '\xE2':
        if (starts(place, "\u202D") || starts(place, "\u202E")) markup_.overrides_direction = true;
        return place + 1;
      default:
        return emphasis(place);
    }
  }

  uint32_t ampersand(uint32_t place) {
    const Escape escape = entity(text_, place);
    if (escape.size == 0) return place + 1;
    return show(place, place + escape.size, escape.text());  // its name counts
  }

  // ---- tags

  uint32_t angle(uint32_t place) {
    const char next = at(place + 1);
    if (next == '!') {
      if (starts(place, "<![CDATA[")) return show(place, place + 9, {});
      const bool is_comment = starts(place, "<!--");
      if (!is_comment && !is_ascii_letter(at(place + 2))) return place + 1;
      const uint32_t end =
          is_comment ? find("-->", place + 2, kMostElement) : find(">", place + 2, kMostName * 8);
      return end == size_ ? place + 1 : show(place, end + (is_comment ? 3 : 1), {});
    }
    if (next == '?' && starts(place, "<?xml")) {
      const uint32_t end = find("?>", place, kMostName * 8);
      return end == size_ ? place + 1 : show(place, end + 2, {});
    }
    const bool closes = next == '/';
    if (!is_ascii_letter(at(place + 1 + closes))) return place + 1;
    const std::optional<Tag> tag = tag_at(place + 1 + closes);
    return tag ? element(place, *tag, closes) : place + 1;
  }

  // The rest of a tag whose name begins at `place`.
  std::optional<Tag> tag_at(uint32_t place) {
    uint32_t end = place;
    while (end - place <= kMostName &&
           (is_ascii_word(at(end)) || at(end) == '-' || at(end) == ':' || at(end) == '_')) {
      ++end;
    }
    const std::string_view name = text_.substr(place, end - place);
    if (name.size() > kMostName) return std::nullopt;
    if (at(end) == '>') return Tag{name, {}, end + 1};
    if (at(end) != '/' && !is_space(at(end))) return std::nullopt;
    const uint32_t attributes = skip_spaces(end);
    const char first = at(attributes);
    const bool may_follow =
        is_ascii_letter(first) || "/>:@_\"'"sv.find(first) != std::string_view::npos;
    if (!may_follow) return std::nullopt;
    const auto most = static_cast<uint32_t>(std::min<uint64_t>(kMostTag, budget_));
    char quote = '\0';
    for (uint32_t i = attributes; i < size_ && i - attributes < most; ++i) {
      const char byte = text_[i];
      if (quote != '\0') {
        if (byte == quote) quote = '\0';
      } else if (byte == '"' || byte == '\'') {
        quote = byte;
      } else if (byte == '>') {
        return Tag{name, text_.substr(end, i - end), i + 1};
      } else if (byte == '<') {
        budget_ -= std::min<uint64_t>(budget_, i - place);
        return std::nullopt;
      }
    }
    budget_ -= std::min<uint64_t>(budget_, most);
    return std::nullopt;
  }

  // The last opening of a name that is an edit only if it is closed; two names may share a place.
  struct Opening {
    std::string_view name;
    size_t edit = 0;
    uint32_t end = 0;
  };
  Opening& opening_of(std::string_view name) {
    uint32_t hash = 2166136261u;
    for (const char byte : name) hash = (hash ^ static_cast<unsigned char>(byte)) * 16777619u;
    return openings_[hash >> 26];
  }
  void await(std::string_view name, uint32_t end) {
    opening_of(name) = {name, markup_.edits.size(), end};
  }
  // Makes an edit of the last opening of a name, if it is near enough.
  bool close(std::string_view name, uint32_t place) {
    Opening& opening = opening_of(name);
    if (opening.name != name || place - opening.end > kMostElement) return false;
    markup_.edits[opening.edit].awaits = false;
    opening.name = {};
    return true;
  }

  uint32_t element(uint32_t place, const Tag& tag, bool closes) {
    const bool is_lower =
        std::ranges::none_of(tag.name, [](char byte) { return byte >= 'A' && byte <= 'Z'; });
    const bool is_upper =
        std::ranges::none_of(tag.name, [](char byte) { return byte >= 'a' && byte <= 'z'; });
    std::string name(tag.name);  // short, so that nothing is allocated
    for (char& byte : name) byte = static_cast<char>(is_ascii_letter(byte) ? byte | 0x20 : byte);
    const bool is_row = name == "tr", is_cell = name == "td" || name == "th";
    // Set<T> and Option<String> are types, <BR> is none.
    const bool is_named = is_lower || (is_upper && name.size() > 1);
    const bool is_block = holds(kBlocks, name) || is_row || is_cell;
    const bool is_known = is_named && (is_block || holds(kInlines, name));

    // (?<name>...) and (?P<name>...) are groups of regular expressions.
    if (!closes && place > 1 && (ends(place, "(?") || ends(place, "(?P"))) return place + 1;
    const bool awaits = !closes && !is_known && !is_inside_word(place, tag.end) &&
                        tag.attributes.find('=') == std::string_view::npos;
    if (closes) {
      close(tag.name, place);
    } else if (awaits) {
      await(tag.name, tag.end);
    }
    uint32_t end = tag.end;
    std::string_view shown;
    if (is_known && (is_row || is_cell)) {
      // White space between cells is none within them.
      if (closes || is_row) end = skip_spaces(end);
      shown = is_cell ? (closes ? " "sv : "| "sv) : (closes ? ""sv : "\n"sv);
    } else if (is_known && is_block) {
      shown = "\n";
    } else if (!is_known && !closes && last_closed_ == place && last_name_ == tag.name) {
      shown = " ";  // one item after another
    }
    if (closes) {
      last_closed_ = end;
      last_name_ = tag.name;
    } else if (is_known && is_not_displayed(name, tag.attributes)) {
      const std::string closing = "</" + std::string(tag.name);
      const uint32_t closed = find(closing, end, kMostElement);
      const uint32_t after = closed == size_ ? size_ : find(">", closed, kMostName);
      if (after != size_) end = after + 1;
    }
    return show(place, end, shown, awaits);
  }

  static bool is_not_displayed(std::string_view name, std::string_view attributes) {
    if (name == "script" || name == "style") return true;
    if (attributes.size() < 7) return false;
    if (attributes.find("display:none") != std::string_view::npos ||
        attributes.find("display: none") != std::string_view::npos) {
      return true;
    }
    const size_t found = attributes.find(" hidden");
    const char after = found + 7 < attributes.size() ? attributes[found + 7] : ' ';
    return found != std::string_view::npos && (is_space(after) || after == '/' || after == '=');
  }

  // ---- Markdown and BBCode

  uint32_t emphasis(uint32_t place) {
    const char mark = text_[place];
    uint32_t end = place + 1;
    while (at(end) == mark) ++end;
    const uint32_t count = end - place;
    // One underscore joins the words of a name, one backtick is an apostrophe (tokenize.h).
    const uint32_t least = mark == '_' || mark == '`' ? 2 : 1;
    if (count < least || count > 3) return end;
    const bool before = word_before(text_, place), after = word_after(text_, end);
    const bool may_close = place > 0 && !is_space(text_[place - 1]);
    if (!after && !may_close) return end;
    const bool is_inside = before && after;
    const size_t kind = "*~`_"sv.find(mark);
    Emphasis& other = emphases_[kind][count - 1];
    if (may_close && other.is_open && place - other.end <= kMostEmphasis) {
      const std::string_view between = text_.substr(other.end, place - other.end);
      // x**2 and y**2 are powers.
      const bool must_touch = other.has_partner || (is_inside && other.is_inside);
      const bool is_apart = std::ranges::any_of(between, [&](char byte) {
        return must_touch ? is_space(byte) : byte == '\n' || byte == '\r';
      });
      if (!is_apart && (is_inside || other.is_inside)) {
        markup_.edits[other.edit].awaits = false;
        other = {end, markup_.edits.size(), after, true, is_inside};
        add(place, end, {}, is_inside);
        return end;
      }
      if (!is_apart && !other.has_partner) {  // whole words, which are apart anyhow
        other.is_open = false;
        return end;
      }
    }
    if (!after) return end;
    other = {end, markup_.edits.size(), true, false, is_inside};
    add(place, end, {}, is_inside, true);
    return end;
  }

  uint32_t bracket(uint32_t place) {
    const char next = at(place + 1);
    if (next == '^') return footnote(place);
    if (next == '/') {
      const uint32_t end = skip_letters(place + 2);
      if (end == place + 2 || at(end) != ']' || end - place > kMostName) return place + 1;
      const bool is_closed = close(text_.substr(place + 2, end - place - 2), place);
      return is_closed ? show(place, end + 1, {}) : end + 1;
    }
    uint32_t close = place + 1;
    const uint32_t most = std::min(size_, close + kMostLabel);
    while (close < most && text_[close] != ']') {
      if (text_[close] == '[' || text_[close] == '\n') return place + 1;
      ++close;
    }
    if (close == most) return place + 1;
    if (at(close + 1) == '(') {
      const uint32_t end = link(place, close);
      if (end > place + 1) return end;
    }
    const uint32_t end = skip_letters(place + 1);
    if (end == place + 1 || end - place > kMostName || (at(end) != '=' && at(end) != ']')) {
      return place + 1;
    }
    await(text_.substr(place + 1, end - place - 1), close + 1);
    return show(place, close + 1, {}, true);
  }

  uint32_t link(uint32_t place, uint32_t close) {
    const std::string_view address = text_.substr(close + 2, kMostAddress);
    int depth = 1;
    uint32_t size = 0;
    bool has_title = false;
    while (size < address.size() && address[size] != '\n') {
      if (address[size] == ' ' && !has_title) {  // only a title may follow
        const char next = at(close + 3 + size);
        has_title = next == '"' || next == '\'';
        if (!has_title) break;
      }
      depth += address[size] == '(' ? 1 : address[size] == ')' ? -1 : 0;
      if (depth == 0) break;
      ++size;
    }
    if (depth != 0) {
      budget_ -= std::min<uint64_t>(budget_, size);
      return place + 1;
    }
    const bool is_image = place > 0 && text_[place - 1] == '!' && !was_edited(place);
    const uint32_t start = is_image ? place - 1 : place;
    if (close == place + 1) {  // [](int i) is a lambda
      const uint32_t end = close + 3 + size;
      add(start, end, {}, is_inside_word(start, end));
      return end;
    }
    show(start, place + 1, {});
    scan(place + 1, close);
    if (!markup_.edits.empty() && markup_.edits.back().end > close) return close + 1;
    return show(close, close + 3 + size, {});
  }

  uint32_t footnote(uint32_t place) {
    uint32_t end = place + 2;
    while (end - place <= kMostName && is_ascii_word(at(end))) ++end;
    if (end == place + 2 || at(end) != ']' || place == 0 || is_space(text_[place - 1])) {
      return place + 1;
    }
    // A set of characters of a regular expression has a count behind it or a bracket around it.
    const char before = text_[place - 1], after = at(end + 1);
    const bool is_set = "*+?{)"sv.find(after) != std::string_view::npos ||
                        "(\"'|/"sv.find(before) != std::string_view::npos;
    return is_set ? place + 1 : show(place, end + 1, {});
  }

  // ---- backslashes and braces

  // Of a row of them half are shown, and one that is left over escapes what follows.
  uint32_t backslashes(uint32_t place) {
    uint32_t end = place + 1;
    while (at(end) == '\\') ++end;
    const uint32_t pairs = (end - place) / 2;
    if (pairs > 0) {
      const bool is_nested = "uUxnrt\"01234567"sv.find(at(end)) != std::string_view::npos;
      add(place, place + pairs, {}, is_nested && end < size_);
    }
    return (end - place) % 2 == 1 ? backslash(end - 1) : end;
  }

  uint32_t backslash(uint32_t place) {
    const char next = at(place + 1);
    const uint32_t end = place + 2;
    if (const Escape escape = backslash_escape(text_, place); escape.size > 0) {
      return show(place, escape);
    }
    if (is_ascii_letter(next)) return command(place);
    if (next == '/') return show(place, end, "/");
    if (next == '\n' || next == '-') {
      return is_inside_word(place, end) ? show(place, end, {}) : end;
    }
    const bool is_accent = "'`\"^~="sv.find(next) != std::string_view::npos && end <= size_;
    if (!is_accent) return end;
    if (at(end) == '{' && at(end + 2) == '}' && is_ascii_letter(at(end + 1))) {
      return show(place, end + 3, text_.substr(end + 1, 1));
    }
    if (next == '\'' || next == '`') {
      add(place, end, text_.substr(place + 1, 1), is_inside_word(place, end));
      return end;
    }
    if (is_inside_word(place, end)) return show(place, end, {});
    if (next == '"') add(place, end, "\"", false);
    return end;
  }

  uint32_t command(uint32_t place) {
    const uint32_t end = skip_letters(place + 1);
    const std::string_view name = text_.substr(place + 1, end - place - 1);
    const char first = name[0];
    if ((first == 'n' || first == 'r' || first == 't') && !holds(kUnlikeLines, name)) {
      return line_end(place);
    }
    uint32_t brace = at(end) == '*' ? end + 1 : end;
    if (at(brace) == '[') brace = skip_past(']', brace);
    if (at(brace) != '{') return end;
    if (holds(kSilent, name)) {
      const uint32_t after = skip_past('}', brace);
      return after > brace ? show(place, after, {}) : brace + 1;
    }
    if (holds(kSeconds, name)) {
      const uint32_t second = skip_past('}', brace);
      if (at(second) != '{') return brace + 1;
      brace = second;
    }
    // Those of a letter are accents: \c{c}, and \d{3} is none.
    if (name.size() == 1 && (!is_ascii_letter(at(brace + 1)) || at(brace + 2) != '}')) {
      return brace + 1;
    }
    const bool is_shown = holds(kWrappers, name) || holds(kSeconds, name);
    open(place, brace + 1, !is_shown && !word_before(text_, place));
    return brace + 1;
  }

  uint32_t line_end(uint32_t place) {
    const char next = text_[place + 1];
    const uint32_t gap = place - last_line_end_;  // 2 in \r\n
    if (last_line_end_ > place || gap > kMostLine ||
        text_.substr(last_line_end_, gap).find('\n') != std::string_view::npos) {
      line_ends_ = 0;
    }
    const bool counts = gap > 2 && line_ends_ >= kFewLineEnds;
    line_ends_ += gap > 2;
    last_line_end_ = place;
    add(place, place + 2, next == 't' ? "\t" : next == 'r' ? "\r" : "\n", counts);
    return place + 2;
  }

  // Behind the byte that closes what opens at `place`, or `place`.
  uint32_t skip_past(char closing, uint32_t place) const {
    const size_t found = text_.substr(place, kMostArgument).find(closing);
    return found == std::string_view::npos ? place : place + static_cast<uint32_t>(found) + 1;
  }

  void open(uint32_t start, uint32_t end, bool awaits) {
    if (braces_.size() == kMostOpenBraces) braces_.clear();
    braces_.push_back(markup_.edits.size());
    show(start, end, {}, awaits);
  }

  uint32_t open_brace(uint32_t place) {
    const char next = at(place + 1);
    if (next == '}') {
      return is_inside_word(place, place + 2) ? show(place, place + 2, {}) : place + 2;
    }
    if (next == '\\') {
      const uint32_t end = skip_letters(place + 2);
      if (holds(kDeclarations, text_.substr(place + 2, end - place - 2))) {
        const uint32_t after = end + (at(end) == ' ');
        open(place, after, false);
        return after;
      }
    }
    if (!braces_.empty() && braces_.size() < kMostOpenBraces) braces_.push_back(kPlain);
    return place + 1;
  }

  uint32_t close_brace(uint32_t place) {
    if (braces_.empty()) return place + 1;
    const size_t edit = braces_.back();
    braces_.pop_back();
    if (edit == kPlain) return place + 1;
    Edit& opening = markup_.edits[edit];
    if (opening.awaits && !word_after(text_, place + 1)) return place + 1;
    opening.awaits = false;
    return show(place, place + 1, {});
  }

  // ---- URLs and mail

  uint32_t percent(uint32_t place) {
    const Escape escape = percent_escape(text_, place);
    // "%20s" is a format.
    const bool is_format =
        escape.size == 3 && "diouxXeEfFgGcs"sv.find(at(place + 3)) != std::string_view::npos &&
        (place == 0 || " \t\"'([|:"sv.find(text_[place - 1]) != std::string_view::npos);
    return is_format ? place + 1 : show(place, escape);
  }

  uint32_t equals(uint32_t place) {
    if (at(place + 1) == ' ') return place + 2;
    const uint32_t line = starts(place + 1, "\r\n") ? place + 3 : place + 2;
    if (at(line - 1) == '\n') {
      return is_inside_word(place, line) ? show(place, line, {}) : line;
    }
    const Escape escape = printable_escape(text_, place);
    if (escape.size == 0) return place + 1;
    const uint32_t end = place + escape.size;
    const bool is_row = was_edited(place) || printable_escape(text_, end).size > 0;
    const bool before = word_before(text_, place), after = word_after(text_, end);
    // x=10; is code, and one that is not is too little to tell by.
    const bool counts = is_row || (before && after) || (escape.shown[0] < 0 && (before || after));
    if (counts) return show(place, escape);
    if (word_after(escape.text(), 0)) add(place, end, escape.text(), false);
    return end;
  }

  static constexpr size_t kPlain = ~size_t{0};

  std::string_view text_;
  uint32_t size_;
  uint32_t block_ = ~0u;  // where the block begins whose marks are known
  uint64_t marks_ = 0;
  uint64_t budget_;  // bytes that may yet be looked through in vain
  Markup markup_;
  std::array<Opening, 64> openings_;
  uint32_t last_closed_ = ~0u;
  std::string_view last_name_;
  uint32_t last_line_end_ = ~0u, line_ends_ = 0;  // line ends written on one line
  std::array<std::array<Emphasis, 3>, 4> emphases_{};
  std::vector<size_t> braces_;  // edits that opened the groups that are open, kPlain for none
};

}  // namespace

Markup find_markup(std::string_view utf8) { return Scanner(utf8).run(); }

bool begins_markup(char byte) { return kIsMark[static_cast<unsigned char>(byte)]; }

}  // namespace dedup
