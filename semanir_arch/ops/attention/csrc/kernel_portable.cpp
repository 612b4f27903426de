// The kernels for any processor.
#include "problem.h"

#include <thread>
#include <type_traits>

namespace semanir::portable {
namespace {
#include "vec.h"
#include "kernel.h"
}  // namespace

#include "widths.h"
}  // namespace semanir::portable
