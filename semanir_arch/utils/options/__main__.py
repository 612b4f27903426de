"""`python -m semanir_arch.utils.options` prints complete option files."""

import runpy

runpy.run_module("semanir_arch.commands.options", run_name="__main__")
