"""The options that BasicSR 1.4.2 itself reads, with type, range and unit.

Sources: `basicsr/train.py`, `test.py`, `utils/options.py`, `utils/misc.py`, `utils/logger.py`,
    `data/__init__.py`, `models/base_model.py` and `models/sr_model.py`. Keys that no line of it
    reads (such as the common `use_shuffle`) are not listed, and therefore refused in option files
    with `_base_`.
"""

from __future__ import annotations

from typing import Annotated

from semanir_arch.utils.options.option_types import (
    Bounds,
    Entries,
    FileName,
    Length,
    OneOf,
    Option,
)

Section = dict[str, Option]

_MOST = 1e12

ITERATIONS = Annotated[float, Bounds(1, _MOST, whole=True)]
"""A number of iterations; `!!float 4e5` is one as well."""

NAME = Annotated[str, FileName()]
"""A name of which folders are called."""

FACTOR = Annotated[float, Bounds(above=0, most=1e6)]
"""Factor of a loss or a learning rate."""

RATE = Annotated[float, Bounds(above=0, most=100)]
"""A learning rate."""

_STEPS = list[ITERATIONS]
_PLACES = list[Annotated[float, Bounds(0, _MOST, whole=True)]]
_FACTORS = Annotated[list[FACTOR], Length(1)]
_SOME_DICT = Annotated[dict[str, object], Length(1)]

ROOT: Section = {
    "name": Option(
        NAME,
        help="run name: folder below experiments/ or results/; derived from the path of the file",
    ),
    "model_type": Option(str, help="model class"),
    "scale": Option(
        Annotated[int, Bounds(1, 16)],
        default=1,
        help="upscaling factor, passed on to every dataset",
    ),
    "num_gpu": Option(
        (Annotated[int, Bounds(0, 4096)], Annotated[str, OneOf("auto")]),
        help="number of GPUs; 0 for the CPU; auto for all there are",
    ),
    "manual_seed": Option(
        Annotated[int, Bounds(0, 2**31 - 1)],
        default=None,
        help="seed of all generators; null draws one",
    ),
    "find_unused_parameters": Option(bool, default=False, help="for DistributedDataParallel"),
    "dist_params": Option(
        Annotated[
            dict[str, object],
            Entries(
                {
                    "backend": Annotated[str, OneOf("nccl", "gloo", "mpi")],
                    "port": Annotated[int, Bounds(1, 65535)],
                },
                required=(),
            ),
        ],
        default=None,
        help="arguments of the slurm start-up: port",
    ),
    "datasets": Option(
        _SOME_DICT, help="train, val, val_2, ... or test, test_2, ...: one block per dataset"
    ),
    "network_g": Option(dict, help="type and constructor arguments of the network"),
    "path": Option(dict, help="weights to start from"),
}

TRAIN_ROOT: Section = {
    "train": Option(dict, help="optimizer, schedule and losses"),
    "val": Option(dict, default=None, help="validation during training; null for none"),
    "logger": Option(dict, help="how often to log and to save"),
}

TEST_ROOT: Section = {
    "val": Option(dict, help="how to evaluate"),
}

PATH: Section = {
    "pretrain_network_g": Option(str, default=None, help="weights to load"),
    "param_key_g": Option(
        str, default="params", help="which weights of that file: params, params_ema or auto"
    ),
    "strict_load_g": Option(bool, default=True, help="whether all weights must fit"),
    "resume_state": Option(str, default=None, help="training state to continue from"),
    "ignore_resume_networks": Option(
        list[str], default=None, help="networks not to reload when resuming"
    ),
}

LOGGER: Section = {
    "print_freq": Option(ITERATIONS, help="iterations between two log lines"),
    "save_checkpoint_freq": Option(ITERATIONS, help="iterations between two saved states"),
    "use_tb_logger": Option(bool, default=False, help="write TensorBoard files to tb_logger/"),
    "wandb": Option(
        Annotated[
            dict[str, object],
            Entries({"project": str | None, "resume_id": str | None}, required=()),
        ],
        default=None,
        help="project and resume_id of Weights & Biases",
    ),
}

