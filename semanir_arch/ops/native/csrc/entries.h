// What each kernel_*.cpp offers: included inside its own namespace.

void select_rows(const Selection& s, int64_t first, int64_t last, int32_t* keys) {
  for (int64_t row = first; row < last; ++row) select_row(s, row, keys);
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
