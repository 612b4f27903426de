"""Train a network: python train.py -opt options/train/... [--auto_resume]."""

import sys

from semanir_arch.commands.launch import train

if __name__ == "__main__":
    sys.exit(train())