TRAIN: Section = {
    "total_iter": Option(ITERATIONS, help="iterations"),
    "warmup_iter": Option(
        Annotated[float, Bounds(-1, _MOST, whole=True)],
        default=-1,
        help="iterations of linear learning-rate warm-up; -1 for none",
    ),
    "ema_decay": Option(
        Annotated[float, Bounds(0, below=1)],
        default=0,
        help="decay per iteration of the averaged weights; 0 for none",
    ),
    "optim_g": Option(dict, help="type and arguments of the optimizer"),
    "scheduler": Option(dict, help="type and arguments of the learning-rate schedule"),
    "pixel_opt": Option(dict, default=None, help="type and arguments of the pixel loss"),
    "perceptual_opt": Option(dict, default=None, help="type and arguments of the perceptual loss"),
}

VAL: Section = {
    "val_freq": Option(ITERATIONS, help="iterations between two validations"),
    "save_img": Option(bool, help="whether to write the restored images"),
    "suffix": Option(
        (NAME, Annotated[str, OneOf("")]),
        default=None,
        help="added to the names of written images; null for the run name",
    ),
    "pbar": Option(bool, default=False, help="show a progress bar"),
    "metrics": Option(
        dict, default=None, help="one block per metric: type, better (higher or lower), arguments"
    ),
}

DATASET: Section = {
    "name": Option(NAME, help="name in logs, tables and folders; default: its folder"),
    "type": Option(str, help="dataset class"),
    "io_backend": Option(
        Annotated[
            dict[str, object],
            Entries(
                {
                    "type": Annotated[str, OneOf("disk", "lmdb", "memcached")],
                    "db_paths": (str, list[str]),
                    "client_keys": (str, list[str]),
                    "readahead": bool,
                    "server_list_cfg": str,
                    "client_cfg": str,
                    "sys_path": str,
                },
                required=("type",),
            ),
        ],
        default=None,
        help="type (disk or lmdb) and arguments",
    ),
    "prefetch_mode": Option(
        str,
        default=None,
        choices=("cpu", "cuda", None),
        help="cuda copies the next batch to the GPU during a step; otherwise loading processes "
        "prefetch, with cpu as many batches as num_prefetch_queue",
    ),
    "num_prefetch_queue": Option(
        Annotated[int, Bounds(1, 1024)],
        default=1,
        help="batches that each loading process keeps ready, at least 2",
    ),
    "pin_memory": Option(bool, default=False, help="page-locked memory for faster copies to a GPU"),
    "persistent_workers": Option(
        bool, default=False, help="without effect in training: loading processes start once"
    ),
}

TRAIN_DATASET: Section = {
    "batch_size_per_gpu": Option(
        Annotated[int, Bounds(1, 65536)], help="samples per iteration and GPU"
    ),
    "num_worker_per_gpu": Option(
        Annotated[int, Bounds(0, 1024)],
        help="loading processes per GPU; 0 loads in the main process",
    ),
    "dataset_enlarge_ratio": Option(
        Annotated[int, Bounds(1, 10**9)],
        default=1,
        help="repetitions of the data in what the log counts as one pass; changes nothing else",
    ),
}

SCHEDULERS: dict[str, Section] = {
    "MultiStepLR": {
        "milestones": Option(_STEPS, help="iterations at which the rate is multiplied by gamma"),
        "gamma": Option(Annotated[float, Bounds(above=0, most=1)], default=0.1, help="factor"),
        "restarts": Option(_PLACES, default=(0,), help="iterations at which the rate restarts"),
        "restart_weights": Option(
            _FACTORS, default=(1,), help="factor of the initial rate at each restart"
        ),
    },
    "CosineAnnealingRestartLR": {
        "periods": Option(
            Annotated[_STEPS, Length(1)],
            help="iterations of each cosine cycle; their sum is total_iter",
        ),
        "restart_weights": Option(
            _FACTORS, default=(1,), help="factor of the initial rate in each cycle"
        ),
        "eta_min": Option(
            Annotated[float, Bounds(0, 100)], default=0.0, help="smallest learning rate"
        ),
    },
}
SCHEDULERS["MultiStepRestartLR"] = SCHEDULERS["MultiStepLR"]

METRIC: Section = {
    "type": Option(str, help="metric function"),
    "better": Option(
        str, default="higher", choices=("higher", "lower"), help="which direction is better"
    ),
}

TYPE: Section = {"type": Option(str, help="class or function")}
