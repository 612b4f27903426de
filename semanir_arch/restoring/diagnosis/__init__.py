"""What is wrong with a picture, measured without a network; and which network helps."""

from semanir_arch.restoring.diagnosis.choice import TaskChoice, choose
from semanir_arch.restoring.diagnosis.evenness import found_grain, measure_change, took_noise
from semanir_arch.restoring.diagnosis.findings import (
    Diagnosis,
    diagnose,
    diagnose_data,
    diagnose_file,
)

__all__ = [
    "Diagnosis",
    "TaskChoice",
    "choose",
    "diagnose",
    "diagnose_data",
    "diagnose_file",
    "found_grain",
    "measure_change",
    "took_noise",
]
