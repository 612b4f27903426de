// Key-semantic attention of one window and head where many keys are kept, forward and backward.
//
// The scores of all keys are computed, sixteen at a time, and those that are not kept are masked:
// that is more to compute than with lists (attention.h), but there is nothing to gather, and
// several queries share what is loaded.
//
// A block of queries is taken through three passes over the keys: products, softmax, sums. Inside
// a pass a few keys stay in the first-level cache while all queries of the block use them.
//
// Included by kernel_avx512.cpp inside its namespace, after attention.h: vectors of four floats were
// four times slower at this than with lists.

template <class T, int V>
struct Whole {
  using Listed = Attention<T, V>;
  // Channels of a padded row.
  static constexpr int kWidth = kLanes * V;
  // Queries whose sums are held in registers.
  static constexpr int kRows = V <= 2 ? 4 : V <= 4 ? 2 : 1;
  // Keys of one word of bits.
  static constexpr int kWord = 2 * kLanes;

  static constexpr int64_t whole_groups(int64_t rows) { return (rows + kRows - 1) / kRows * kRows; }

  // Memory of one thread; all in float32.
  struct Scratch {
    int64_t rows;    // queries of a block, whole groups of kRows
    int64_t padded;  // keys, whole words
    // By sixteen keys, by channel: (padded / 16, head_dim, 16).
    float *keys_across, *values_across;
    // (padded, kWidth).
    float *keys, *values, *key_gradients, *value_gradients;
    // (rows, kWidth): scaled queries, gradients of the result, and the sums of a block.
    float *queries, *grads, *results;
    // (rows, padded).
    float *weights, *products;
    size_t bytes;

    Scratch(void* memory, int64_t tokens, bool backward)
        : rows(whole_groups(rows_per_block(tokens))),
          padded((tokens + kWord - 1) / kWord * kWord) {
      char* next = static_cast<char*>(memory);
      const auto take = [&](float*& pointer, int64_t count) {
        pointer = reinterpret_cast<float*>(next);
        next += (count * sizeof(float) + 63) / 64 * 64;
      };
      take(keys_across, padded * kWidth);
      take(values_across, backward ? padded * kWidth : 0);
      take(keys, backward ? padded * kWidth : 0);
      take(values, backward ? 0 : padded * kWidth);
      take(key_gradients, backward ? padded * kWidth : 0);
      take(value_gradients, backward ? padded * kWidth : 0);
      take(queries, rows * kWidth);
      take(grads, backward ? rows * kWidth : 0);
      take(results, rows * kWidth);
      take(weights, rows * padded);
      take(products, backward ? rows * padded : 0);
      bytes = next - static_cast<char*>(memory);
    }
  };

  // Enough for lists too, which take over where a number is not finite.
  static size_t scratch_bytes(int64_t tokens, bool backward) {
    const size_t listed = Listed::scratch_bytes(tokens, backward);
    const size_t whole = Scratch(nullptr, tokens, backward).bytes;
    return listed > whole ? listed : whole;
  }

  static void forward(const Problem<T>& p, int64_t window, int64_t head, void* memory) {
    const Scratch s(memory, p.tokens, false);
    bool finite = pack_across(p.k, p, window, head, s.keys_across, s.padded);
    finite &= pack_rows(p.v, p, window, head, 0, p.tokens, s.padded, 1.0f, s.values);
    if (!finite) return Listed::forward(p, window, head, memory);
    for (int64_t start = 0; start < p.tokens; start += s.rows) {
      const int64_t stop = start + s.rows < p.tokens ? start + s.rows : p.tokens;
      const int64_t rows = whole_groups(stop - start);
      // NaN in a query concerns that query alone.
      pack_rows(p.q, p, window, head, start, stop, rows, p.scale, s.queries);
      multiply(s.queries, rows, s.keys_across, p.head_dim, s.padded, s.weights);
      for (int64_t i = start; i < stop; ++i) {
        float* row = s.weights + (i - start) * s.padded;
        mask(p, window, head, i, s.padded, row);
        const float total = exponentiate(row, s.padded);
        scale_row(row, s.padded, 1.0f / total);
      }
      for (int64_t r = 0; r < rows * kWidth; r += kLanes) store(s.results + r, Vec{});
      for (int64_t j = 0; j < s.padded; j += kLanes) {
        for (int64_t r = 0; r < rows; r += kRows) add_values(s, r, j);
      }
      for (int64_t i = start; i < stop; ++i) {
        unpack_row(s.results + (i - start) * kWidth, p.head_dim, p.out.at(window, head, i));
      }
    }
  }

