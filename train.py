"""Train a network: python train.py -opt options/train/... [--auto_resume]."""

import sys

from semanir_arch.engine.train import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
