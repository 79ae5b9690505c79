"""Rows of a response in which a jet is taken for a lepton, or an electron has the wrong charge, by weight.

What may be otherwise in an event becomes a row of its own whose weight is multiplied with the probability;
nothing is picked at random but in pseudo-data, where every row has the weight one.

Of one prompt lepton and each jet in the acceptance of leptons there are four rows: a tight candidate of the
other flavour and a loose one that is not tight, each with both charges at half the weight. The jet leaves the
list of jets; what the candidate leaves of it stays in the soft terms. The candidate's track is one of the
jet's, and so in the track-based missing momentum before. At most one jet of an event is taken for a lepton.

A candidate with the share z of the jet's momentum is loose if the rest of the jet lets it: 80 % of that lies
in the cone, which is assumed, and must be below 0.6 of the lepton's, so that z > 0.57. The isolation that is
written tells tight from loose, as rates have it: even in [0, 0.15), and in [0.15, 0.6).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from znought.simulation.config import DetectorConfig, MisidentificationConfig
from znought.simulation.detector import (
    PROMPT,
    Jets,
    Leptons,
    Response,
    object_significance,
    rows_at,
    sorted_leptons,
    vector_sum,
)
from znought.simulation.misidentification import candidate_rate, flip_rate, momentum_share, tight_share

__all__ = ["Copies", "misidentified_leptons", "with_drawn_charges", "with_flipped_charges"]

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

ISOLATION_TIGHT, ISOLATION_LOOSE = 0.15, 0.6
CONE_SHARE = 0.8
SHARE_MIN = CONE_SHARE / (CONE_SHARE + ISOLATION_LOOSE)
N_JETS_MIN = 2


@dataclass(frozen=True)
class Copies:
    """Rows of a response, of which an event may have several.

    Attributes:
        response: the rows.
        weight: factor on the weight of each row's event, shape (n_rows,).
    """

    response: Response
    weight: Array


@dataclass(frozen=True)
class _Candidates:
    """Jets that may be taken for leptons, one a row.

    Attributes:
        row: of the response.
        jet: place in the row.
        pt: of the lepton, GeV.
        rate: probability of a loose candidate.
        tight: share of them that is tight.
        is_electron: flavour.
    """

    row: Rows
    jet: Rows
    pt: Array
    rate: Array
    tight: Array
    is_electron: NDArray[np.bool_]


def misidentified_leptons(
    seen: Response, config: MisidentificationConfig, detector: DetectorConfig, rng: np.random.Generator
) -> Copies:
    """Rows with a prompt lepton and a jet taken for one of the other flavour.

    Args:
        seen: events with leptons and jets; those with one lepton count.
        config: rates.
        detector: of the response.
        rng: random numbers for momentum and isolation of the candidates.
    """
    found = _candidates(seen, config, rng)
    n = len(found.row)
    copy = np.repeat(np.arange(n), 4)
    is_tight, is_positive = np.tile([True, True, False, False], n), np.tile([True, False], 2 * n)
    share = np.where(is_tight, found.tight[copy], 1.0 - found.tight[copy])
    weight = 0.5 * found.rate[copy] * share
    kept = np.flatnonzero(weight > 0.0)
    copy = copy[kept]
    leptons = _leptons(seen.jets, found, copy, is_positive[kept], _isolation(is_tight[kept], rng))
    rows = rows_at(seen, found.row[copy])
    return Copies(_converted(rows, found.jet[copy], leptons, detector), weight[kept])


def _isolation(is_tight: NDArray[np.bool_], rng: np.random.Generator) -> Array:
    low, high = np.where(is_tight, [[0.0], [ISOLATION_TIGHT]], [[ISOLATION_TIGHT], [ISOLATION_LOOSE]])
    return np.asarray(low + (high - low) * rng.random(len(is_tight)))


def _leptons(
    jets: Jets, found: _Candidates, copy: Rows, is_positive: NDArray[np.bool_], isolation: Array
) -> Leptons:
    """Candidates as leptons, shape (n_copies, 1)."""
    row, jet = found.row[copy], found.jet[copy]
    pdg_id = np.where(found.is_electron[copy], 11, 13) * np.where(is_positive, -1, 1)
    return Leptons(
        pt=found.pt[copy, None],
        eta=jets.eta[row, jet, None],
        phi=jets.phi[row, jet, None],
        pdg_id=pdg_id.astype(np.int32)[:, None],
        isolation=isolation[:, None],
        origin=jets.flavour[row, jet, None],
    )


def _candidates(seen: Response, config: MisidentificationConfig, rng: np.random.Generator) -> _Candidates:
    leptons, jets = seen.leptons, seen.jets
    is_found = leptons.pt > 0.0
    single = np.sum(is_found, axis=1) == 1
    prompt_id = np.sum(np.where(is_found, np.abs(leptons.pdg_id), 0), axis=1)
    is_electron = np.broadcast_to((prompt_id == 13)[:, None], jets.pt.shape)
    share, chance = momentum_share(jets.pt, jets.eta, jets.flavour, rng, least=SHARE_MIN)
    rate = chance * candidate_rate(jets.pt, jets.eta, jets.flavour, is_electron, config)
    pt = jets.pt * share
    enough = np.sum(jets.pt > 0.0, axis=1) > N_JETS_MIN
    may = (rate > 0.0) & (pt > config.pt_min_gev) & (single & enough)[:, None]
    row, jet = np.nonzero(may)
    pt, eta, is_electron = pt[row, jet], jets.eta[row, jet], is_electron[row, jet]
    tight = tight_share(pt, eta, is_electron, config)
    return _Candidates(row, jet, pt, rate[row, jet], tight, is_electron)


def _converted(rows: Response, jet: Rows, new: Leptons, detector: DetectorConfig) -> Response:
    """The rows with one jet of each, at place `jet`, replaced by a lepton, shape (n_rows, 1)."""
    at = np.arange(len(jet)), jet
    left = rows.jets.pt[at] - new.pt[:, 0]
    met = rows.met + (1.0 - detector.met_soft_response) * vector_sum(left[:, None], new.phi)
    pairs = zip(vars(rows.leptons).values(), vars(new).values(), strict=True)
    leptons = sorted_leptons(Leptons(*(np.concatenate(pair, axis=1) for pair in pairs)))
    jets = _without(rows.jets, at)
    return replace(
        rows,
        leptons=leptons,
        jets=jets,
        met=met,
        met_significance=object_significance(met, leptons, jets, detector, rows.n_pile_up),
        soft_activity=rows.soft_activity + detector.met_soft_response * left,
    )


def _without(jets: Jets, at: tuple[Rows, Rows]) -> Jets:
    """Jets of which one of each row is padding."""
    values = {name: array.copy() for name, array in vars(jets).items()}
    for array in values.values():
        array[at] = 0
    return Jets(**values)


def with_flipped_charges(copies: Copies, *, times: float) -> Copies:
    """The same rows, and behind them one with the other charge of each prompt electron.

    Two wrong charges in one row are left out.

    Args:
        copies: rows.
        times: factor on the weight of rows with a wrong charge: n where they stand in one of n responses
            for all of them, 0 where another response has them.
    """
    rate = _flip_rates(copies.response)
    as_it_is = copies.weight * (1.0 - np.sum(rate, axis=1))
    row, place = np.nonzero(rate * times)
    index = np.concatenate([np.arange(len(as_it_is)), row])
    flipped = np.zeros((len(index), rate.shape[1]), np.bool_)
    flipped[np.arange(len(as_it_is), len(index)), place] = True
    weight = np.concatenate([as_it_is, times * copies.weight[row] * rate[row, place]])
    return Copies(_flipped(rows_at(copies.response, index), flipped), weight)


def with_drawn_charges(seen: Response, rng: np.random.Generator) -> Response:
    """The same rows with the other charge of some prompt electrons, as recorded data have them."""
    rate = _flip_rates(seen)
    return _flipped(seen, rng.random(rate.shape) < rate)


def _flip_rates(seen: Response) -> Array:
    """Probability of each lepton to have the wrong charge, shape (n_rows, n_leptons)."""
    leptons = seen.leptons
    is_electron = (np.abs(leptons.pdg_id) == 11) & (leptons.pt > 0.0) & (leptons.origin == PROMPT)
    return np.where(is_electron, flip_rate(leptons.eta), 0.0)


def _flipped(seen: Response, which: NDArray[np.bool_]) -> Response:
    leptons = seen.leptons
    return replace(seen, leptons=replace(leptons, pdg_id=np.where(which, -leptons.pdg_id, leptons.pdg_id)))
