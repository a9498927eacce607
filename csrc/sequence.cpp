#include "sequence.h"

#include <algorithm>

namespace dedup {

void key_tokens(const Tokens& tokens, const TokenKey& key, Sequence& out) {
  out.values.clear();
  out.fingerprints.clear();
  out.unlinked.clear();
  out.linked_to.clear();
  out.raws.clear();
  out.classes.clear();
  extend_tokens(tokens, key, out);
}

void extend_tokens(const Tokens& tokens, const TokenKey& key, Sequence& out) {
  const size_t size = tokens.hashes.size();
  size_t i = out.values.size();
  out.values.resize(size);
  out.fingerprints.resize(size);
  key.all(std::span(tokens.hashes).subspan(i), out.values.data() + i);
  for (; i < size; ++i) out.fingerprints[i] = token_fingerprint(out.values[i]);
}

LexemeKeyer::LexemeKeyer(const TokenKey& key) : key_(key) {
  for (uint64_t kind = 0; kind < kLexemeClasses; ++kind) {
    for (uint64_t link = 0; link <= kMaxLink; ++link) {
      made_up_[kind][link] = key(fmix64((kind << 32 | link) + 0x1DE57AB1EULL));
    }
  }
  // Fingerprints tell long links apart only roughly: an edit shifts every link across it by one or
  // two, which a tile may not survive, but an alignment should.
  near_ = made_up_;
  for (auto& links : near_) {
    for (uint32_t link = 3; link <= kMaxLink; ++link) {
      links[link] = links[link <= 4 ? 3 : link <= 7 ? 5 : link <= 12 ? 8 : link <= 20 ? 13 : 21];
    }
  }
}

void LexemeKeyer::extend(const Lexemes& lexemes, Sequence& out) {
  const size_t size = lexemes.size();
  size_t i = out.values.size();
  out.values.resize(size);
  out.unlinked.resize(size);
  out.linked_to.resize(size);
  out.fingerprints.resize(size);
  out.raws.resize(size);
  out.classes.insert(out.classes.end(), lexemes.classes.begin() + static_cast<ptrdiff_t>(i),
                     lexemes.classes.end());
  last_.reserve(std::min<size_t>(size - i, 4096));
  for (; i < size; ++i) {
    const uint8_t kind = lexemes.classes[i];
    uint32_t link = 0;
    out.raws[i] = token_fingerprint(key_(lexemes.raws[i]));
    if (kind == 0) {
      out.values[i] = out.unlinked[i] = key_(lexemes.symbols[i]);
    } else if (!is_name(kind)) {
      out.values[i] = out.unlinked[i] = made_up_[kind][0];
    } else {
      const uint32_t number = names_[kind]++;
      const auto token = static_cast<uint32_t>(i);
      const auto [at, added] = last_.emplace(lexemes.raws[i] + kind, Last{token, number});
      if (!added) {
        if (number - at->second.name <= kMaxLink) {
          link = number - at->second.name;
          out.linked_to[i] = at->second.token + 1;
        }
        at->second = {token, number};
      }
      out.values[i] = made_up_[kind][link];
      out.unlinked[i] = made_up_[kind][0];
    }
    out.fingerprints[i] = token_fingerprint(out.values[i]);
    if (out.linked_to[i] != 0) out.fingerprints[i] = token_fingerprint(near_[kind][link]);
  }
}

void key_lexemes(const Lexemes& lexemes, const TokenKey& key, Sequence& out) {
  out.clear();
  LexemeKeyer(key).extend(lexemes, out);
}

}  // namespace dedup
