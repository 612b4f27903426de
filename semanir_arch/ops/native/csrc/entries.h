// What each kernel_*.cpp offers: included inside its own namespace.

void select_rows(const Selection& s, int64_t first, int64_t last, int32_t* keys) {
  for (int64_t row = first; row < last; ++row) select_row(s, row, keys);
}

template <class T, int V>
const Kernels<T>* kernels_of_width() {
  using L = Attention<T, V>;
  static constexpr Method<T> kListed{L::scratch_bytes, L::forward, L::backward};
#ifdef SEMANIR_AVX512
  using W = Whole<T, V>;
  static constexpr Method<T> kWhole{W::scratch_bytes, W::forward, W::backward};
  // Measured: docs/ops_measurements.md.
  constexpr double forward = V <= 4 ? 0.4 : 0.6, backward = V <= 4 ? 0.48 : 0.7;
  static constexpr Kernels<T> kernels{kListed, kWhole, forward, backward};
#else
  static constexpr Kernels<T> kernels{kListed, kListed, 1.0, 1.0};
#endif
  return &kernels;
}

const Kernels<float>* kernels(float, int64_t head_dim) {
  if (head_dim <= 16) return kernels_of_width<float, 1>();
  if (head_dim <= 32) return kernels_of_width<float, 2>();
  if (head_dim <= 48) return kernels_of_width<float, 3>();
  if (head_dim <= 64) return kernels_of_width<float, 4>();
  if (head_dim <= 128) return kernels_of_width<float, 8>();
  return nullptr;
}

// Bfloat16 rows are pairs of vectors.
const Kernels<BFloat16>* kernels(BFloat16, int64_t head_dim) {
  if (head_dim <= 32) return kernels_of_width<BFloat16, 2>();
  if (head_dim <= 64) return kernels_of_width<BFloat16, 4>();
  if (head_dim <= 128) return kernels_of_width<BFloat16, 8>();
  return nullptr;
}
