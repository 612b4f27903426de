"""What option files say about papers and data is so, and `docs/tasks.md` says what they say."""

from __future__ import annotations

import fnmatch
import re
import shlex

import pytest

from datasets_prep import prepare
from semanir_arch.data.preparation.dataset_facts import load_catalogue
from semanir_arch.data.preparation.presets import PRESETS
from semanir_arch.runs.arguments import parse_arguments
from semanir_arch.runs.prepare import complete_options
from semanir_arch.tasks import TASKS
from semanir_arch.utils.options import overview, read_header
from tests.helpers import ROOT
from tests.leaves import (
    LEAVES,
    OPTIONS,
    TRAIN_LEAVES,
    build_without_memory,
    name_of,
)
from tests.leaves import options_of as complete

PAPERS = {
    "SemanIR": "2405.20008",
    "Restormer": "2111.09881",
    "RAMiT": "2305.11474",
    "SwinIR": "2108.10257",
}
PAGE = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
CATALOGUE = load_catalogue(prepare.CATALOGUE)
FOLDERS = {task.folder for task in TASKS.values()} - {""}
OURS = [leaf for leaf in LEAVES if read_header(leaf) or leaf.parent.name in FOLDERS]

# SemanIR: https://github.com/Amazingren/SemanIR, figures of its tables (in millions).
# Restormer: 26.13 M in its paper; digits by the layers' sizes. RAMiT: of the released models.
# SwinIR: its paper.
PARAMETERS = {
    "sr/SemanIR_small_x2": 11.87e6,
    "sr/SemanIR_small_x3": 12.05e6,
    "sr/SemanIR_small_x4": 12.02e6,
    "sr/SemanIR_base_x2": 19.90e6,
    "sr/SemanIR_base_x3": 20.08e6,
    "sr/SemanIR_base_x4": 20.04e6,
    "denoising/SemanIR_color": 25.82e6,
    "deraining/Restormer": 26_126_644,
    "defocus/Restormer_dual": 26_132_548,
    "denoising/Restormer_color_blind": 26_111_668,
    "denoising/Restormer_gray": 26_109_076,
    "sr/RAMiT_x2": 939_844,
    "sr/RAMiT_x3": 948_499,
    "sr/RAMiT_x4": 960_616,
    "sr/RAMiT-1_x2": 823_164,
    "sr/RAMiT-1_x3": 831_819,
    "sr/RAMiT-1_x4": 843_936,
    "sr/RAMiT-slimSR_x2": 581_008,
    "sr/RAMiT-slimSR_x3": 587_503,
    "sr/RAMiT-slimSR_x4": 596_596,
    "denoising/RAMiT_color": 934_651,
    "denoising/RAMiT-1_color": 817_971,
    "denoising/RAMiT_gray": 932_271,
    "deraining/RAMiT": 934_651,
    "lowlight/RAMiT": 934_651,
    "lowlight/RAMiT-slimLLE": 358_243,
    "sr/SwinIR_x2": 11.75e6,
    "sr/SwinIR_x3": 11.94e6,
    "sr/SwinIR_x4": 11.90e6,
}

