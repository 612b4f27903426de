"""Networks that come with the package: what they are for, where they are, how good they are.

Each shipped network is two files here: `<task>.safetensors`, weights in half precision with the
options that rebuild the network, and `<task>.json`, the record of its training with the scores that
`test.py` measured. `python -m semanir_arch.weights` trains, scores and lists them; see
docs/weights.md.
"""

from __future__ import annotations

from semanir_arch.tasks import NETWORK_TASKS as TASKS
from semanir_arch.tasks import Task, get_task
from semanir_arch.weights.catalogue import Score, ShippedWeights, available, find

__all__ = ["TASKS", "Score", "ShippedWeights", "Task", "available", "find", "get_task"]
