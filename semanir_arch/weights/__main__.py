"""`python -m semanir_arch.weights` trains, scores and lists shipped networks."""

import runpy

runpy.run_module("semanir_arch.commands.weights", run_name="__main__")
