"""The toolkit in BasicSR: `import semanir_arch.plugin` is all that a script of BasicSR's needs.

It registers networks, data sets, models, losses and metrics, and prepares BasicSR's own pipelines
for them. Before or after the script imports BasicSR makes no difference, where BasicSR can be
imported without help; with a torchvision from 0.17 on it cannot, and the plugin comes first.
"""

from __future__ import annotations

from semanir_arch.registration import ENTRIES, register
from semanir_arch.training import plain

__all__ = ["ENTRIES", "register"]

plain.install()
