"""The options that BasicSR 1.4.2 itself reads, with type and unit.

Sources: `basicsr/train.py`, `test.py`, `utils/options.py`, `utils/misc.py`, `utils/logger.py`,
    `data/__init__.py`, `models/base_model.py` and `models/sr_model.py`. Keys that no line of it
    reads (such as the common `use_shuffle`) are not listed, and therefore refused in option files
    with `_base_`.
"""

from __future__ import annotations

from semanir_arch.utils.options.declaration import Option

Section = dict[str, Option]

ROOT: Section = {
    "name": Option(
        str,
        help="run name: folder below experiments/ or results/; derived from the path of the file",
    ),
    "model_type": Option(str, help="model class"),
    "scale": Option(int, default=1, help="upscaling factor, passed on to every dataset"),
    "num_gpu": Option((int, str), help="number of GPUs; 0 for the CPU; auto for all there are"),
    "manual_seed": Option(int, default=None, help="seed of all generators; null draws one"),
    "find_unused_parameters": Option(bool, default=False, help="for DistributedDataParallel"),
    "dist_params": Option(dict, default=None, help="arguments of the slurm start-up: port"),
    "datasets": Option(
        dict, help="train, val, val_2, ... or test, test_2, ...: one block per dataset"
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
        list, default=None, help="networks not to reload when resuming"
    ),
}

LOGGER: Section = {
    "print_freq": Option((int, float), help="iterations between two log lines"),
    "save_checkpoint_freq": Option((int, float), help="iterations between two saved states"),
    "use_tb_logger": Option(bool, help="write TensorBoard files to tb_logger/"),
    "wandb": Option(dict, default=None, help="project and resume_id of Weights & Biases"),
}

TRAIN: Section = {
    "total_iter": Option((int, float), help="iterations"),
    "warmup_iter": Option(
        (int, float), default=-1, help="iterations of linear learning-rate warm-up; -1 for none"
    ),
    "ema_decay": Option(
        float, default=0, help="decay per iteration of the averaged weights; 0 for none"
    ),
    "optim_g": Option(dict, help="type and arguments of the optimizer"),
    "scheduler": Option(dict, help="type and arguments of the learning-rate schedule"),
    "pixel_opt": Option(dict, default=None, help="type and arguments of the pixel loss"),
    "perceptual_opt": Option(dict, default=None, help="type and arguments of the perceptual loss"),
}

VAL: Section = {
    "val_freq": Option((int, float), help="iterations between two validations"),
    "save_img": Option(bool, help="whether to write the restored images"),
    "suffix": Option(
        str, default=None, help="added to the names of written images; null for the run name"
    ),
    "pbar": Option(bool, default=False, help="show a progress bar"),
    "metrics": Option(
        dict, default=None, help="one block per metric: type, better (higher or lower), arguments"
    ),
}

DATASET: Section = {
    "name": Option(str, help="name in logs and tables"),
    "type": Option(str, help="dataset class"),
    "io_backend": Option(dict, default=None, help="type (disk or lmdb) and arguments"),
    "prefetch_mode": Option(
        str,
        default=None,
        choices=("cpu", "cuda", None),
        help="cuda copies the next batch to the GPU during a step; otherwise loading processes "
        "prefetch, with cpu as many batches as num_prefetch_queue",
    ),
    "num_prefetch_queue": Option(
        int, default=1, help="batches that each loading process keeps ready, at least 2"
    ),
    "pin_memory": Option(bool, default=False, help="page-locked memory for faster copies to a GPU"),
    "persistent_workers": Option(
        bool, default=False, help="without effect in training: loading processes start once"
    ),
}

TRAIN_DATASET: Section = {
    "batch_size_per_gpu": Option(int, help="samples per iteration and GPU"),
    "num_worker_per_gpu": Option(
        int, help="loading processes per GPU; 0 loads in the main process"
    ),
    "dataset_enlarge_ratio": Option(
        int,
        default=1,
        help="repetitions of the data in what the log counts as one pass; changes nothing else",
    ),
}

SCHEDULERS: dict[str, Section] = {
    "MultiStepLR": {
        "milestones": Option(list, help="iterations at which the rate is multiplied by gamma"),
        "gamma": Option(float, default=0.1, help="factor"),
        "restarts": Option(list, default=(0,), help="iterations at which the rate restarts"),
        "restart_weights": Option(
            list, default=(1,), help="factor of the initial rate at each restart"
        ),
    },
    "CosineAnnealingRestartLR": {
        "periods": Option(
            list, help="iterations of each cosine cycle; their sum should be total_iter"
        ),
        "restart_weights": Option(
            list, default=(1,), help="factor of the initial rate in each cycle"
        ),
        "eta_min": Option(float, default=0.0, help="smallest learning rate"),
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
