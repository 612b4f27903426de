"""`python -m semanir_arch.metrics` scores folders of images."""

import runpy

runpy.run_module("semanir_arch.commands.score", run_name="__main__")
