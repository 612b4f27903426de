// What a kernel is asked to do, in plain pointers: neither this file nor the kernels know torch.
//
// Legend: nW windows, h heads, N tokens per window, d channels per head.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

namespace semanir {

// bfloat16 is the upper half of a float.
struct BFloat16 {
  uint16_t bits;
};

// A tensor (nW, h, N, d) of elements T with unit stride in d; the other strides in elements.
template <class T>
struct Rows {
  T* data;
  int64_t window, head, token;

  T* at(int64_t w, int64_t h, int64_t i) const {
    return data + w * window + h * head + i * token;
  }
};

template <class T>
struct Problem {
  int64_t windows, heads, tokens, head_dim;
  float scale;
  Rows<const T> q, k, v;
  // (nW, N, ceil(N / 32)): key 32 j + b of a row is bit b of word j; spare bits are 0.
  const uint32_t* bits;
  // (h, N, N), or null; with `side` w, strips (h, w, (2w - 1) w) of windows of w x w tokens.
  const T* bias;
  int64_t side;
  // Forward only.
  Rows<T> out;
  // Backward only.
  Rows<const T> grad;
  Rows<T> dq, dk, dv;
  // Null without a bias; zero at the start. (h, N, N), or of strips `slots` times what the bias has:
  // window w adds to slot w % slots. Windows add in their order: see `BiasTurn`.
  float* dbias;
  int64_t slots;
  std::atomic<int64_t>* turn;

  int64_t words() const { return (tokens + 31) / 32; }

  // The bias of query i, and how far it is from there to that of the next one (in most cases).
  const T* bias_row(int64_t head, int64_t i) const {
    return bias ? bias + bias_offset(head, i) : nullptr;
  }
  int64_t bias_step() const { return side ? (2 * side - 1) * side : tokens; }

  float* dbias_row(int64_t window, int64_t head, int64_t i) const {
    const int64_t bias_size = heads * (side ? side : tokens) * bias_step();
    return dbias + window % slots * bias_size + bias_offset(head, i);
  }

 private:
  int64_t bias_offset(int64_t head, int64_t i) const {
    if (!side) return (head * tokens + i) * tokens;
    return (head * side + i % side) * bias_step() + (side - 1 - i / side) * side;
  }
};

// Rows whose gradients of scores are kept until it is their window's turn to be added to dbias.
inline int64_t rows_per_block(int64_t tokens) {
  const int64_t rows = 16384 / tokens;
  return rows < 1 ? 1 : rows > 64 ? 64 : rows;
}

// Blocks of rows of a window.
inline int64_t row_blocks(int64_t tokens) {
  const int64_t rows = rows_per_block(tokens);
  return (tokens + rows - 1) / rows;
}

// Who may add to the gradient of the bias, so that sums do not depend on the number of threads:
// windows in their order. Of a matrix each block of rows has a turn of its own. Rows of strips
// overlap, so a window keeps the turn of its slot and head from its first block to its last.
class BiasTurn {
 public:
  template <class T>
  BiasTurn(const Problem<T>& p, int64_t window, int64_t head, int64_t block)
      : last_(!p.side || block == row_blocks(p.tokens) - 1),
        turn_(p.turn[p.side ? window % p.slots * p.heads + head
                            : head * row_blocks(p.tokens) + block]),
        number_(window / p.slots) {
    while (turn_.load(std::memory_order_acquire) != number_) std::this_thread::yield();
  }
  ~BiasTurn() {
    if (last_) turn_.store(number_ + 1, std::memory_order_release);
  }

  static int64_t count(int64_t side, int64_t slots, int64_t heads, int64_t tokens) {
    return heads * (side ? slots : row_blocks(tokens));
  }

 private:
  const bool last_;
  std::atomic<int64_t>& turn_;
  const int64_t number_;
};

// One way to compute it, for one window and head.
template <class T>
struct Method {
  size_t (*scratch_bytes)(int64_t tokens, bool backward);
  void (*forward)(const Problem<T>&, int64_t window, int64_t head, void* scratch);
  void (*backward)(const Problem<T>&, int64_t window, int64_t head, void* scratch);
};

// The kernels for elements T and heads of some width: by lists of the kept keys, and over all keys
// of the window, which is faster from these shares of kept keys on.
template <class T>
struct Kernels {
  Method<T> listed, whole;
  double whole_from_forward, whole_from_backward;
};

// The k largest entries of each row of similarities are to be marked.
struct Selection {
  int64_t tokens, k;
  // (nW, N, N).
  const float* similarity;
  // (nW, N): keys of another group than the row's may not be chosen. Or null.
  const int64_t* groups;
  // (nW, N, ceil(N / 32)), as in `Problem`.
  uint32_t* bits;

  int64_t words() const { return (tokens + 31) / 32; }
};

// `kernels` returns the narrowest that fit; null if there are none. `select_rows` takes rows of all
// windows, and scratch memory of N numbers, rounded up to whole words.
#define SEMANIR_DECLARE_KERNELS(instructions)                                            \
  namespace instructions {                                                               \
  const Kernels<float>* kernels(float, int64_t head_dim);                                \
  const Kernels<BFloat16>* kernels(BFloat16, int64_t head_dim);                          \
  void select_rows(const Selection& s, int64_t first, int64_t last, int32_t* keys);      \
  }
SEMANIR_DECLARE_KERNELS(avx512)
SEMANIR_DECLARE_KERNELS(portable)

}  // namespace semanir
