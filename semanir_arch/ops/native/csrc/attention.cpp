// The operators of the extension: checks, memory, and the distribution of windows and heads.
#include "problem.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace semanir {
namespace {

// The fastest instructions of this processor for which there are kernels.
std::string best_instructions() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return "avx512";
  }
#endif
  return "portable";
}

template <class T>
const Kernels<T>& choose(int64_t head_dim, const std::string& instructions) {
  const Kernels<T>* kernels = nullptr;
  if (instructions == "portable") {
    kernels = portable::kernels(T{}, head_dim);
#if defined(__x86_64__)
  } else if (instructions == "avx512") {
    kernels = avx512::kernels(T{}, head_dim);
#endif
  } else {
    TORCH_CHECK(false, "there are no kernels for ", instructions);
  }
  TORCH_CHECK(kernels, "head width ", head_dim, " is above 128");
  return *kernels;
}

at::Tensor with_unit_stride(const at::Tensor& x) {
  return x.stride(-1) == 1 || x.size(-1) == 1 ? x : x.contiguous();
}

template <class T>
Rows<T> rows(const at::Tensor& x) {
  return {static_cast<T*>(x.data_ptr()), x.stride(0), x.stride(1), x.stride(2)};
}

template <class T>
Rows<const T> const_rows(const at::Tensor& x) {
  return {static_cast<const T*>(x.const_data_ptr()), x.stride(0), x.stride(1), x.stride(2)};
}

// Sums into which the windows' gradients of strips are added, so that several windows of a head
// can be computed at a time.
constexpr int64_t kSlots = 4;

// Offsets of keys in a window's scratch memory are int32.
constexpr int64_t kMaxTokens = 1 << 22;

// The inputs in a layout that the kernels read. Keeps alive what a `Problem` points to.
struct Inputs {
  at::Tensor q, k, v, bits, bias;
  // Of the window, if the bias comes in strips.
  int64_t side = 0;

  Inputs(const at::Tensor& q_, const at::Tensor& k_, const at::Tensor& v_, const at::Tensor& bits_,
         const std::optional<at::Tensor>& bias_)
      : q(with_unit_stride(q_)),
        k(with_unit_stride(k_)),
        v(with_unit_stride(v_)),
        bits(bits_.contiguous()),
        bias(bias_ ? bias_->contiguous() : at::Tensor()) {
    TORCH_CHECK(q.dim() == 4 && k.sizes() == q.sizes() && v.sizes() == q.sizes(),
                "q, k and v must share one shape (windows, heads, tokens, channels)");
    const int64_t tokens = q.size(2);
    TORCH_CHECK(tokens >= 1 && tokens <= kMaxTokens, "windows of ", tokens, " tokens");
    TORCH_CHECK(bits.scalar_type() == at::kInt &&
                    bits.sizes() == at::IntArrayRef({q.size(0), tokens, (tokens + 31) / 32}),
                "bits must be int32 of shape (windows, tokens, ceil(tokens / 32))");
    if (bias.defined() && bias.dim() == 3 && bias.size(1) * bias.size(1) == tokens) side = bias.size(1);
    TORCH_CHECK(!bias.defined() ||
                    (bias.dim() == 3 && bias.size(0) == q.size(1) &&
                     bias.size(1) == (side ? side : tokens) &&
                     bias.size(2) == (side ? (2 * side - 1) * side : tokens)),
                "bias must have shape (heads, tokens, tokens), or hold strips");
    for (const auto& x : {k, v, bias}) {
      TORCH_CHECK(!x.defined() || x.scalar_type() == q.scalar_type(),
                  "q, k, v and bias must share one dtype");
    }
  }

  template <class T>
  Problem<T> problem(double scale) const {
    Problem<T> p{};
    p.windows = q.size(0), p.heads = q.size(1), p.tokens = q.size(2), p.head_dim = q.size(3);
    p.scale = static_cast<float>(scale);
    p.q = const_rows<T>(q), p.k = const_rows<T>(k), p.v = const_rows<T>(v);
    p.bits = static_cast<const uint32_t*>(bits.const_data_ptr());
    p.bias = bias.defined() ? static_cast<const T*>(bias.const_data_ptr()) : nullptr;
    p.side = side;
    return p;
  }
};

// Call `task(window, head, scratch)` for all windows and heads. Tasks start in the order of their
// windows, head by head: when a task runs, those of the same head and earlier windows have begun.
template <class T, class Task>
void for_each_window_and_head(const Problem<T>& p, size_t scratch_bytes, const Task& task) {
  const int64_t tasks = p.windows * p.heads;
  const int64_t threads = std::min<int64_t>(at::get_num_threads(), tasks);
  const int64_t page = 4096;
  const int64_t bytes = (scratch_bytes + page - 1) / page * page;
  const at::Tensor scratch = at::empty({threads * bytes}, at::kByte);
  char* memory = static_cast<char*>(scratch.data_ptr());
  // The bias of one large head stays in the cache while its windows pass. Small windows, and strips
  // for more threads than slots, instead alternate between heads, lest threads queue for the turn
  // to add to the same head's gradient.
  const bool head_by_head = p.tokens >= 512 && (!p.side || threads <= kSlots);
  std::atomic<int64_t> next{0};
  at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t thread = begin; thread < end; ++thread) {
      for (int64_t t; (t = next.fetch_add(1)) < tasks;) {
        const int64_t window = head_by_head ? t % p.windows : t / p.heads;
        const int64_t head = head_by_head ? t / p.windows : t % p.heads;
        task(window, head, memory + thread * bytes);
      }
    }
  });
}

