// What the running processor can do, and how a caller forbids it.
//
// A SIMD body is a second body of a plain function. Every function that has one takes a Dispatch,
// so that a test runs both bodies on the same input; nothing else chooses, no environment variable
// and no build flag. Detection happens once; reading it is thread-safe.
#pragma once

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace dedup {

enum class Dispatch {
  best,      // the fastest body this processor runs
  portable,  // the plain body, everywhere
};

struct Cpu {
  bool avx2 = false;
  bool sha = false;  // SHA-NI, with the SSE4.1 and SSSE3 its body also uses
};

inline const Cpu& cpu() {
  static const Cpu found = [] {
    Cpu features;
#if defined(__x86_64__)
    // The builtin also asks whether the system saves the wide registers; it does not know "sha" in
    // every compiler we support, so that bit is read from leaf 7.
    features.avx2 = __builtin_cpu_supports("avx2");
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    const bool has_leaf_7 = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0;
    features.sha = has_leaf_7 && (ebx & bit_SHA) != 0 && __builtin_cpu_supports("sse4.1") &&
                   __builtin_cpu_supports("ssse3");
#endif
    return features;
  }();
  return found;
}

inline bool use_avx2(Dispatch dispatch) { return dispatch == Dispatch::best && cpu().avx2; }
inline bool use_sha(Dispatch dispatch) { return dispatch == Dispatch::best && cpu().sha; }

}  // namespace dedup
