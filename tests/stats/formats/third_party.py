"""Likelihoods that other people published, and what a test does with any likelihood."""

import os
from pathlib import Path

import numpy as np
import pyhf
import pytest
from numpy.typing import NDArray

from znought.stats.fit import pyhf_session
from znought.stats.formats.likelihood import Likelihood
from znought.stats.formats.pyhf_json import to_spec
from znought.stats.spec import Spec

Floats = NDArray[np.float64]
ROOT = Path(__file__).parents[3]


def published(name: str) -> Path:
    """A file below `likelihoods`; the test is skipped where it is not at hand."""
    folder = Path(os.environ.get("ZNOUGHT_OPEN_DATA", ROOT.parent / "shared" / "data")) / "likelihoods"
    if not (folder / name).is_file():
        pytest.skip(f"{name} is not in {folder}; set ZNOUGHT_OPEN_DATA")
    return folder / name


def twice_nll(spec: Spec, points: list[dict[str, Floats]]) -> Floats:
    """−2 ln L of a workspace's observations, shape (n_points,); a point maps parameter to components."""
    with pyhf_session():
        workspace = pyhf.Workspace(spec)
        model = workspace.model()
        data = workspace.data(model)
        found = []
        for point in points:
            assert sorted(point) == sorted(model.config.par_order)
            values = np.concatenate([point[name] for name in model.config.par_order])
            found.append(-2 * float(np.ravel(model.logpdf(values, data))[0]))
    return np.array(found)


def random_points(likelihood: Likelihood, n_points: int = 20, seed: int = 7) -> list[dict[str, Floats]]:
    """Points around the start: constrained parameters by 0.7 widths, factors by up to a half."""
    rng = np.random.default_rng(seed)
    with pyhf_session():
        config = pyhf.Workspace(to_spec(likelihood)).model().config
    points = []
    for _ in range(n_points):
        point = {}
        for name in config.par_order:
            start = np.asarray(config.param_set(name).suggested_init, dtype=np.float64)
            shift = np.where(
                start == 0, 0.7 * rng.normal(size=start.size), start * rng.uniform(-0.5, 0.5, start.size)
            )
            point[name] = start + shift
        points.append(point)
    return points
