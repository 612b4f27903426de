"""Commands: arguments, exit codes and messages. `python -m semanir_arch` lists them."""
