"""What can be started from a terminal: arguments, messages and exit codes, and nothing else."""
