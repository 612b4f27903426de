// Sixteen floats at a time: GCC's vector type, which compiles for any processor, and AVX-512
// intrinsics for the few operations the type does not express.
//
// Included by each kernel_*.cpp inside its own namespace and after its choice of instructions.

using Vec = float __attribute__((vector_size(64)));
using IntVec = int32_t __attribute__((vector_size(64)));
using BitVec = uint32_t __attribute__((vector_size(64)));

constexpr int kLanes = 16;

inline Vec load(const float* p) {
  Vec x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}

inline void store(float* p, Vec x) { __builtin_memcpy(p, &x, sizeof x); }

inline Vec broadcast(float x) { return x - Vec{}; }

// 32 bfloat16 numbers as the even and the odd ones, which costs two bit operations and no shuffle.
inline void split(BitVec x, Vec& even, Vec& odd) {
  even = (Vec)(x << 16);
  odd = (Vec)(x & 0xffff0000u);
}

// Round to nearest, ties to even; NaN stays NaN.
inline BitVec rounded_to_upper_half(Vec x) {
  const BitVec u = (BitVec)x;
  const BitVec rounded = u + 0x7fffu + ((u >> 16) & 1u);
  return x == x ? rounded : (u | 0x400000u);
}

inline BitVec join(Vec even, Vec odd) {
  return (rounded_to_upper_half(even) >> 16) | (rounded_to_upper_half(odd) & 0xffff0000u);
}

// The channels of a row, 16 per vector. Bfloat16 channels come as pairs of even and odd ones: sums
// over channels do not care, and `store_row` undoes it.
template <int V>
inline void load_row(const float* p, Vec (&row)[V]) {
  for (int c = 0; c < V; ++c) row[c] = load(p + kLanes * c);
}

template <int V>
inline void load_row(const BFloat16* p, Vec (&row)[V]) {
  for (int c = 0; c < V; c += 2) {
    BitVec x;
    __builtin_memcpy(&x, p + kLanes * c, sizeof x);
    split(x, row[c], row[c + 1]);
  }
}

template <int V>
inline void store_row(float* p, const Vec (&row)[V]) {
  for (int c = 0; c < V; ++c) store(p + kLanes * c, row[c]);
}

template <int V>
inline void store_row(BFloat16* p, const Vec (&row)[V]) {
  for (int c = 0; c < V; c += 2) {
    const BitVec x = join(row[c], row[c + 1]);
    __builtin_memcpy(p + kLanes * c, &x, sizeof x);
  }
}

// exp(x) for x <= 0 within 1.1 units in the last place; 0 below -87, where normal numbers end.
inline Vec exp(Vec x) {
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  const float kRound = 12582912.0f;
  const Vec shifted = x * 1.44269504f + kRound;
  const Vec n = shifted - kRound;
  const Vec r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const Vec power = (Vec)(((BitVec)shifted + 127u) << 23);
  return x < -87.0f ? Vec{} : p * power;
}

// The larger of each pair; NaN if b is.
inline Vec max(Vec a, Vec b) { return a > b ? a : b; }

inline float as_float(float x) { return x; }

inline float as_float(BFloat16 x) {
  const uint32_t bits = (uint32_t)x.bits << 16;
  float y;
  __builtin_memcpy(&y, &bits, sizeof y);
  return y;
}

#ifdef SEMANIR_AVX512

inline unsigned clamp(int64_t x, int64_t most) {
  return (unsigned)(x < 0 ? 0 : x > most ? most : x);
}

inline float sum(Vec x) { return _mm512_reduce_add_ps((__m512)x); }

inline float max(Vec x) { return _mm512_reduce_max_ps((__m512)x); }

// One bit per lane: its sign.
inline uint32_t signs(IntVec x) { return _mm512_movepi32_mask((__m512i)x); }

// Lane t of the result is the sum of row(t), which is called when it is needed, so that few vectors
// are alive at a time.
template <class Row>
inline Vec sums(Row row) {
  const auto four = [&](int t) {
    const auto two = [&](int s) {
      const __m512 a = (__m512)row(s), b = (__m512)row(s + 1);
      return _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    };
    const __m512d a = _mm512_castps_pd(two(t)), b = _mm512_castps_pd(two(t + 2));
    return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
  };
  const auto fold = [](__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
  };
  const __m512 low = fold(four(0), four(4));
  return (Vec)fold(low, fold(four(8), four(12)));
}

