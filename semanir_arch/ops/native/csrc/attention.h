// Key-semantic attention of one window and head by lists of the kept keys, forward and backward.
//
// A query touches only its kept keys: their scores are dot products with gathered rows of K, and
// their values gathered rows of V. A row of K and the same row of V are neighbours in the scratch
// memory, padded to whole vectors.
//
// Included by each kernel_*.cpp inside its own namespace, after vec.h.

template <class T, int V>
struct Attention {
  // Channels of a padded row, and elements from one key's rows (K, then V) to the next key's.
  static constexpr int kWidth = kLanes * V;
  static constexpr int kStride = 2 * kWidth;

  // Memory of one thread.
  struct Scratch {
    // (N, 2, kWidth): K and V, and in the backward their gradients.
    T* keys_values;
    float* gradients;
    // Lists over the kept keys of a row, with room to write whole vectors beyond the last.
    int32_t* offsets;
    float* weights;
    float* products;
    // (rows_per_block, list) gradients of the scores.
    float* score_gradients;
    int64_t list;
    size_t bytes;

    Scratch(void* memory, int64_t tokens, bool backward)
        : list((tokens + 2 * kLanes + 15) / 16 * 16) {
      char* next = static_cast<char*>(memory);
      const auto take = [&](auto*& pointer, size_t count) {
        pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(next);
        next += (count * sizeof(*pointer) + 63) / 64 * 64;
      };
      take(keys_values, tokens * kStride);
      take(offsets, list);
      take(weights, list);
      take(gradients, backward ? tokens * kStride : 0);
      take(products, backward ? list : 0);
      take(score_gradients, backward ? rows_per_block(tokens) * list : 0);
      bytes = next - static_cast<char*>(memory);
    }
  };

  static size_t scratch_bytes(int64_t tokens, bool backward) {
    return Scratch(nullptr, tokens, backward).bytes;
  }

  static void forward(const Problem<T>& p, int64_t window, int64_t head, void* memory) {
    const Scratch scratch(memory, p.tokens, false);
    pack(p, window, head, scratch.keys_values);
    for (int64_t i = 0; i < p.tokens; ++i) {
      Vec q[V], out[V];
      load_narrow(p.q.at(window, head, i), p.head_dim, q);
      const int64_t count = list_row(p, window, head, i, scratch);
      score(q, p, scratch, count);
      const float total = exponentiate(scratch.weights, count);
      accumulate(scratch.keys_values + kWidth, scratch.offsets, scratch.weights, count, out);
      for (int c = 0; c < V; ++c) out[c] *= 1.0f / total;
      store_narrow(p.out.at(window, head, i), p.head_dim, out);
    }
  }

  static void backward(const Problem<T>& p, int64_t window, int64_t head, void* memory) {
    const Scratch scratch(memory, p.tokens, true);
    pack(p, window, head, scratch.keys_values);
    __builtin_memset(scratch.gradients, 0, p.tokens * kStride * sizeof(float));
    const int64_t rows = rows_per_block(p.tokens);
    for (int64_t block = 0; block < row_blocks(p.tokens); ++block) {
      const int64_t start = block * rows;
      const int64_t stop = start + rows < p.tokens ? start + rows : p.tokens;
      for (int64_t i = start; i < stop; ++i) {
        float* ds = scratch.score_gradients + (i - start) * scratch.list;
        backward_row(p, window, head, i, scratch, ds);
      }
      if (!p.dbias) continue;
      const BiasTurn turn(p, window, head, block);
      for (int64_t i = start; i < stop; ++i) {
        add_to_bias(p, window, head, i, scratch.score_gradients + (i - start) * scratch.list);
      }
    }
    for (int64_t j = 0; j < p.tokens; ++j) {
      Vec row[V];
      load_row(scratch.gradients + j * kStride, row);
      store_narrow(p.dk.at(window, head, j), p.head_dim, row);
      load_row(scratch.gradients + j * kStride + kWidth, row);
      store_narrow(p.dv.at(window, head, j), p.head_dim, row);
    }
  }

