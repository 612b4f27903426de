// The kernels for any processor.
#include "problem.h"

#include <type_traits>

namespace semanir::portable {
namespace {
#include "vec.h"
#include "attention.h"
#include "selection.h"
}  // namespace

#include "entries.h"
}  // namespace semanir::portable
