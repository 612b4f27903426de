"""Restoring images with a trained network; works without BasicSR.

`Restorer` and `restore` are public names of `semanir_arch`.
"""
