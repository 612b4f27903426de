// The kernels for processors with AVX-512 (F, BW, DQ, VL).
#if defined(__x86_64__)
#include "problem.h"

#include <immintrin.h>

#include <type_traits>

// Only what follows: a header's inline functions compiled for AVX-512 could end up in the portable
// kernels.
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi,bmi2,popcnt")
#pragma GCC target("prefer-vector-width=512")
#define SEMANIR_AVX512

namespace semanir::avx512 {
namespace {
#include "vec.h"
#include "attention.h"
#include "whole.h"
#include "selection.h"
}  // namespace

#include "entries.h"
}  // namespace semanir::avx512
#endif