# Restormer's 13 option files, which differ in the network, the data and mixup only.
RESTORMER = {
    "train.optim_g": {"type": "AdamW", "lr": 3e-4, "weight_decay": 1e-4, "betas": [0.9, 0.999]},
    "train.total_iter": 300_000,
    "train.warmup_iter": None,
    "train.ema_decay": None,
    "train.clip_grad_norm": 0.01,
    "train.scheduler.type": "CosineAnnealingRestartCyclicLR",
    "train.scheduler.periods": [92_000, 208_000],
    "train.scheduler.eta_mins": [3e-4, 1e-6],
    "train.pixel_opt.type": "L1Loss",
    "datasets.train.progressive.patch_size": [128, 160, 192, 256, 320, 384],
    "datasets.train.progressive.batch_size_per_gpu": [8, 5, 4, 2, 1, 1],
    "datasets.train.progressive.iters": [92_000, 64_000, 48_000, 36_000, 36_000, 24_000],
    "train.mixing_augs": None,
    "network_g.LayerNorm_type": "WithBias",
}
NOISE = {
    "train.mixing_augs": {"mixup": True, "mixup_beta": 1.2, "use_identity": True},
    "network_g.LayerNorm_type": "BiasFree",
}
# RAMiT's options and commands. A pass has 64,000 samples (super-resolution), 25,000 (pairs) or
# 26,082 (denoising); passes become iterations by their batch, and 2 GPUs share it.
ADAM = {"type": "Adam", "betas": [0.9, 0.999]}
RAMIT = {
    "train.optim_g": ADAM | {"lr": 4e-4},
    "train.clip_grad_norm": None,
    "train.ema_decay": None,
    "train.scheduler.gamma": 0.5,
    "train.pixel_opt.type": "L1Loss",
}
RAMIT_SR = RAMIT | {
    "train.total_iter": 500_000,
    "train.warmup_iter": 20_000,
    "train.scheduler.milestones": [n * 1000 for n in (200, 300, 400, 425, 450, 475)],
    "train.freeze": None,
    "datasets.train.batch_size_per_gpu": 32,
}
RAMIT_WARM = RAMIT_SR | {
    "train.total_iter": 300_000,
    "train.warmup_iter": 10_000,
    "train.scheduler.milestones": [n * 1000 for n in (50, 100, 150, 175, 200, 225)],
    "train.freeze": {"except": ["to_target"], "iters": 50_000, "restart_schedule": True},
    "path.fresh_g": ["to_target"],
}
RAMIT_STAGES = RAMIT | {
    "datasets.train.progressive.patch_size": [64, 96, 128],
    "datasets.train.progressive.batch_size_per_gpu": [32, 16, 8],
}
# BasicSR's and KAIR's option files of SwinIR.
SWINIR_SR = {
    "train.optim_g": {"type": "Adam", "lr": 2e-4, "betas": [0.9, 0.99]},
    "train.total_iter": 500_000,
    "train.scheduler.milestones": [250_000, 400_000, 450_000, 475_000],
    "train.ema_decay": 0.999,
    "train.pixel_opt.type": "L1Loss",
}
SWINIR_WARM = SWINIR_SR | {
    "train.optim_g": {"type": "Adam", "lr": 1e-4, "betas": [0.9, 0.99]},
    "train.total_iter": 250_000,
    "train.scheduler.milestones": [125_000, 200_000, 225_000, 237_500],
}
SWINIR_SAME_SIZE = {
    "train.optim_g": ADAM | {"lr": 2e-4},
    "train.total_iter": 1_600_000,
    "train.scheduler.milestones": [800_000, 1_200_000, 1_400_000, 1_500_000],
    "train.pixel_opt": {
        "type": "CharbonnierLoss",
        "loss_weight": 1.0,
        "reduction": "mean",
        "eps": 1e-3,
    },
    "datasets.train.batch_size_per_gpu": 1,
}
TRAININGS = {
    **dict.fromkeys(("deraining/Restormer", "deblurring/Restormer"), RESTORMER),
    "defocus/Restormer_single": RESTORMER | {"network_g.dual_pixel_task": None},
    "defocus/Restormer_dual": RESTORMER | {"network_g.dual_pixel_task": True},
    "denoising/Restormer_color": RESTORMER | NOISE | {"datasets.train.sigma": 25},
    "denoising/Restormer_color_blind": RESTORMER | NOISE | {"datasets.train.sigma": [0, 50]},
    "denoising/Restormer_gray": RESTORMER | NOISE | {"datasets.train.channels": 1},
    "denoising/Restormer_gray_blind": RESTORMER | NOISE | {"datasets.train.sigma": [0, 50]},
    "realnoise/Restormer": RESTORMER | NOISE,
    **{
        f"sr/{name}_x{scale}": (RAMIT_SR if scale == 2 else RAMIT_WARM)
        | {"datasets.train.gt_size": 64 * scale}
        for name in ("RAMiT", "RAMiT-1", "RAMiT-slimSR")
        for scale in (2, 3, 4)
    },
    **dict.fromkeys(
        ("denoising/RAMiT_color", "denoising/RAMiT_gray", "denoising/RAMiT-1_color"),
        RAMIT_STAGES | {"datasets.train.sigma": [0, 50]},
    ),
    **dict.fromkeys(
        ("deraining/RAMiT", "lowlight/RAMiT", "lowlight/RAMiT-slimLLE"),
        RAMIT_STAGES | {"train.total_iter": 429_687, "train.warmup_iter": 7_812},
    ),
    **{
        f"sr/SwinIR_x{scale}": (SWINIR_SR if scale == 2 else SWINIR_WARM)
        | {"datasets.train.gt_size": 48 * scale, "datasets.train.batch_size_per_gpu": 4}
        for scale in (2, 3, 4)
    },
    **{
        f"sr/SwinIR_light_x{scale}": (SWINIR_SR if scale == 2 else SWINIR_WARM)
        | {"train.optim_g": ADAM | {"lr": 2e-4 if scale == 2 else 1e-4}}
        | {"datasets.train.gt_size": 64 * scale, "datasets.train.batch_size_per_gpu": 8}
        for scale in (2, 3, 4)
    },
    "denoising/SwinIR_color": SWINIR_SAME_SIZE | {"datasets.train.patch_size": 128},
    "denoising/SwinIR_gray": SWINIR_SAME_SIZE | {"datasets.train.patch_size": 128},
    "jpeg/SwinIR_gray": SWINIR_SAME_SIZE
    | {"datasets.train.patch_size": 126, "network_g.window_size": 7, "network_g.img_range": 255},
    # GoPro in two phases, of which the paper's reviews speak; weather as TransWeather's code
    "deblurring/SemanIR": {
        "datasets.train.progressive.patch_size": [256, 480],
        "train.pixel_opt.type": "CharbonnierLoss",
    },
    "weather/SemanIR": {
        "train.optim_g.type": "Adam",
        "train.total_iter": 750_000,
        "train.pixel_opt.type": "SmoothL1Loss",
        "train.losses.l_features.loss_weight": 0.04,
        "datasets.train.patch_size": 256,
    },
}


