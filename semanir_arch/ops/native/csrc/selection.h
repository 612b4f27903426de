// The selection of the largest entries of a row of similarities.
//
// Included by each kernel_*.cpp inside its own namespace, after vec.h.

// Floats as integers of the same order; adding 0 makes -0.0 the equal of 0.0.
inline IntVec ordered(Vec x) {
  const IntVec bits = (IntVec)(x + 0.0f);
  return bits ^ ((bits >> 31) & 0x7fffffff);
}

inline IntVec load(const int32_t* p) {
  IntVec x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}

inline int32_t count_above(const int32_t* keys, int64_t size, int32_t limit) {
  int32_t count = 0;
  for (int64_t j = 0; j < size; ++j) count += keys[j] > limit;
  return count;
}

// Fill a row's keys, whole words of them, and the bits of those that may be chosen; the others get
// the lowest key. Returns how many may be chosen, and the range of the keys.
inline int64_t read_row(const Selection& s, int64_t row, int32_t* keys, uint32_t* eligible,
                        int32_t& lowest, int32_t& highest) {
  const float* x = s.similarity + row * s.tokens;
  const int64_t* groups = s.groups ? s.groups + row / s.tokens * s.tokens : nullptr;
  int64_t count = 0;
  IntVec least = IntVec{} + INT32_MAX, most = IntVec{} + INT32_MIN;
  for (int64_t j = 0; j < 32 * s.words(); j += kLanes) {
    const int64_t width = s.tokens - j < kLanes ? s.tokens - j : kLanes;
    IntVec inside = IntVec{} - 1;
    Vec value[1];
    if (width == kLanes) {
      load_row(x + j, value);
    } else {
      for (int t = 0; t < kLanes; ++t) inside[t] = -(t < width);
      load_narrow(x + j, width < 0 ? 0 : width, value);
    }
    if (groups) {
      for (int t = 0; t < width; ++t) inside[t] = -(groups[j + t] == groups[row % s.tokens]);
    }
    const IntVec key = ordered(value[0]);
    const IntVec kept = inside ? key : IntVec{} + INT32_MIN;
    __builtin_memcpy(keys + j, &kept, sizeof kept);
    least = inside & (key < least) ? key : least;
    most = kept > most ? kept : most;
    const uint32_t bits = signs(inside);
    eligible[j / 32] = j % 32 ? eligible[j / 32] | bits << 16 : bits;
    count += __builtin_popcount(bits);
  }
  lowest = least[0], highest = most[0];
  for (int t = 1; t < kLanes; ++t) {
    lowest = least[t] < lowest ? least[t] : lowest;
    highest = most[t] > highest ? most[t] : highest;
  }
  return count;
}

// Set the bits of the k largest entries of a row, equal ones in order of index; of all that may be
// chosen, if there are fewer. `keys` has room for whole words.
inline void select_row(const Selection& s, int64_t row, int32_t* keys) {
  uint32_t* bits = s.bits + row * s.words();
  const int64_t size = 32 * s.words();
  int32_t low, high;
  // `bits` says for now what may be chosen.
  if (read_row(s, row, keys, bits, low, high) <= s.k) return;
  // The k-th largest key lies in [low, high]. `spare` of those that equal it are chosen.
  int64_t above = -1;
  while (low < high) {
    const int32_t middle = (low & high) + ((low ^ high) >> 1);
    const int64_t count = count_above(keys, size, middle);
    if (count == s.k) {
      low = high = middle;
      above = count;
    } else if (count > s.k) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (above < 0) above = count_above(keys, size, low);
  int64_t spare = s.k - above;
  for (int64_t word = 0; word < s.words(); ++word) {
    const IntVec first = load(keys + 32 * word), second = load(keys + 32 * word + kLanes);
    uint32_t chosen = signs(first > low) | signs(second > low) << 16;
    if (spare) {
      uint32_t tied = (signs(first == low) | signs(second == low) << 16) & bits[word];
      for (; tied && spare; --spare, tied &= tied - 1) chosen |= tied & -tied;
    }
    bits[word] = chosen;
  }
}
