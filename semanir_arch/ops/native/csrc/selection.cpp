// The operator that selects the largest similarities: checks, and the distribution of rows.
#include "problem.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <optional>
#include <string>
#include <vector>

namespace semanir {
namespace {

// Rows that a thread takes at a time.
constexpr int64_t kRows = 64;

at::Tensor select(const at::Tensor& similarity_, int64_t k, const std::optional<at::Tensor>& groups_,
                  const std::string& instructions) {
  const at::Tensor similarity = similarity_.contiguous();
  TORCH_CHECK(similarity.scalar_type() == at::kFloat && similarity.dim() == 3 &&
                  similarity.size(1) == similarity.size(2),
              "similarity must be float32 of shape (windows, tokens, tokens)");
  const int64_t windows = similarity.size(0), tokens = similarity.size(1);
  TORCH_CHECK(1 <= k && k <= tokens, "k=", k, " of ", tokens, " tokens");
  const at::Tensor groups = groups_ ? groups_->to(at::kLong).contiguous() : at::Tensor();
  TORCH_CHECK(!groups_ || groups.sizes() == at::IntArrayRef({windows, tokens}),
              "groups must have shape (windows, tokens)");

  Selection s{};
  s.tokens = tokens, s.k = k;
  s.similarity = similarity.const_data_ptr<float>();
  s.groups = groups.defined() ? groups.const_data_ptr<int64_t>() : nullptr;
  const at::Tensor bits =
      at::empty({windows, tokens, s.words()}, similarity.options().dtype(at::kInt));
  s.bits = reinterpret_cast<uint32_t*>(bits.data_ptr<int32_t>());

  auto* select_rows = instructions == "portable" ? portable::select_rows : nullptr;
#if defined(__x86_64__)
  if (instructions == "avx512") select_rows = avx512::select_rows;
#endif
  TORCH_CHECK(select_rows, "there are no kernels for ", instructions);
  at::parallel_for(0, windows * tokens, kRows, [&](int64_t first, int64_t last) {
    std::vector<int32_t> keys(32 * s.words());
    select_rows(s, first, last, keys.data());
  });
  return bits;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(semanir_native, library) {
  // `instructions` as for the attention.
  library.def("select(Tensor similarity, int k, Tensor? groups, str instructions) -> Tensor",
              select);
}

}  // namespace semanir
