"""Small files that ask for much: one message within seconds."""

from __future__ import annotations

import json
import time
import zipfile

import pytest
import torch

from semanir_arch.restoring.loading import load_network
from semanir_arch.utils.checkpoint import load_checkpoint, save_checkpoint
from semanir_arch.utils.options import OptionError, resolve
from semanir_arch.utils.options.yaml_reading import parse_value
from semanir_arch.utils.tensor_file import write_tensors
from tests.each import each

SECONDS = 5
"""Bound of every case; most take a hundredth of one."""

BASE = {
    "type": "SemanIR",
    "upscale": 1,
    "embed_dim": 24,
    "depths": [1],
    "num_heads": [2],
    "window_size": 8,
    "k": 16,
    "bias_dim": 16,
}


def nested(depth, inner=1):
    for _ in range(depth):
        inner = [inner]
    return inner


def endless():
    """A list that contains itself, as a pickle may."""
    value = []
    value.append(value)
    return value


RECORDS = {
    "a billion layers": BASE | {"depths": [10**9]},
    "many stages": BASE | {"depths": [1] * 10**5, "num_heads": [2] * 10**5},
    "many stages of many layers": BASE | {"depths": [128] * 32, "num_heads": [2] * 32},
    "a giant width": BASE | {"embed_dim": 2**40},
    "a width of the largest kind": BASE | {"embed_dim": 4096, "depths": [128], "num_heads": [1]},
    "a giant window": BASE | {"window_size": 2**20},
    "a giant enlargement": BASE | {"upscale": 2**30},
    "a giant number": BASE | {"embed_dim": 10**4000},
    "a giant ratio": BASE | {"mlp_ratio": 1e300},
    "no number": BASE | {"mlp_ratio": float("nan")},
    "a giant position bias": BASE | {"bias_dim": 2**40},
    "many residual blocks": BASE | {"blocks": 10**9},
    "a text for a number": BASE | {"embed_dim": "24"},
    "text for a list": BASE | {"depths": "1" * 10**6},
    "a deep argument": BASE | {"depths": nested(300)},
    "a giant U": {"type": "SemanIRUNet", "widths": [4096] * 32, "depths": [16] * 32},
    "a giant Restormer": {"type": "Restormer", "dim": 10**9, "num_blocks": [10**9] * 4},
    "a giant RAMiT": {"type": "RAMiT", "embed_dim": 16 * 10**8, "depths": [10**8] * 4},
    "no type": {"depths": [1]},
    "a list for a type": {"type": ["SemanIR"]},
    "a long name": {"type": "S" * 10**6},
}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_hostile_record_is_one_message(tmp_path, suffix):
    params = {"first.weight": torch.zeros(2, 3, 3, 3)}
    wrong = []
    for name, record in RECORDS.items():
        path = tmp_path / f"{name}{suffix}"
        if suffix == ".pth":
            save_checkpoint(path, {"params": params, "network_g": record})
        else:
            write_tensors(path, params, {"network_g": record})
        start = time.process_time()
        try:
            load_network(path)
            wrong.append(f"{name}: accepted")
        except ValueError as error:
            seconds = time.process_time() - start
            if len(str(error)) > 4000 or seconds > SECONDS:
                wrong.append(f"{name}: {len(str(error))} characters, {seconds:.1f} s")
    assert not wrong


def test_records_that_json_cannot_read_are_one_message(tmp_path):
    texts = {
        "deep": "[" * 100_000 + "]" * 100_000,
        "deep mapping": '{"a":' * 100_000 + "1" + "}" * 100_000,
        "long number": "9" * 100_000,
    }
    for name, text in texts.items():
        path = tmp_path / f"{name}.safetensors"
        header = json.dumps(
            {
                "__metadata__": {"network_g": text},
                "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
            }
        ).encode()
        path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
        with pytest.raises(ValueError, match=f"{name}.safetensors: its network_g"):
            load_checkpoint(path)


@pytest.mark.parametrize("record", [nested(200), endless(), {"a": list(range(20_000))}])
def test_a_record_of_torch_that_is_too_deep_or_large_is_refused(tmp_path, record):
    path = tmp_path / "x.pth"
    save_checkpoint(path, {"params": {"a": torch.zeros(1)}, "network_g": {"type": record}})
    with pytest.raises(ValueError, match="its network_g has more than 10,000 values"):
        load_checkpoint(path)