inline __m512 load_selected(const float* p, __mmask16 m) { return _mm512_maskz_loadu_ps(m, p); }

inline __m512 load_selected(const BFloat16* p, __mmask16 m) {
  const __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(m, p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

// List the set bits of a row: `stride` times their position, and what `values` holds there (if not
// null). Both lists need room for 16 entries more. The values that will be asked for next are
// `next_row` further. Returns how many there are.
template <class T>
inline int64_t collect(const uint32_t* bits, int64_t words, int32_t stride, const T* values,
                       int64_t next_row, int32_t* offsets, float* collected) {
  int64_t count = 0;
  const __m512i step = _mm512_set1_epi32(kLanes * stride);
  __m512i position = _mm512_mullo_epi32(
      _mm512_set1_epi32(stride),
      _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  for (int64_t half = 0; half < 2 * words; ++half) {
    const __mmask16 m = (__mmask16)(bits[half >> 1] >> (16 * (half & 1)));
    // To a register, then to memory: compressing into memory is microcode on some processors.
    _mm512_storeu_si512(offsets + count, _mm512_maskz_compress_epi32(m, position));
    if (values) {
      const T* p = values + kLanes * half;
      // Hardware prefetches stop at pages, and a row is about one.
      __builtin_prefetch(p + next_row);
      const __m512 x = load_selected(p, m);
      _mm512_storeu_ps(collected + count, _mm512_maskz_compress_ps(m, x));
    }
    count += __builtin_popcount(m);
    position = _mm512_add_epi32(position, step);
  }
  return count;
}

// Undo `collect`: add the listed numbers to what the row holds at its set bits. `width` is the
// length of the row, whose last vector may be incomplete.
inline void scatter_add(const uint32_t* bits, int64_t width, const float* list, float* row) {
  for (int64_t half = 0; kLanes * half < width; ++half) {
    const __mmask16 m = (__mmask16)(bits[half >> 1] >> (16 * (half & 1)));
    float* p = row + kLanes * half;
    const __m512 x = _mm512_maskz_expand_ps(m, _mm512_loadu_ps(list));
    if (kLanes * (half + 1) <= width) {
      _mm512_storeu_ps(p, _mm512_add_ps(_mm512_loadu_ps(p), x));
    } else {
      _mm512_mask_storeu_ps(p, m, _mm512_add_ps(_mm512_maskz_loadu_ps(m, p), x));
    }
    list += __builtin_popcount(m);
  }
}

// Rows in the caller's memory have `width` channels, ours whole vectors, filled with zeros.
template <int V>
inline void load_narrow(const float* p, int64_t width, Vec (&row)[V]) {
  for (int c = 0; c < V; ++c) {
    row[c] = (Vec)_mm512_maskz_loadu_ps(_bzhi_u32(0xffff, clamp(width - 16 * c, 16)), p + 16 * c);
  }
}

template <int V>
inline void load_narrow(const BFloat16* p, int64_t width, Vec (&row)[V]) {
  for (int c = 0; c < V; c += 2) {
    const __mmask32 m = _bzhi_u32(~0u, clamp(width - 16 * c, 32));
    const BitVec x = (BitVec)_mm512_maskz_loadu_epi16(m, p + 16 * c);
    split(x, row[c], row[c + 1]);
  }
}

template <int V>
inline void store_narrow(float* p, int64_t width, const Vec (&row)[V]) {
  for (int c = 0; c < V; ++c) {
    const __mmask16 m = _bzhi_u32(0xffff, clamp(width - 16 * c, 16));
    _mm512_mask_storeu_ps(p + 16 * c, m, (__m512)row[c]);
  }
}

template <int V>
inline void store_narrow(BFloat16* p, int64_t width, const Vec (&row)[V]) {
  for (int c = 0; c < V; c += 2) {
    const __mmask32 m = _bzhi_u32(~0u, clamp(width - 16 * c, 32));
    _mm512_mask_storeu_epi16(p + 16 * c, m, (__m512i)join(row[c], row[c + 1]));
  }
}

// At most 16 neighbours in their order, and zeros.
inline Vec load_part(const float* p, int64_t count) {
  return (Vec)load_selected(p, (__mmask16)_bzhi_u32(0xffff, clamp(count, 16)));
}

inline Vec load_part(const BFloat16* p, int64_t count) {
  return (Vec)load_selected(p, (__mmask16)_bzhi_u32(0xffff, clamp(count, 16)));
}

inline void store_part(float* p, int64_t count, Vec x) {
  _mm512_mask_storeu_ps(p, (__mmask16)_bzhi_u32(0xffff, clamp(count, 16)), (__m512)x);
}

inline void store_part(BFloat16* p, int64_t count, Vec x) {
  const __m512i upper = (__m512i)(rounded_to_upper_half(x) >> 16);
  _mm512_mask_cvtepi32_storeu_epi16(p, (__mmask16)_bzhi_u32(0xffff, clamp(count, 16)), upper);
}

// Of each lane a where the bit is set, else b.
inline Vec select(uint32_t bits, Vec a, Vec b) {
  return (Vec)_mm512_mask_blend_ps((__mmask16)bits, (__m512)b, (__m512)a);
}

#else

inline float sum(Vec x) {
  float lane[4];
  for (int i = 0; i < 4; ++i) lane[i] = (x[4 * i] + x[4 * i + 2]) + (x[4 * i + 1] + x[4 * i + 3]);
  return (lane[0] + lane[1]) + (lane[2] + lane[3]);
}

inline float max(Vec x) {
  float m = x[0];
  for (int i = 1; i < kLanes; ++i) m = m > x[i] ? m : x[i];
  return m;
}

inline uint32_t signs(IntVec x) {
  uint32_t bits = 0;
  for (int i = 0; i < kLanes; ++i) bits |= (uint32_t)(x[i] < 0) << i;
  return bits;
}

// As for AVX-512, in quarters.
template <class Row>
inline Vec sums(Row row) {
  using Quarter = float __attribute__((vector_size(16)));
  const auto lanes = [&](int t) {
    const Vec x = row(t);
    Quarter q[4];
    __builtin_memcpy(q, &x, sizeof x);
    return (q[0] + q[1]) + (q[2] + q[3]);
  };
  Quarter out[4];
  for (int t = 0; t < 4; ++t) {
    const Quarter a = lanes(4 * t), b = lanes(4 * t + 1);
    const Quarter ab = __builtin_shufflevector(a, b, 0, 4, 1, 5) +
                       __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const Quarter c = lanes(4 * t + 2), d = lanes(4 * t + 3);
    const Quarter cd = __builtin_shufflevector(c, d, 0, 4, 1, 5) +
                       __builtin_shufflevector(c, d, 2, 6, 3, 7);
    out[t] = __builtin_shufflevector(ab, cd, 0, 1, 4, 5) +
             __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
  }
  Vec all;
  __builtin_memcpy(&all, out, sizeof all);
  return all;
}

template <class T>
inline int64_t collect(const uint32_t* bits, int64_t words, int32_t stride, const T* values,
                       int64_t, int32_t* offsets, float* collected) {
  int64_t count = 0;
  for (int64_t word = 0; word < words; ++word) {
    for (uint32_t rest = bits[word]; rest; rest &= rest - 1) {
      const int64_t key = 32 * word + __builtin_ctz(rest);
      offsets[count] = (int32_t)key * stride;
      if (values) collected[count] = as_float(values[key]);
      ++count;
    }
  }
  return count;
}

inline void scatter_add(const uint32_t* bits, int64_t width, const float* list, float* row) {
  for (int64_t start = 0; start < width; start += 32) {
    for (uint32_t rest = bits[start / 32]; rest; rest &= rest - 1) {
      row[start + __builtin_ctz(rest)] += *list++;
    }
  }
}

template <class T, int V>
inline void load_narrow(const T* p, int64_t width, Vec (&row)[V]) {
  T padded[kLanes * V] = {};
  __builtin_memcpy(padded, p, width * sizeof(T));
  load_row(padded, row);
}

template <class T, int V>
inline void store_narrow(T* p, int64_t width, const Vec (&row)[V]) {
  T padded[kLanes * V];
  store_row(padded, row);
  __builtin_memcpy(p, padded, width * sizeof(T));
}

#endif

// Scores become exp(score - largest score); returns their sum. Whole vectors are read and written.
inline float exponentiate(float* x, int64_t count) {
  Vec largest = load(x);
  for (int64_t j = kLanes; j < count; j += kLanes) largest = max(largest, load(x + j));
  const float shift = max(largest);
  Vec total{};
  for (int64_t j = 0; j < count; j += kLanes) {
    const Vec e = exp(load(x + j) - shift);
    store(x + j, e);
    total += e;
  }
  return sum(total);
}
