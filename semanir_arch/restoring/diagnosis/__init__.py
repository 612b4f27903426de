"""What is wrong with a picture, measured without a network; and which network helps."""

from semanir_arch.restoring.diagnosis.choice import Choice, choose
from semanir_arch.restoring.diagnosis.findings import Diagnosis, diagnose, diagnose_file

__all__ = ["Choice", "Diagnosis", "choose", "diagnose", "diagnose_file"]