def options_of(role, name):
    return complete(OPTIONS / f"{name}.yml", role)


def look_up(node, key):
    """A value by its dotted key; of a list of blocks, that of each; None where it is not given."""
    for part in key.split("."):
        if isinstance(node, list):
            node = [entry.get(part) for entry in node]
        else:
            node = (node or {}).get(part)
    return node


def test_networks_have_the_published_sizes():
    counts = {}
    for name, published in PARAMETERS.items():
        network = build_without_memory(options_of("test", name)["network_g"])
        count = sum(parameter.numel() for parameter in network.parameters())
        # papers print two decimals of a million
        counts[name] = count if isinstance(published, int) else round(count, -4)
    assert counts == PARAMETERS


@pytest.mark.parametrize(("scale", "thousands"), [(2, 878), (3, 886), (4, 897)])
def test_the_lightweight_swinir_has_the_published_size(scale, thousands):
    network = build_without_memory(options_of("test", f"sr/SwinIR_light_x{scale}")["network_g"])
    # its paper leaves out the position biases of this one, but not those of the classical one
    named = network.named_parameters()
    count = sum(value.numel() for name, value in named if "position_bias" not in name)
    assert round(count / 1000) == thousands


def test_trainings_are_the_published_ones():
    found = {
        name: {key: look_up(options_of("train", name), key) for key in expected}
        for name, expected in TRAININGS.items()
    }
    assert found == TRAININGS


def test_headers_name_the_paper_of_the_network():
    wrong = []
    for leaf in OURS:
        header = read_header(leaf)
        network = complete(leaf, "test")["network_g"]["type"].removesuffix("UNet")
        if header is None or not header.network.startswith(network):
            wrong.append(f"{name_of(leaf)}: {network} is its network")
        elif header.arxiv != PAPERS[network] or not header.published:
            wrong.append(f"{name_of(leaf)}: {PAPERS[network]} is its paper")
    assert not wrong, "\n".join(wrong)


def data_roots(options):
    for block in options["datasets"].values():
        for key, value in block.items():
            if key.startswith("dataroot"):
                for root in [value] if isinstance(value, str) else value:
                    yield root.removeprefix("datasets/")


