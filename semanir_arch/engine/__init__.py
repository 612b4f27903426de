"""Runs a training or a test: options, BasicSR's pipeline with its repairs, messages, results."""
