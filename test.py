"""Test a network: python test.py -opt options/test/..."""

import sys

from semanir_arch.engine.test import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