  static void backward(const Problem<T>& p, int64_t window, int64_t head, void* memory) {
    const Scratch s(memory, p.tokens, true);
    bool finite = pack_across(p.k, p, window, head, s.keys_across, s.padded);
    finite &= pack_across(p.v, p, window, head, s.values_across, s.padded);
    finite &= is_finite(p.q, p, window, head) && is_finite(p.grad, p, window, head);
    if (!finite) return Listed::backward(p, window, head, memory);
    pack_rows(p.k, p, window, head, 0, p.tokens, s.padded, 1.0f, s.keys);
    __builtin_memset(s.key_gradients, 0, s.padded * kWidth * sizeof(float));
    __builtin_memset(s.value_gradients, 0, s.padded * kWidth * sizeof(float));
    // The blocks of lists, so that windows take turns in the same order in both.
    const int64_t block = rows_per_block(p.tokens);
    for (int64_t b = 0; b < row_blocks(p.tokens); ++b) {
      const int64_t start = b * block;
      const int64_t stop = start + block < p.tokens ? start + block : p.tokens;
      const int64_t rows = whole_groups(stop - start);
      pack_rows(p.q, p, window, head, start, stop, rows, p.scale, s.queries);
      pack_rows(p.grad, p, window, head, start, stop, rows, 1.0f, s.grads);
      multiply(s.queries, rows, s.keys_across, p.head_dim, s.padded, s.weights);
      multiply(s.grads, rows, s.values_across, p.head_dim, s.padded, s.products);
      for (int64_t r = 0; r < rows; ++r) {
        float* row = s.weights + r * s.padded;
        if (start + r >= stop) {
          // rows that fill the last group
          __builtin_memset(row, 0, s.padded * sizeof(float));
          __builtin_memset(s.products + r * s.padded, 0, s.padded * sizeof(float));
          continue;
        }
        mask(p, window, head, start + r, s.padded, row);
        const float total = exponentiate(row, s.padded);
        differentiate(row, s.products + r * s.padded, s.padded, 1.0f / total);
      }
      for (int64_t r = 0; r < rows * kWidth; r += kLanes) store(s.results + r, Vec{});
      for (int64_t j = 0; j < s.padded; j += kLanes) {
        for (int64_t r = 0; r < rows; r += kRows) add_gradients(s, r, j);
      }
      for (int64_t i = start; i < stop; ++i) {
        float* row = s.results + (i - start) * kWidth;
        scale_row(row, kWidth, p.scale);
        unpack_row(row, p.head_dim, p.dq.at(window, head, i));
      }
      if (!p.dbias) continue;
      const BiasTurn turn(p, window, head, b);
      for (int64_t i = start; i < stop; ++i) {
        add_row(s.products + (i - start) * s.padded, p.tokens, p.dbias_row(window, head, i));
      }
    }
    for (int64_t j = 0; j < p.tokens; ++j) {
      unpack_row(s.key_gradients + j * kWidth, p.head_dim, p.dk.at(window, head, j));
      unpack_row(s.value_gradients + j * kWidth, p.head_dim, p.dv.at(window, head, j));
    }
  }

 private:
  // Copy rows `start` to `stop` of a window and head, times a factor, and fill up to `count` rows
  // with zeros. Returns whether all numbers are finite.
  static bool pack_rows(const Rows<const T>& from, const Problem<T>& p, int64_t window,
                        int64_t head, int64_t start, int64_t stop, int64_t count, float factor,
                        float* to) {
    Vec zeros{};
    for (int64_t i = 0; i < count; ++i) {
      for (int c = 0; c < V; ++c) {
        Vec x{};
        if (start + i < stop && kLanes * c < p.head_dim) {
          x = load_part(from.at(window, head, start + i) + kLanes * c, p.head_dim - kLanes * c);
        }
        zeros += x * 0.0f;
        store(to + i * kWidth + kLanes * c, x * factor);
      }
    }
    return sum(zeros) == 0.0f;
  }

  static bool is_finite(const Rows<const T>& from, const Problem<T>& p, int64_t window,
                        int64_t head) {
    Vec zeros{};
    for (int64_t i = 0; i < p.tokens; ++i) {
      for (int64_t c = 0; c < p.head_dim; c += kLanes) {
        zeros += load_part(from.at(window, head, i) + c, p.head_dim - c) * 0.0f;
      }
    }
    return sum(zeros) == 0.0f;
  }

  // Copy all rows with sixteen keys as neighbours; keys beyond the last are zeros.
  static bool pack_across(const Rows<const T>& from, const Problem<T>& p, int64_t window,
                          int64_t head, float* to, int64_t padded) {
    float zeros = 0.0f;
    for (int64_t j = 0; j < padded; ++j) {
      float* column = to + j / kLanes * kLanes * p.head_dim + j % kLanes;
      if (j >= p.tokens) {
        for (int64_t c = 0; c < p.head_dim; ++c) column[kLanes * c] = 0.0f;
        continue;
      }
      const T* row = from.at(window, head, j);
      for (int64_t c = 0; c < p.head_dim; ++c) {
        const float x = as_float(row[c]);
        zeros += x * 0.0f;
        column[kLanes * c] = x;
      }
    }
    return zeros == 0.0f;
  }

  static void unpack_row(const float* from, int64_t head_dim, T* to) {
    for (int64_t c = 0; c < head_dim; c += kLanes) store_part(to + c, head_dim - c, load(from + c));
  }