// Share of the keys that a query keeps, on average over all windows.
double kept_share(const at::Tensor& bits) {
  const auto* words = static_cast<const uint32_t*>(bits.const_data_ptr());
  int64_t kept = 0;
  for (int64_t i = 0; i < bits.numel(); ++i) kept += __builtin_popcount(words[i]);
  const double pairs = static_cast<double>(bits.size(0)) * bits.size(1) * bits.size(1);
  return pairs > 0 ? kept / pairs : 0;
}

template <class T>
at::Tensor forward_of(const Inputs& in, double scale, const std::string& instructions) {
  const at::Tensor out = at::empty(in.q.sizes(), in.q.options());
  Problem<T> p = in.problem<T>(scale);
  p.out = rows<T>(out);
  const Kernels<T>& kernels = choose<T>(p.head_dim, instructions);
  const bool whole = kept_share(in.bits) >= kernels.whole_from_forward;
  const Method<T>& method = whole ? kernels.whole : kernels.listed;
  for_each_window_and_head(
      p, method.scratch_bytes(p.tokens, false),
      [&](int64_t window, int64_t head, void* scratch) {
        method.forward(p, window, head, scratch);
      });
  return out;
}

using Gradients = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

template <class T>
Gradients backward_of(const at::Tensor& grad_, const Inputs& in, double scale,
                      const std::string& instructions) {
  const at::Tensor grad = with_unit_stride(grad_);
  TORCH_CHECK(grad.sizes() == in.q.sizes() && grad.scalar_type() == in.q.scalar_type(),
              "the gradient must have the shape and dtype of q");
  const at::Tensor dq = at::empty(in.q.sizes(), in.q.options());
  const at::Tensor dk = at::empty(in.q.sizes(), in.q.options());
  const at::Tensor dv = at::empty(in.q.sizes(), in.q.options());
  const bool has_bias = in.bias.defined();
  Problem<T> p = in.problem<T>(scale);
  p.grad = const_rows<T>(grad);
  p.dq = rows<T>(dq), p.dk = rows<T>(dk), p.dv = rows<T>(dv);
  p.slots = in.side ? std::min(kSlots, std::max<int64_t>(p.windows, 1)) : 1;
  std::vector<int64_t> shape{0};
  if (has_bias) shape = {p.slots, in.bias.size(0), in.bias.size(1), in.bias.size(2)};
  const at::Tensor dbias = at::zeros(shape, in.q.options().dtype(at::kFloat));
  std::vector<std::atomic<int64_t>> turn(BiasTurn::count(p.side, p.slots, p.heads, p.tokens));
  if (has_bias) {
    p.dbias = dbias.data_ptr<float>();
    p.turn = turn.data();
  }
  const Kernels<T>& kernels = choose<T>(p.head_dim, instructions);
  const bool whole = kept_share(in.bits) >= kernels.whole_from_backward;
  const Method<T>& method = whole ? kernels.whole : kernels.listed;
  for_each_window_and_head(
      p, method.scratch_bytes(p.tokens, true),
      [&](int64_t window, int64_t head, void* scratch) {
        method.backward(p, window, head, scratch);
      });
  return {dq, dk, dv, dbias};
}

template <class F>
auto with_element_type(const at::Tensor& q, const F& f) {
  switch (q.scalar_type()) {
    case at::kFloat:
      return f(float{});
    case at::kBFloat16:
      return f(BFloat16{});
    default:
      TORCH_CHECK(false, "float32 and bfloat16 are supported, not ", q.scalar_type());
  }
}

at::Tensor forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                   const at::Tensor& bits, const std::optional<at::Tensor>& bias, double scale,
                   const std::string& instructions) {
  const Inputs in(q, k, v, bits, bias);
  return with_element_type(q, [&](auto element) {
    return forward_of<decltype(element)>(in, scale, instructions);
  });
}

Gradients backward(const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k,
                   const at::Tensor& v, const at::Tensor& bits,
                   const std::optional<at::Tensor>& bias, double scale,
                   const std::string& instructions) {
  const Inputs in(q, k, v, bits, bias);
  return with_element_type(q, [&](auto element) {
    return backward_of<decltype(element)>(grad, in, scale, instructions);
  });
}

}  // namespace

TORCH_LIBRARY(semanir_native, library) {
  library.def("best_instructions() -> str", best_instructions);
  // `instructions` is "avx512" or "portable", and at most the best of this processor.
  library.def(
      "forward(Tensor q, Tensor k, Tensor v, Tensor bits, Tensor? bias, float scale, "
      "str instructions) -> Tensor",
      forward);
  library.def(
      "backward(Tensor grad, Tensor q, Tensor k, Tensor v, Tensor bits, Tensor? bias, float scale, "
      "str instructions) -> (Tensor, Tensor, Tensor, Tensor)",
      backward);
}

}  // namespace semanir
