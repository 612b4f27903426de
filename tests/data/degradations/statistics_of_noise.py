"""Measures of noise that know nothing of how it was made."""

from __future__ import annotations

import numpy as np


def autocorrelation(field, rows, columns):
    """Correlation between values and those `rows` and `columns` away."""
    field = field - field.mean()
    height, width = field.shape
    here = field[: height - rows, : width - columns]
    there = field[rows:, columns:]
    return float((here * there).mean() / field.var())


def luma_and_chroma(image):
    """Brightness and the differences of blue and red to it, BT.601."""
    luma = image @ np.array([0.299, 0.587, 0.114])
    return luma, image[..., 2] - luma, image[..., 0] - luma


def blockiness(luma, axis):
    """Mean absolute step before each of eight places of a grid, relative to the mean of all."""
    steps = np.abs(np.diff(luma, axis=axis)).mean(1 - axis)
    steps = np.concatenate(([np.nan], steps))
    means = np.array([np.nanmean(steps[phase::8]) for phase in range(8)])
    return means / means.mean()