def test_a_tensor_larger_than_its_file_is_refused(tmp_path):
    path = tmp_path / "x.pth"
    save_checkpoint(path, {"params": {"a": torch.zeros(1).expand(10**6, 10**6)}})
    with pytest.raises(ValueError, match=r"a has the shape .*holds only 4 bytes"):
        load_checkpoint(path)


def test_a_compressed_archive_is_refused(tmp_path):
    plain, packed = tmp_path / "x.pth", tmp_path / "y.pth"
    save_checkpoint(plain, {"params": {"a": torch.zeros(10**6)}})
    with (
        zipfile.ZipFile(plain) as source,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for part in source.infolist():
            target.writestr(part.filename, source.read(part))
    with pytest.raises(ValueError, match="a compressed archive of"):
        load_checkpoint(packed)


def test_names_of_weights_are_shown_without_control_characters(tmp_path):
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"\x1b[2J\r": torch.zeros(1)}, {"network_g": BASE | {"type": "SemanIR"}})
    with pytest.raises(ValueError, match="do not fit") as error:
        load_network(path)
    assert "\x1b" not in str(error.value)
    assert "x1b[2J" in str(error.value)


def doubling(count, reference, first="x" * 10):
    return [f"a0: {first}", *(f"a{n}: {reference.format(n - 1) * 9}" for n in range(1, count))]


YAML = {
    "aliases": "a0: &a0 [x, x]\n"
    + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40)),
    "aliases of mappings": "a0: &a0 {x: 1}\n"
    + "".join(f"a{n}: &a{n} {{b: *a{n - 1}, c: *a{n - 1}}}\n" for n in range(1, 40)),
    "merges": "a0: &a0 {x: 1}\n"
    + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 30)),
    "itself": "a: &a {b: *a}\n",
    "itself in a list": "a: &a [1, *a]\n",
    "itself by merging": "a: &a {<<: *a, b: 1}\n",
    "depth": "a: " + "[" * 5000 + "]" * 5000 + "\n",
    "depth of lists": "a:\n  " + "- " * 5000 + "1\n",
    "depth of mappings": "a: " + "{b: " * 3000 + "1" + "}" * 3000 + "\n",
    "a long number": "a: " + "9" * 5000 + "\n",
    "a long hexadecimal number": "a: 0x" + "f" * 5000 + "\n",
    "a wrong tag": "a: !!int abc\n",
    "a wrong date": "a: !!timestamp abc\n",
    "a wrong switch": "a: !!bool abc\n",
    "a Python object": "a: !!python/object/apply:os.system [ls]\n",
    "a number for a key": "1: 2\n",
    "null for a key": "~: 2\n",
    "a list for a key": "? [1]\n: 2\n",
    "size": "".join(f"a{n}: 1\n" for n in range(40_000)),
    "no text": "a: \x00\n",
    "references": "_base_: []\nvars:\n  "
    + "\n  ".join(doubling(60, "${{a{}}}"))
    + "\nname: ${a59}\n",
    "a circle of references": "_base_: []\nvars: {a: '${b}', b: '${a}${a}'}\nname: ${a}\n",
    "a name of itself": "_base_: []\nname: ${name}\n",
    "a chain of references": "_base_: []\nvars:\n  a0: 1\n"
    + "".join(f"  a{n}: ${{a{n - 1}}}\n" for n in range(1, 3000))
    + "name: ${a2999}\n",
    "a large list many times": f"_base_: []\nvars: {{a: {list(range(5000))}}}\n"
    + "".join(f"b{n}: ${{a}}\n" for n in range(5000)),
    "many unknown names": "_base_: []\n" + "".join(f"b{n}: ${{c{n}}}\n" for n in range(5000)),
    "many fragments": "_base_: [" + "x.yml, " * 5000 + "]\n",
}


@each("name", YAML)
def test_a_hostile_option_file_is_one_message(tmp_path, name):
    path = tmp_path / "x.yml"
    path.write_text(YAML[name])
    start = time.process_time()
    with pytest.raises(OptionError) as error:
        resolve(path)
    assert time.process_time() - start < SECONDS
    assert len(str(error.value)) < 20_000


@pytest.mark.parametrize("name", ["depth", "itself in a list", "a long number"])
def test_a_hostile_value_on_the_command_line_is_one_message(name):
    with pytest.raises(ValueError, match="is not a YAML value"):
        parse_value(YAML[name].removeprefix("a: "))
