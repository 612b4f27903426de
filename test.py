"""Test a network: python test.py -opt options/test/..."""

import sys

from semanir_arch.utils.threads import wait_idly

if __name__ == "__main__":
    wait_idly()
    from semanir_arch.commands.test import main

    sys.exit(main(sys.argv[1:]))
