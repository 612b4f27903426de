"""Train a network: python train.py -opt options/train/... [--auto_resume]."""

import sys

from semanir_arch.utils.threads import wait_idly

if __name__ == "__main__":
    wait_idly()
    from semanir_arch.commands.train import main

    sys.exit(main(sys.argv[1:]))
