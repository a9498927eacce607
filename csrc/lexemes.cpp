#include "lexemes.h"

#include <algorithm>
#include <array>

namespace dedup {

namespace {

// Words reserved in a major language and hardly used as names in others. A word that is left out
// costs little: unrenamed, it agrees with itself as a name does.
constexpr std::string_view kReserved =
    "and as assert async await bool boolean break byte case catch chan char class const "
    "constexpr continue crate def defer del do double elif else elsif enum except export "
    "extends extern fallthrough final finally float fn for foreach func function global goto if "
    "impl implements import in inline instanceof int interface is lambda let long mut namespace "
    "new nil noexcept nonlocal not null nullptr operator or override package pass private "
    "protected pub public raise register return short signed sizeof static struct super switch "
    "synchronized template this throw throws trait try typedef typename typeof undefined union "
    "unless unsafe unsigned using var virtual void volatile while with yield None True False "
    "true false";

// Names that programs of any kind share.
constexpr std::string_view kCommon =
    "self cls args kwargs len range print str repr list dict set tuple object type isinstance "
    "issubclass hasattr getattr setattr property staticmethod classmethod iter next enumerate "
    "zip map filter sorted reversed sum min max abs any all open input bytes bytearray format "
    "join split strip replace append extend insert remove pop keys values items get put add "
    "update copy clear index count find sort reverse lower upper startswith endswith encode "
    "decode read write close flush seek name names value key data result results error errors "
    "message text line lines path file filename size length width height start end stop begin "
    "first last left right node parent child children root head tail item element obj other "
    "callback default options option config params request response url method methods code "
    "status info debug warning log logger logging time date init main test run setup call apply "
    "bind exec eval push shift slice splice concat indexOf forEach reduce toString valueOf "
    "hasOwnProperty prototype constructor document window console module exports require Math "
    "Array Object String Number Boolean Date Error Promise JSON parse stringify then System out "
    "println printf Integer Long Double List ArrayList Map HashMap equals hashCode charAt "
    "substring std cout cin endl string vector size_t NULL malloc free memcpy memset strlen "
    "strcmp sprintf fprintf stderr stdout stdin exit fmt Println Printf Sprintf Errorf err ctx "
    "make Some Ok Err Option Result Vec Box unwrap clone into iter_mut collect push_str "
    "to_string match group groups sub compile search exists isfile isdir dirname basename "
    "environ argv sys os re json ValueError TypeError KeyError IndexError AttributeError "
    "RuntimeError Exception NotImplementedError StopIteration ImportError OSError IOError "
    "Optional Any Union Callable Iterable Sequence Mapping Dict Tuple Set __init__ __name__ "
    "__class__ __dict__ __doc__ __call__ __repr__ __str__ __eq__ __len__ __iter__ __next__ "
    "__enter__ __exit__ __getitem__ __setitem__ __contains__ __new__ __hash__ __module__ "
    "__all__ __file__ __main__ __version__ kind version description content body header headers "
    "title label id callable round ord chr hex hash vars dir locals globals state context "
    "buffer output target source current prev previous total num number flag flags mode base "
    "offset position pos temp tmp val arr array row col rows cols matrix stack queue visited "
    "nums res ret ans foo bar";

// A set of words by their hashes: open addressing.
template <size_t kSlots>
class WordSet {
 public:
  // Words are apart by one space; they fill at most half of the slots.
  explicit WordSet(std::string_view words) {
    while (!words.empty()) {
      const size_t end = std::min(words.find(' '), words.size());
      const uint64_t hash = lexeme_hash(words.substr(0, end));
      words.remove_prefix(std::min(end + 1, words.size()));
      size_t slot = hash % kSlots;
      while (slots_[slot] != 0 && slots_[slot] != hash) slot = (slot + 1) % kSlots;
      slots_[slot] = hash;
    }
  }

  bool has(uint64_t hash) const {
    for (size_t slot = hash % kSlots; slots_[slot] != 0; slot = (slot + 1) % kSlots) {
      if (slots_[slot] == hash) return true;
    }
    return false;
  }

 private:
  std::array<uint64_t, kSlots> slots_{};
};

bool is_common(uint64_t hash) {
  static const WordSet<1024> words(kCommon);
  return words.has(hash);
}

}  // namespace

bool is_reserved(uint64_t hash) {
  static const WordSet<512> words(kReserved);
  return words.has(hash);
}

bool is_telling(LexemeClass kind, std::string_view bytes) {
  switch (kind) {
    case LexemeClass::kFixed:
      return false;
    case LexemeClass::kName:
    case LexemeClass::kMember:
    case LexemeClass::kLabel:
      return bytes.size() >= 3 && !is_common(lexeme_hash(bytes));
    case LexemeClass::kString:
      return bytes.size() >= 4;
    case LexemeClass::kNumber:
      return bytes.size() >= 3 && bytes != "0.0" && bytes != "1.0" && bytes != "100" &&
             bytes != "0.5" && bytes != "1000";
  }
  return false;
}

}  // namespace dedup
