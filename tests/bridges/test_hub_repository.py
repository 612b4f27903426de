"""Weights go to the hub and come back, on local folders and without a network."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import re
import shutil

import pytest
import torch
import yaml

from semanir_arch.archs import build_network
from semanir_arch.bridges import hub_download, hub_repository
from semanir_arch.commands.hub import main
from semanir_arch.commands.restore import main as restore
from semanir_arch.restoring.loading import load_network
from semanir_arch.utils.checkpoint import load_checkpoint, save_checkpoint
from semanir_arch.weights import find
from tests.helpers import TINY, TINY_SR, TINY_UNET, make_image, save_weights

huggingface_hub = pytest.importorskip(
    "huggingface_hub", reason="the extra hub is not installed"
)  # fmt: skip

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache that holds one repository, as a download leaves it; and no network."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repo = tmp_path / "cache" / "models--someone--denoiser"
    snapshot = repo / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    for name in ("main", "v1"):
        (repo / "refs" / name).write_text(COMMIT)
    save_weights(tmp_path / "net.pth", TINY_UNET)
    hub_repository.pack(tmp_path / "net.pth", snapshot)
    shutil.copy(tmp_path / "net.pth", snapshot / "other.pth")
    return repo


@pytest.mark.parametrize(
    "address",
    ["hf:someone/denoiser", "hf:someone/denoiser@v1", f"hf:someone/denoiser@{COMMIT}",
     "hf:someone/denoiser/other.pth", "hf:someone/denoiser/other.pth@v1"],
)  # fmt: skip
def test_an_address_is_found_in_the_cache(cache, tmp_path, address):
    x = torch.rand(1, 3, 9, 7)
    wanted = load_network(tmp_path / "net.pth")(x)
    assert torch.equal(load_network(address)(x), wanted)


def test_the_command_restores_with_an_address(cache, tmp_path, capsys):
    from semanir_arch.data.files.image_io import write_image

    write_image(tmp_path / "a.png", make_image((8, 9, 3)))
    command = [str(tmp_path / "a.png"), "-o", str(tmp_path / "out"), "--device", "cpu"]
    assert restore([*command, "--weights", "hf:someone/denoiser@v1"]) == 0
    assert (tmp_path / "out" / "a.png").is_file()
    assert restore([*command, "--weights", "hf:someone/nothing"]) == 2
    assert "hf:someone/nothing: not in the cache" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("hf:someone", "'hf:someone' is not an address; expected hf:USER/REPO"),
        ("hf:someone/a b", "is not an address"),
        ("hf:a/b@", "is not an address"),
        ("hf:a--b/c..d", "is not an address"),
        ("hf:someone/denoiser@v9", "not in the cache"),
        ("hf:someone/denoiser/gone.pth", "not in the cache"),
    ],
)
def test_what_is_no_address_or_not_there_is_told(cache, address, message):
    with pytest.raises((ValueError, FileNotFoundError), match=re.escape(message)):
        hub_download.fetch(address)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("RepositoryNotFoundError", "no such repository, or a private one"),
        ("RevisionNotFoundError", "the repository has no revision 'v2'"),
        (
            "RemoteEntryNotFoundError",
            "no model.safetensors; name one: hf:a/b/FILE",
        ),
        ("HfHubHTTPError", "the download failed"),
    ],
)
def test_answers_of_the_hub_become_one_message(monkeypatch, error, message):
    from huggingface_hub import errors

    # huggingface_hub 2 has moved from the one to the other
    http = importlib.import_module("httpx2" if importlib.util.find_spec("httpx2") else "httpx")

    def refuse(*_, **__):
        request = http.Request("GET", "https://huggingface.co")
        raise getattr(errors, error)("no", response=http.Response(404, request=request))

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    with pytest.raises(OSError, match=f"^hf:a/b@v2: .*{message}"):
        hub_download.fetch("hf:a/b@v2")


def test_without_the_package_the_remedy_is_told(monkeypatch):
    monkeypatch.setattr(hub_download.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"hf:a/b: this needs huggingface_hub: pip install"):
        hub_download.fetch("hf:a/b")


@pytest.mark.parametrize("name", sorted(TINY))
def test_networks_come_back_as_they_were_saved(tmp_path, name):
    from semanir_arch.bridges.hub_networks import HUB_NETWORKS

    kind = HUB_NETWORKS[name]
    arguments = {key: value for key, value in TINY[name].items() if key != "type"}
    network = kind(**arguments).eval()
    network.record = {"task": "denoise", "name": "mine"}
    network.save_pretrained(tmp_path / "repo")
    again = kind.from_pretrained(tmp_path / "repo")
    x = torch.rand(1, 3, 9, 7)
    with torch.no_grad():
        assert torch.equal(again(x), network(x))
        assert torch.equal(load_network(tmp_path / "repo" / "model.safetensors")(x), network(x))
    assert again.record == network.record
    assert not again.training
    config = json.loads((tmp_path / "repo" / "config.json").read_text())
    assert build_network(config).state_dict().keys() == network.state_dict().keys()


def test_arguments_of_the_caller_come_first_and_other_networks_are_refused(tmp_path):
    from semanir_arch.bridges.hub_networks import HubSemanIR, HubSemanIRUNet

    save_weights(tmp_path / "net.pth", TINY_UNET)
    hub_repository.pack(tmp_path / "net.pth", tmp_path / "repo")
    assert HubSemanIRUNet.from_pretrained(tmp_path / "repo", k=2, backend="naive").k == 2
    with pytest.raises(ValueError, match="are of SemanIRUNet; load them with HubSemanIRUNet"):
        HubSemanIR.from_pretrained(tmp_path / "repo")


def test_pushing_uploads_the_packed_folder(tmp_path, monkeypatch, capsys):
    """The hub is a folder: what is sent, comes back."""
    from semanir_arch.bridges.hub_networks import HubSemanIR

    made = []

    def upload(_, repo_id, folder_path, **__):
        shutil.copytree(folder_path, tmp_path / "hub" / repo_id)
        return f"https://huggingface.co/{repo_id}/commit/1"

    def create(_, repo_id, private=None, exist_ok=False, **__):
        made.append((repo_id, private, exist_ok))
        return huggingface_hub.RepoUrl(f"https://huggingface.co/{repo_id}")

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", create)
    monkeypatch.setattr(huggingface_hub.HfApi, "upload_folder", upload)
    network = save_weights(tmp_path / "net.pth", TINY_SR)
    assert main(["push", str(tmp_path / "net.pth"), "me/x2", "--private"]) == 0
    assert "https://huggingface.co/me/x2/commit/1" in capsys.readouterr().out
    again = HubSemanIR.from_pretrained(tmp_path / "hub" / "me" / "x2")
    again.push_to_hub("me/second")
    third = HubSemanIR.from_pretrained(tmp_path / "hub" / "me" / "second")
    x = torch.rand(1, 3, 9, 7)
    with torch.no_grad():
        assert torch.equal(third(x), network(x))
    assert made == [("me/x2", True, True), ("me/second", None, True)]
    assert "hf:me/x2" in (tmp_path / "hub" / "me" / "x2" / "README.md").read_text()


def test_the_card_and_the_entry_say_what_the_record_says(tmp_path):
    command = ["pack", "jpeg", str(tmp_path / "repo"), "--repo", "me/jpeg", "--author", "me"]
    assert main([*command, "--license", "Apache-2.0"]) == 0
    record = find("jpeg").record
    card = (tmp_path / "repo" / "README.md").read_text()
    head = yaml.safe_load(card.split("---")[1])
    assert head["license"] == "apache-2.0"
    assert head["library_name"] == "semanir_arch"
    for score in record["scores"]:
        assert f"| {score['dataset']} | {score['level']} |" in card
        assert str(round(score["psnr"], 4)).rstrip("0") in card
    assert str(record["training"]["iterations"]) in card
    assert record["scored"]["command"] in card
    assert f"{record['parameters']:,d} parameters" in card
    entry = json.loads((tmp_path / "repo" / "openmodeldb.json").read_text())
    content = (tmp_path / "repo" / "model.safetensors").read_bytes()
    trainings = [*record["earlier_trainings"], record["training"]]
    assert entry["trainingIterations"] == sum(one["iterations"] for one in trainings)
    assert entry["trainingBatchSize"] == record["training"]["batch"]
    assert entry["datasetSize"] == record["training"]["data"]["images"]
    assert (entry["scale"], entry["inputChannels"], entry["outputChannels"]) == (1, 3, 3)
    (resource,) = entry["resources"]
    assert resource["sha256"] == hashlib.sha256(content).hexdigest()
    assert resource["size"] == len(content)
    assert resource["urls"] == ["https://huggingface.co/me/jpeg/resolve/main/model.safetensors"]
    required = {"name", "author", "license", "tags", "description", "date", "architecture", "size",
                "scale", "inputChannels", "outputChannels", "resources", "images"}  # fmt: skip
    assert required <= entry.keys()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", entry["date"])


def test_little_is_said_of_a_file_that_says_little(tmp_path, capsys):
    network = build_network(TINY_UNET)
    state = {"params": network.state_dict(), "network_g": TINY_UNET}
    save_checkpoint(tmp_path / "net.pth", state)
    folder = tmp_path / "repo"
    assert main(["pack", str(tmp_path / "net.pth"), str(folder)]) == 0
    card = (folder / "README.md").read_text()
    assert "The file says nothing about it." in card
    assert "No license is stated." in card
    assert "Scores" not in card
    entry = json.loads((folder / "openmodeldb.json").read_text())
    assert (entry["license"], entry["author"]) == (None, "unknown")
    assert not {"trainingIterations", "dataset"} & entry.keys()
    assert load_checkpoint(folder / "model.safetensors").network == TINY_UNET
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert main(["pack", str(tmp_path / "net.pth"), str(folder)]) == 2
    assert "model.safetensors exists; --overwrite replaces it" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    save_checkpoint(tmp_path / "net.pth", state | {"metadata": {"name": "run", "iter": 1200}})
    assert main(["pack", str(tmp_path / "net.pth"), str(folder), "--overwrite"]) == 0
    assert "1,200 iterations of run." in (folder / "README.md").read_text()


def test_the_text_of_a_file_cannot_break_a_table(tmp_path):
    network = build_network(TINY_UNET)
    score = {"dataset": "a | b\n# c", "protocol": "p", "psnr": 1.5, "ssim": 0.5}
    record = {"scores": [score], "task": "denoise"}
    content = {"params": network.state_dict(), "network_g": TINY_UNET, "metadata": record}
    save_checkpoint(tmp_path / "net.pth", content)
    hub_repository.pack(tmp_path / "net.pth", tmp_path / "repo")
    assert "| a / b # c | - | p | - | 1.5 | 0.5 |" in (tmp_path / "repo" / "README.md").read_text()
