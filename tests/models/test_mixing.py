"""Mixup with identity."""

from __future__ import annotations

import pytest
import scipy.stats
import torch

from semanir_arch.models.mixing import Mixup, blend

DRAWS = 2000


def one_hot(size=4):
    """Images whose mixture can be read off: image i has a 1 in pixel i."""
    return torch.eye(size).view(size, 1, 1, size)


def weights_of(mixture):
    """Weight of every image in its own place, where another image was blended in."""
    own = mixture[:, 0, 0].diagonal()
    return own[own < 1]


def test_images_are_blended_with_others_of_the_batch():
    images = torch.rand(3, 2, 5, 4)
    mixed = blend(images, torch.tensor([1, 2, 0]), 0.3)
    for index, other in enumerate((1, 2, 0)):
        torch.testing.assert_close(mixed[index], 0.3 * images[index] + 0.7 * images[other])


def test_inputs_and_targets_are_blended_alike():
    lq, gt = Mixup(1.2, use_identity=False)(one_hot(), 2 * one_hot())
    torch.testing.assert_close(gt, 2 * lq)
    torch.testing.assert_close(lq.sum(dim=(1, 2, 3)), torch.ones(4))
    assert not torch.equal(lq, one_hot())


def test_one_weight_per_batch_follows_the_beta_distribution():
    drawn = []
    for _ in range(DRAWS):
        weights = weights_of(Mixup(1.2, use_identity=False)(one_hot(8), one_hot(8))[0])
        assert len(weights.unique()) <= 1
        drawn += weights[:1].tolist()
    assert scipy.stats.kstest(drawn, scipy.stats.beta(1.2, 1.2).cdf).pvalue > 0.01


def test_half_of_the_batches_stay_as_they_are():
    images = torch.rand(4, 3, 2, 2)
    same = sum(Mixup(1.2, use_identity=True)(images, images)[0] is images for _ in range(DRAWS))
    assert 0.46 * DRAWS < same < 0.54 * DRAWS


def test_a_batch_of_one_is_blended_with_itself():
    image = torch.rand(1, 3, 4, 4)
    torch.testing.assert_close(Mixup(1.2, use_identity=False)(image, image)[0], image)


def test_the_global_generator_decides():
    torch.manual_seed(3)
    first = Mixup(1.2, use_identity=True)(one_hot(), one_hot())
    torch.manual_seed(3)
    torch.testing.assert_close(Mixup(1.2, use_identity=True)(one_hot(), one_hot()), first)


def test_option_files_ask_for_it_as_restormer_does():
    block = {"mixup": True, "mixup_beta": 1.2, "use_identity": True}
    assert Mixup.read(block) == Mixup(1.2, use_identity=True)
    assert Mixup.read(block | {"mixup": False}) is None
    assert Mixup.read(None) is None
    with pytest.raises(ValueError, match="mixup_beta: received 0; must be above 0"):
        Mixup.read({"mixup": True, "mixup_beta": 0})
