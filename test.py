"""Test a network: python test.py -opt options/test/..."""

import sys

from semanir_arch.commands.launch import test

if __name__ == "__main__":
    sys.exit(test())
