#include "sequence.h"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace dedup {

void key_tokens(const Tokens& tokens, const TokenKey& key, Sequence& out) {
  const size_t size = tokens.hashes.size();
  out.values.resize(size);
  out.fingerprints.resize(size);
  for (size_t i = 0; i < size; ++i) {
    out.values[i] = key(tokens.hashes[i]);
    out.fingerprints[i] = token_fingerprint(out.values[i]);
  }
  out.unlinked.clear();
  out.linked_to.clear();
  out.raws.clear();
  out.classes.clear();
}

void key_lexemes(const Lexemes& lexemes, const TokenKey& key, Sequence& out) {
  const size_t size = lexemes.size();
  out.values.resize(size);
  out.unlinked.resize(size);
  out.linked_to.assign(size, 0);
  out.fingerprints.resize(size);
  out.raws.resize(size);
  out.classes = lexemes.classes;

  std::array<std::array<uint64_t, kMaxLink + 1>, kLexemeClasses> made_up;
  for (uint64_t kind = 0; kind < kLexemeClasses; ++kind) {
    for (uint64_t link = 0; link <= kMaxLink; ++link) {
      made_up[kind][link] = key(fmix64((kind << 32 | link) + 0x1DE57AB1EULL));
    }
  }
  // Fingerprints tell long links apart only roughly: an edit shifts every link across it by one or
  // two, which a tile may not survive, but an alignment should.
  auto near = made_up;
  for (auto& links : near) {
    for (uint32_t link = 3; link <= kMaxLink; ++link) {
      links[link] = links[link <= 4 ? 3 : link <= 7 ? 5 : link <= 12 ? 8 : link <= 20 ? 13 : 21];
    }
  }
  struct Last {
    uint32_t token, name;
  };
  std::unordered_map<uint64_t, Last> last;
  last.reserve(std::min<size_t>(size, 4096));
  uint32_t names[kLexemeClasses] = {};
  for (size_t i = 0; i < size; ++i) {
    const uint8_t kind = lexemes.classes[i];
    uint32_t link = 0;
    out.raws[i] = token_fingerprint(key(lexemes.raws[i]));
    if (kind == 0) {
      out.values[i] = out.unlinked[i] = key(lexemes.symbols[i]);
    } else if (!is_name(kind)) {
      out.values[i] = out.unlinked[i] = made_up[kind][0];
    } else {
      const uint32_t number = names[kind]++;
      const auto token = static_cast<uint32_t>(i);
      const auto [at, added] = last.emplace(lexemes.raws[i] + kind, Last{token, number});
      if (!added) {
        if (number - at->second.name <= kMaxLink) {
          link = number - at->second.name;
          out.linked_to[i] = at->second.token + 1;
        }
        at->second = {token, number};
      }
      out.values[i] = made_up[kind][link];
      out.unlinked[i] = made_up[kind][0];
    }
    out.fingerprints[i] = token_fingerprint(out.values[i]);
    if (out.linked_to[i] != 0) out.fingerprints[i] = token_fingerprint(near[kind][link]);
  }
}

}  // namespace dedup
