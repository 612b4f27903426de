"""Packaging of semanir_arch; needs neither torch nor BasicSR to build.

BasicSR is no requirement: its newest release (1.4.2) builds only where torch is already
installed and demands the abandoned tb-nightly. `make install` installs it without either problem;
networks, metrics and `semanir-restore` work without it.
"""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def read_version() -> str:
    """Reads the version from its one home, without importing the package."""
    text = (ROOT / "semanir_arch" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if match is None:
        raise ValueError('semanir_arch/__init__.py has no line __version__ = "..."')
    return match.group(1)


setup(
    name="semanir-arch",
    version=read_version(),
    description="SemanIR (Key-Graph Transformer) for image restoration, in BasicSR's conventions",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE", "THIRD_PARTY.md"],
    python_requires=">=3.10",
    packages=find_packages(include=["semanir_arch", "semanir_arch.*"]),
    package_data={
        "semanir_arch": [
            "py.typed",
            "restoring/*/page_files/*",
            "ops/native/csrc/*",
            "report/page_files/*",
            "report/published.yml",
            "weights/*.json",
            "weights/*.safetensors",
        ]
    },
    install_requires=[
        "jinja2>=3.1",  # pages
        "numpy>=2.0",
        # the build without windows: it needs no libGL, and nothing here opens a window
        "opencv-python-headless>=4.10",
        "pillow>=11.0",
        "pyyaml>=6.0",
        "safetensors>=0.4",
        "torch>=2.8",
        "tqdm>=4.64",
    ],
    extras_require={
        # what BasicSR 1.4.2 imports; install BasicSR itself afterwards, see constraints.txt
        "train": [
            "isal>=1.7",  # writes PNG patches several times faster
            "lmdb>=1.5",
            "requests>=2.28",
            "scikit-image>=0.24",
            "scipy>=1.13",
            "tensorboard>=2.21",
            "torchvision>=0.23",
        ],
        # semanir-restore --serve
        "serve": ["starlette>=1.0", "uvicorn>=0.40"],
        # python -m semanir_arch.restoring.export to ONNX, and its check
        "export": ["onnx>=1.20", "onnxruntime>=1.23", "onnxscript>=0.6"],
        # LPIPS, and the files of the DND benchmark
        "metrics": ["h5py>=3.12", "lpips>=0.1.4"],
        "test": [
            "hypothesis>=6.100",
            "mypy>=1.14",
            "ninja>=1.11",  # compiles the native attention kernels
            "pre-commit>=4.0",
            "pytest>=8.0",
            "pytest-xdist>=3.6",
            "ruff>=0.9",
            "selenium>=4.30",  # looks at the pages in Debian's Chromium
        ],
    },
    entry_points={"console_scripts": ["semanir-restore = semanir_arch.restoring.cli:main"]},
    classifiers=[
        "License :: OSI Approved :: Apache Software License",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Image Processing",
        "Typing :: Typed",
    ],
)
