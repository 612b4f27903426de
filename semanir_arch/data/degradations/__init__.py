"""Degradations as pure functions: image, parameters and generator in, degraded image out.

The same arguments and a generator in the same state give the same result; no other state is read or
changed. One module each, which also declares its `DAMAGE`: name, help, settings with limits and
defaults, and what is done to an image (`damage`). `damages` lists them.

- `noise`, `jpeg`, `bayer`, `bicubic`: as in the papers whose tasks they make
- `motion`, `defocus` (kernels for `blur`), `rain`, `snow`, `raindrops`, `low_light`: demonstrations
  for tasks without real pairs at hand. They look like the real thing, but a network trained on them
  is no match for one trained on it.
- `second_order`, `shuffled`: the recipes of Real-ESRGAN and BSRGAN, of what `blur_kernels`,
  `resampling`, `noise_kinds`, `codecs` and `camera` hold. `exposure`, `old_photograph`:
  demonstrations of many parts. These take (H, W, C) arrays and NumPy's randomness.
"""

from semanir_arch.data.degradations.blur import blur
from semanir_arch.data.degradations.defocus import disc_kernel
from semanir_arch.data.degradations.jpeg import compress_jpeg, compress_jpeg_region
from semanir_arch.data.degradations.low_light import low_light
from semanir_arch.data.degradations.motion import motion_kernel
from semanir_arch.data.degradations.noise import (
    MAX_SIGMA,
    NOISE_CONVENTIONS,
    gaussian_noise,
    noise_of_testset,
)
from semanir_arch.data.degradations.rain import rain_streaks
from semanir_arch.data.degradations.raindrops import raindrops
from semanir_arch.data.degradations.snow import snow

__all__ = [
    "MAX_SIGMA",
    "NOISE_CONVENTIONS",
    "blur",
    "compress_jpeg",
    "compress_jpeg_region",
    "disc_kernel",
    "gaussian_noise",
    "low_light",
    "motion_kernel",
    "noise_of_testset",
    "rain_streaks",
    "raindrops",
    "snow",
]
