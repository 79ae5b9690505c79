"""−2 ln L of a text card by the formulas in Combine's manual, written apart from the package.

Log-normals κ^θ, two different factors joined by a polynomial in |θ| < 0.5; templates of unit area
moved by (θ/2) [(up − down) + h(θ) (up + down − 2 nominal)] with h a polynomial in |θ| < 1, their yields
log-normals of their own; Poisson counts in sidebands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import uproot
from numpy.typing import NDArray
from scipy.stats import norm, poisson

Floats = NDArray[np.float64]
SHAPES = "htt_tt.input.root"


def smooth_step(x: float) -> float:
    return float(np.sign(x)) if abs(x) >= 1 else x * (x * x * (3 * x * x - 10) + 15) / 8


def log_normal(theta: float, down: float, up: float) -> float:
    high, low = np.log(up), -np.log(down)
    return float(np.exp(theta * (0.5 * (high + low) + 0.5 * (high - low) * smooth_step(2 * theta))))


@cache
def _contents(path: Path, name: str) -> Floats:
    with uproot.open(path) as file:
        return np.asarray(file[name].values(), dtype=np.float64)


@dataclass(frozen=True)
class CombineCard:
    """The table of a card, and its templates where it has any."""

    path: Path
    mass: int = 125

    def rows(self) -> list[list[str]]:
        return [line.split() for line in self.path.read_text().splitlines() if line.split()]

    def head(self, key: str, which: int = -1) -> list[str]:
        return [row[1:] for row in self.rows() if row[0] == key][which]

    def systematics(self) -> list[list[str]]:
        return [row for row in self.rows() if len(row) > 2 and row[1] in ("lnN", "shape", "gmN")]

    def twice_nll(self, mu: float, thetas: Mapping[str, float], counts: Mapping[str, float]) -> float:
        """−2 ln L up to nothing: constraints are those of pyhf, unit Gaussians and Poissons."""
        channels, names = self.head("bin"), self.head("process", 0)
        numbers, rates = self.head("process", 1), self.head("rate")
        expected: dict[str, Floats] = {}
        for i, (channel, name, number, rate) in enumerate(zip(channels, names, numbers, rates, strict=True)):
            if float(rate) == 0:
                continue
            found = self._yield(i, channel, name, float(rate), thetas, counts)
            expected[channel] = expected.get(channel, 0) + found * (mu if int(number) <= 0 else 1)
        total = 0.0
        for channel, values in expected.items():
            total -= 2 * poisson.logpmf(np.rint(self._data(channel)), values).sum()
        total -= 2 * sum(norm.logpdf(theta) for theta in thetas.values())
        for row in self.systematics():
            if row[1] == "gmN":
                total -= 2 * poisson.logpmf(int(row[2]), counts[row[0]])
        return float(total)

    def _yield(
        self,
        i: int,
        channel: str,
        name: str,
        rate: float,
        thetas: Mapping[str, float],
        counts: Mapping[str, float],
    ) -> Floats:
        shapes = self._shapes()
        nominal = np.ones(1) if shapes is None else self._template(channel, name)
        area, moved, scale = nominal.sum(), nominal / nominal.sum(), rate
        for row in self.systematics():
            cell = row[3 + i] if row[1] == "gmN" else row[2 + i]
            if set(cell) == {"-"}:
                continue
            if row[1] == "gmN":
                scale = float(cell) * counts[row[0]] * scale / rate
                continue
            theta = thetas[row[0]]
            if row[1] == "lnN":
                parts = [float(part) for part in cell.split("/")]
                scale *= parts[0] ** theta if len(parts) == 1 else log_normal(theta, *parts)
                continue
            down, up = (self._template(channel, name, f"_{row[0]}{side}") for side in ("Down", "Up"))
            ratios = down.sum() / area, up.sum() / area
            if max(abs(ratio - 1) for ratio in ratios) >= 1e-3:
                scale *= log_normal(theta, *ratios)
            down, up, base = down / down.sum(), up / up.sum(), nominal / area
            moved = moved + 0.5 * theta * ((up - down) + smooth_step(theta) * (up + down - 2 * base))
        kept = np.maximum(moved, 1e-9)
        return np.asarray(scale * kept / kept.sum())

    def _shapes(self) -> Path | None:
        lines = [row for row in self.rows() if row[0] == "shapes" and row[3] != "FAKE"]
        return self.path.parent / SHAPES if lines else None

    def _template(self, channel: str, name: str, suffix: str = "") -> Floats:
        full = f"{name}{self.mass}" if name in ("WH", "ZH", "ggH", "qqH") else name
        return _contents(self.path.parent / SHAPES, f"{channel}/{full}{suffix}")

    def _data(self, channel: str) -> Floats:
        if self._shapes() is not None:
            return self._template(channel, "data_obs")
        return np.array([float(self.head("observation")[0])])