 private:
  // With P the weights and dP = dO V^T, the gradient of the scores is P (dP - sum_j P dP).
  static void backward_row(const Problem<T>& p, int64_t window, int64_t head, int64_t i,
                           const Scratch& scratch, float* ds) {
    Vec q[V], grad[V], dq[V];
    load_narrow(p.q.at(window, head, i), p.head_dim, q);
    load_narrow(p.grad.at(window, head, i), p.head_dim, grad);
    const int64_t count = list_row(p, window, head, i, scratch);
    score(q, p, scratch, count);
    const float total = exponentiate(scratch.weights, count);
    Vec mean_parts{};
    for (int64_t j = 0; j < count; j += kLanes) {
      const Vec weight = load(scratch.weights + j) * (1.0f / total);
      const Vec product = dots(grad, scratch.keys_values + kWidth, scratch.offsets + j);
      store(scratch.weights + j, weight);
      store(scratch.products + j, product);
      // The rows that fill the last vector are not kept: whatever they hold must not count.
      mean_parts += weight > 0.0f ? weight * product : Vec{};
    }
    const float mean = sum(mean_parts);
    for (int64_t j = 0; j < count; j += kLanes) {
      store(ds + j, load(scratch.weights + j) * (load(scratch.products + j) - mean));
    }
    accumulate(scratch.keys_values, scratch.offsets, ds, count, dq);
    for (int c = 0; c < V; ++c) {
      dq[c] *= p.scale;
      q[c] *= p.scale;
    }
    store_narrow(p.dq.at(window, head, i), p.head_dim, dq);
    for (int64_t j = 0; j < count; ++j) {
      float* key = scratch.gradients + scratch.offsets[j];
      for (int c = 0; c < V; ++c) store(key + kLanes * c, load(key + kLanes * c) + ds[j] * q[c]);
      float* value = key + kWidth;
      const float weight = scratch.weights[j];
      for (int c = 0; c < V; ++c) {
        store(value + kLanes * c, load(value + kLanes * c) + weight * grad[c]);
      }
    }
  }

  static void add_to_bias(const Problem<T>& p, int64_t window, int64_t head, int64_t i,
                          const float* ds) {
    const uint32_t* bits = p.bits + (window * p.tokens + i) * p.words();
    scatter_add(bits, p.tokens, ds, p.dbias_row(window, head, i));
  }

  static void pack(const Problem<T>& p, int64_t window, int64_t head, T* keys_values) {
    for (int64_t j = 0; j < p.tokens; ++j) {
      Vec row[V];
      load_narrow(p.k.at(window, head, j), p.head_dim, row);
      store_row(keys_values + j * kStride, row);
      load_narrow(p.v.at(window, head, j), p.head_dim, row);
      store_row(keys_values + j * kStride + kWidth, row);
    }
  }

  // Fill the lists of row i: the offsets of its kept keys, and as their weights for now their bias.
  static int64_t list_row(const Problem<T>& p, int64_t window, int64_t head, int64_t i,
                          const Scratch& scratch) {
    const uint32_t* bits = p.bits + (window * p.tokens + i) * p.words();
    const int64_t count = collect(bits, p.words(), kStride, p.bias_row(head, i), p.bias_step(),
                                  scratch.offsets, scratch.weights);
    for (int t = 0; t < kLanes; ++t) scratch.offsets[count + t] = 0;
    return count;
  }

  // Turn the bias of the kept keys into their scores; -inf fills the last vector.
  static void score(const Vec (&q)[V], const Problem<T>& p, const Scratch& scratch, int64_t count) {
    for (int64_t j = 0; j < count; j += kLanes) {
      const Vec s = dots(q, scratch.keys_values, scratch.offsets + j) * p.scale;
      store(scratch.weights + j, p.bias ? s + load(scratch.weights + j) : s);
    }
    store(scratch.weights + count, broadcast(-__builtin_inff()));
  }

  // Products of one row with the 16 rows at the offsets.
  static Vec dots(const Vec (&x)[V], const T* rows, const int32_t* offsets) {
    return sums([&](int t) {
      Vec row[V];
      load_row(rows + offsets[t], row);
      Vec y = x[0] * row[0];
      for (int c = 1; c < V; ++c) y += x[c] * row[c];
      return y;
    });
  }

  // The sum of the rows at the offsets, times their weights.
  static void accumulate(const T* rows, const int32_t* offsets, const float* weights, int64_t count,
                         Vec (&out)[V]) {
    // Several sums side by side hide the latency of an addition.
    constexpr int kSums = V <= 2 ? 4 : V <= 4 ? 2 : 1;
    Vec parts[kSums][V] = {};
    const auto add = [&](int64_t j, Vec (&part)[V]) {
      Vec row[V];
      load_row(rows + offsets[j], row);
      for (int c = 0; c < V; ++c) part[c] += weights[j] * row[c];
    };
    int64_t j = 0;
    for (; j + kSums <= count; j += kSums) {
      for (int s = 0; s < kSums; ++s) add(j + s, parts[s]);
    }
    for (; j < count; ++j) add(j, parts[0]);
    for (int c = 0; c < V; ++c) {
      out[c] = parts[0][c];
      for (int s = 1; s < kSums; ++s) out[c] += parts[s][c];
    }
  }
};