def folders_of(data_set):
    """What `prepare.py` makes of a data set."""
    folders = [folder for part in data_set.parts.values() for folder in part]
    yield from (folder.path for folder in folders)
    yield from (f"{f.path}/{rule.pattern}" for f in folders for rule in f.rules)
    if data_set.name == "Manga109":
        # made from its images by generate_lq.py, as docs/data.md says
        yield "test/Manga109/LR_bicubic/*"


def test_headers_name_the_preparation_of_all_their_data_and_no_other():
    wrong = [f"{name_of(leaf)}: {fault}" for leaf in OURS for fault in preparation_faults(leaf)]
    assert not wrong, "\n".join(wrong)


def preparation_faults(leaf):
    commands = re.fullmatch(
        r"prepare.py ([\w -]+)(?:; extract_patches.py --preset ([\w ]+))?", read_header(leaf).data
    )
    sets = {name: list(folders_of(CATALOGUE[name])) for name in commands[1].split()}
    presets = {name: PRESETS[name] for name in (commands[2] or "").split()}
    roots = set(data_roots(complete(leaf, "test")))
    if leaf in TRAIN_LEAVES:
        roots |= set(data_roots(complete(leaf, "train")))
    outputs = {name: set(preset.outputs) for name, preset in presets.items()}
    sources = {
        role.source
        for preset in presets.values()
        for corpus in preset.corpora
        for role in corpus.roles
    }
    for root in roots:
        made = [*(f for folders in sets.values() for f in folders), *set().union(*outputs.values())]
        if not any(fnmatch.fnmatch(root, pattern) for pattern in made):
            yield f"nothing makes {root}"
    for name, folders in sets.items():
        if not any(fnmatch.fnmatch(root, f) for root in roots | sources for f in folders):
            yield f"nothing reads {name}"
    for name, made in outputs.items():
        if not made & roots:
            yield f"nothing reads what preset {name} makes"


def test_every_task_has_the_three_networks():
    missing = {
        (task, network)
        for task in FOLDERS
        for network in ("SemanIR", "Restormer", "RAMiT")
        if not {*(OPTIONS / task).glob(f"{network}*.yml")} & {*TRAIN_LEAVES}
    }
    # Restormer has no form that enlarges
    assert missing == {("sr", "Restormer")}


def test_the_table_of_tasks_is_that_of_the_files():
    assert overview(OPTIONS) in PAGE, "python -m semanir_arch.utils.options --table options"


def commands_of(page):
    """Commands of its blocks, with every value of a loop."""
    text = "".join(re.findall(r"```bash\n(.*?)```", page, flags=re.DOTALL)).replace("\\\n", " ")
    for line in text.splitlines():
        loop = re.fullmatch(r"for name in ([\w -]+); do (.*); done(?: +#.*)?", line)
        for name in loop[1].split() if loop else [""]:
            yield shlex.split(loop[2].replace("$name", name) if loop else line, comments=True)


def test_the_commands_of_the_page_are_understood():
    wrong, commands = [], list(commands_of(PAGE))
    for words in commands:
        try:
            check_command(words)
        except (AssertionError, ValueError, LookupError, SystemExit) as error:
            wrong.append(f"{' '.join(words)}: {type(error).__name__}: {error}")
    assert not wrong, "\n".join(wrong)
    assert len(commands) > 40


def check_command(words):
    assert words[0] == "python"
    script, arguments = words[1], words[2:]
    if script == "datasets_prep/prepare.py":
        assert arguments[0] in CATALOGUE
    elif script == "datasets_prep/extract_patches.py":
        assert arguments in [["--preset", name] for name in PRESETS]
    else:
        is_train = {"train.py": True, "test.py": False}[script]
        given = parse_arguments(arguments, "", is_train)
        options = complete_options(str(ROOT / given.opt), given.force_yml, is_train).options
        for sweep in [] if is_train else given.sweep:
            name, _, values = sweep.partition("=")
            for value in values.split(","):
                complete_options(str(ROOT / given.opt), [f"vars:{name}={value}"], is_train)
        weights = options["path"].get("pretrain_network_g")
        assert weights is None or weights.startswith("experiments/")