  // Products of the first `count` rows with all keys: (count, padded).
  static void multiply(const float* rows, int64_t count, const float* across, int64_t head_dim,
                       int64_t padded, float* products) {
    for (int64_t j = 0; j < padded; j += kWord) {
      const float* first = across + j * head_dim;
      const float* second = first + kLanes * head_dim;
      for (int64_t r = 0; r < count; r += kRows) {
        const float* x = rows + r * kWidth;
        Vec low[kRows] = {}, high[kRows] = {};
        for (int64_t c = 0; c < head_dim; ++c) {
          const Vec a = load(first + kLanes * c), b = load(second + kLanes * c);
          for (int t = 0; t < kRows; ++t) {
            low[t] += x[t * kWidth + c] * a;
            high[t] += x[t * kWidth + c] * b;
          }
        }
        for (int t = 0; t < kRows; ++t) {
          store(products + (r + t) * padded + j, low[t]);
          store(products + (r + t) * padded + j + kLanes, high[t]);
        }
      }
    }
  }

  // Add the bias of row i, and make the scores of keys that are not kept -inf.
  static void mask(const Problem<T>& p, int64_t window, int64_t head, int64_t i, int64_t padded,
                   float* scores) {
    const uint32_t* bits = p.bits + (window * p.tokens + i) * p.words();
    const T* bias = p.bias_row(head, i);
    const Vec excluded = broadcast(-__builtin_inff());
    for (int64_t j = 0; j < padded; j += kLanes) {
      Vec x = load(scores + j);
      if (bias && j < p.tokens) {
        x += load_part(bias + j, p.tokens - j);
        // As in lists: the next row is about a page away.
        __builtin_prefetch(bias + j + p.bias_step());
      }
      store(scores + j, select(bits[j / kWord] >> (j % kWord), x, excluded));
    }
  }

  // With P the weights and dP = dO V^T, the gradient of the scores is P (dP - sum_j P dP); it
  // replaces dP.
  static void differentiate(float* weights, float* products, int64_t padded, float factor) {
    Vec parts{};
    for (int64_t j = 0; j < padded; j += kLanes) {
      const Vec weight = load(weights + j) * factor;
      store(weights + j, weight);
      parts += weight * load(products + j);
    }
    const float mean = sum(parts);
    for (int64_t j = 0; j < padded; j += kLanes) {
      store(products + j, load(weights + j) * (load(products + j) - mean));
    }
  }

  static void scale_row(float* x, int64_t count, float factor) {
    for (int64_t j = 0; j < count; j += kLanes) store(x + j, load(x + j) * factor);
  }

  static void add_row(const float* x, int64_t count, float* to) {
    for (int64_t j = 0; j < count; j += kLanes) {
      store_part(to + j, count - j, load_part(to + j, count - j) + load(x + j));
    }
  }

  // Add sixteen keys' values, times their weights, to the results of a group of rows.
  static void add_values(const Scratch& s, int64_t r, int64_t j) {
    Vec sums[kRows][V];
    float* results = s.results + r * kWidth;
    for (int t = 0; t < kRows; ++t) load_row(results + t * kWidth, sums[t]);
    for (int key = 0; key < kLanes; ++key) {
      Vec value[V];
      load_row(s.values + (j + key) * kWidth, value);
      for (int t = 0; t < kRows; ++t) {
        const float weight = s.weights[(r + t) * s.padded + j + key];
        for (int c = 0; c < V; ++c) sums[t][c] += weight * value[c];
      }
    }
    for (int t = 0; t < kRows; ++t) store_row(results + t * kWidth, sums[t]);
  }

  // Of sixteen keys and a group of rows: add to the gradients of the queries, keys and values.
  static void add_gradients(const Scratch& s, int64_t r, int64_t j) {
    Vec query[kRows][V], grad[kRows][V], sums[kRows][V];
    float* results = s.results + r * kWidth;
    for (int t = 0; t < kRows; ++t) {
      load_row(s.queries + (r + t) * kWidth, query[t]);
      load_row(s.grads + (r + t) * kWidth, grad[t]);
      load_row(results + t * kWidth, sums[t]);
    }
    for (int key = 0; key < kLanes; ++key) {
      const int64_t place = (j + key) * kWidth;
      Vec row[V], dkey[V], dvalue[V];
      load_row(s.keys + place, row);
      load_row(s.key_gradients + place, dkey);
      load_row(s.value_gradients + place, dvalue);
      for (int t = 0; t < kRows; ++t) {
        const float weight = s.weights[(r + t) * s.padded + j + key];
        const float ds = s.products[(r + t) * s.padded + j + key];
        for (int c = 0; c < V; ++c) {
          sums[t][c] += ds * row[c];
          dkey[c] += ds * query[t][c];
          dvalue[c] += weight * grad[t][c];
        }
      }
      store_row(s.key_gradients + place, dkey);
      store_row(s.value_gradients + place, dvalue);
    }
    for (int t = 0; t < kRows; ++t) store_row(results + t * kWidth, sums[t]);
  }
};
