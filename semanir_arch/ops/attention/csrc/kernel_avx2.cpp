// The portable kernels, compiled for processors with AVX2 and FMA.
#if defined(__x86_64__)
#include "problem.h"

#include <thread>
#include <type_traits>

#pragma GCC target("avx2,fma,bmi,bmi2,popcnt")

namespace semanir::avx2 {
namespace {
#include "vec.h"
#include "kernel.h"
}  // namespace

#include "widths.h"
}  // namespace semanir::avx2
#endif
