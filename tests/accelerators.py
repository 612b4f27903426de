"""Stand-ins for what torch reports of a machine with an accelerator."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

NAMES = {"cuda": "NVIDIA H100", "xpu": "Intel Arc", "mps": None}


class Machine:
    """Makes torch report an accelerator; the module of its device notes what is called.

    Attributes:
        calls: Name of each function and its arguments.
    """

    def __init__(self, monkeypatch):
        self._set = monkeypatch.setattr
        self.calls = []

    def has(self, kind, count=1, works=True):
        """Report `count` devices of a type, or one that torch is built for but cannot use."""
        accelerator = torch.accelerator
        self._set(accelerator, "current_accelerator", lambda *_, **__: torch.device(kind))
        self._set(accelerator, "is_available", lambda: works)
        self._set(accelerator, "device_count", lambda: count if works else 0)
        self._set(accelerator, "synchronize", lambda *_: self._note("synchronize"))
        self._set(torch, "get_device_module", lambda *_: self._module(kind, works))

    def _note(self, *call):
        self.calls.append(call)

    def _module(self, kind, works):
        functions = {"empty_cache": (), "manual_seed": (), "is_available": works}
        if kind != "mps":
            functions |= {"manual_seed_all": (), "is_initialized": works}
            functions |= {"get_device_name": NAMES.get(kind), "max_memory_reserved": 3 * 2**30}
            properties = SimpleNamespace(total_memory=8 * 2**30, major=9, minor=0)
            functions["get_device_properties"] = properties

        def noting(name, answer):
            def call(*arguments):
                self._note(name, *arguments)
                return answer

            return call

        return SimpleNamespace(**{n: noting(n, answer) for n, answer in functions.items()})


@pytest.fixture
def accelerators(monkeypatch):
    """A machine whose accelerator the test chooses with `accelerators.has`."""
    return Machine(monkeypatch)
