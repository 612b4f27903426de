"""Command lines: arguments, exit codes and messages, nothing else."""
