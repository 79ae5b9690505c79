"""Fake factors of a card's region, and what they make of events with loose leptons."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.facility.cards.fake_leptons import FakeLeptons
from znought.facility.cards.standard import StandardCard
from znought.facility.events.sample import region
from znought.facility.fake_leptons.events import Leptons
from znought.facility.results.fake_leptons import FactorBin
from znought.stats.fake_factors import (
    Closure,
    FakeFactors,
    LeptonCounts,
    closure,
    factor_weights,
    fake_factors,
)

__all__ = ["Measurement", "Sources"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Sources:
    """What an estimate is made of.

    Attributes:
        card: with regions and the section.
        tight, loose: events of data; of simulated misidentified leptons for the closure.
        prompt_tight, prompt_loose: events of simulated prompt leptons; None without.
    """

    card: StandardCard
    tight: Leptons
    loose: Leptons
    prompt_tight: Leptons | None = None
    prompt_loose: Leptons | None = None

    @property
    def section(self) -> FakeLeptons:
        """The card's section."""
        assert self.card.fake_leptons is not None, "only a card with the section has the stage"
        return self.card.fake_leptons

    def inside(self, name: str, events: Leptons) -> Mask:
        """Events of a region, without those of the signal region, shape (n_events,)."""
        inside = region(self.card, name).mask(events.table.columns)
        if self.card.blinded_region is not None:
            inside &= ~region(self.card, self.card.blinded_region).mask(events.table.columns)
        return inside

    def counts(self, events: Leptons | None, scale: float = 1.0) -> LeptonCounts | None:
        """Leptons in the region of the measurement."""
        if events is None or not len(events.table):
            return None
        return events.counted(self.inside(self.section.region, events)).scaled(scale)

    def measured(self, prompt: float = 1.0) -> FakeFactors:
        """Factors, with prompt simulation scaled.

        Raises:
            DataError: a bin without loose leptons, or with a factor that is not positive.
        """
        tight, loose = self.counts(self.tight), self.counts(self.loose)
        if tight is None:
            raise DataError("fake_leptons: no selected event has tight leptons alone.")
        if loose is None:
            raise DataError(
                "fake_leptons: no selected event has a loose lepton; the selection must not cut on what "
                "makes them loose."
            )
        return fake_factors(
            self.tight.bins,
            tight,
            loose,
            prompt_tight=self.counts(self.prompt_tight, prompt),
            prompt_loose=self.counts(self.prompt_loose, prompt),
        )


@dataclass(frozen=True)
class Measurement:
    """Fake factors with what they were measured in.

    Attributes:
        sources: events.
        factors: nominal.
    """

    sources: Sources
    factors: FakeFactors

    @classmethod
    def of(cls, sources: Sources) -> "Measurement":
        """Measured factors.

        Raises:
            DataError: as `Sources.measured`.
        """
        return cls(sources, sources.measured())

    def variations(
        self, events: Leptons, *, is_prompt: bool, composition: float
    ) -> Iterator[tuple[str, Floats]]:
        """Name of each parameter's direction, such as `prompt_up`, and the weights of events under it.

        Args:
            events: with loose leptons.
            is_prompt: whether they are subtracted, so that their cross section counts itself.
            composition: relative uncertainty of the estimate.
        """
        section = self.sources.section
        index, sign = events.index(), -1.0 if is_prompt else 1.0
        for way, n_sigma in (("up", 1.0), ("down", -1.0)):
            for k, name in enumerate(section.bins):
                moved = factor_weights(self.factors.moved(k, n_sigma), index)
                yield f"factor_{name}_{way}", sign * events.weight * moved
            prompt = 1.0 + n_sigma * section.prompt_relative
            try:
                factors = self.sources.measured(prompt)
            except DataError as error:
                raise DataError(
                    f"fake_leptons.prompt_relative, prompt leptons × {prompt:g}: {error}"
                ) from error
            own = prompt if is_prompt else 1.0
            yield f"prompt_{way}", sign * own * events.weight * factor_weights(factors, index)
            nominal = self.weights(events, is_prompt=is_prompt)
            yield f"composition_{way}", nominal * (1.0 + n_sigma * composition)

    def weights(self, events: Leptons, *, is_prompt: bool, factors: FakeFactors | None = None) -> Floats:
        """Weights of events with loose leptons in the estimate, shape (n_events,)."""
        sign = -1.0 if is_prompt else 1.0
        return sign * events.weight * factor_weights(factors or self.factors, events.index())

    def compared(self, name: str | None) -> Closure:
        """Tight events, beside the estimate and prompt ones, in bins of the softest lepton's pT.

        Args:
            name: region; None for all events outside that of the measurement.

        Raises:
            DataError: nothing is predicted.
        """
        sources = self.sources
        observed = sources.tight.yields(sources.tight.weight, self._inside(name, sources.tight))
        prompt = np.zeros_like(observed[0]), np.zeros_like(observed[0])
        if sources.prompt_tight is not None:
            one = sources.prompt_tight
            prompt = one.yields(one.weight, self._inside(name, one))
        estimate, variance = self._estimate(name, self.factors)
        moved = {
            str(k): self._estimate(name, self.factors.moved(k, 1.0))[0] + prompt[0]
            for k in range(self.factors.bins.n_bins)
        }
        return closure(estimate + prompt[0], variance + prompt[1], *observed, moved=moved)

    def _estimate(self, name: str | None, factors: FakeFactors) -> tuple[Floats, Floats]:
        total = np.zeros((2, len(self.factors.bins.pt_edges_gev) - 1))
        for events, is_prompt in ((self.sources.loose, False), (self.sources.prompt_loose, True)):
            if events is not None and len(events.table):
                weights = self.weights(events, is_prompt=is_prompt, factors=factors)
                total += events.yields(weights, self._inside(name, events))
        return total[0], total[1]

    def _inside(self, name: str | None, events: Leptons) -> Mask:
        section = self.sources.section
        rows = events.table["probe_flavour"] >= 0
        if name is None:
            return np.asarray(rows & ~self.sources.inside(section.region, events))
        return np.asarray(rows & self.sources.inside(name, events))

    def records(self) -> tuple[FactorBin, ...]:
        """The factors with the leptons that they are made of."""
        section, bins = self.sources.section, self.factors.bins
        none = LeptonCounts(np.zeros(bins.n_bins), np.zeros(bins.n_bins))
        sources = self.sources
        counts = {
            "tight": sources.tight,
            "loose": sources.loose,
            "prompt_tight": sources.prompt_tight,
            "prompt_loose": sources.prompt_loose,
        }
        sums = {name: (sources.counts(events) or none).sumw for name, events in counts.items()}
        return tuple(
            FactorBin(
                name=name,
                where=bins.described(k),
                value=float(self.factors.values[k]),
                error=float(self.factors.errors[k]),
                **{what: float(values[k]) for what, values in sums.items()},
            )
            for k, name in enumerate(section.bins)
        )
