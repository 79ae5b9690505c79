"""Is a constraint earned? The same fit with variations whose sign is flipped at random, event by event."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError
from znought.identity import event_identity
from znought.stats.inference import DataKind, loaded_model
from znought.stats.minimum import fit_at
from znought.stats.systematics import SystematicConfig
from znought.stats.template_sums import PairedTables, differences_of
from znought.stats.templates import RegionTemplates, filled_up
from znought.stats.treatment import (
    TreatmentConfig,
    treated_change,
    treated_variations,
    varied_yields,
)
from znought.stats.workspace import Spec, WorkspaceConfig, build_workspace

__all__ = [
    "ConstraintVerdict",
    "constraint_verdicts",
    "constraints",
    "flip_signs",
    "flipped_templates",
    "replica_constraints",
]

Floats = NDArray[np.float64]
Verdict = Literal["holds", "weak", "fails"]

CONSTRAINED = 0.9
"""A nuisance parameter with a smaller post-fit error, in units of the prior's, counts as constrained."""
_NOISE_P_VALUE = 0.05


@dataclass(frozen=True)
class ConstraintVerdict:
    """Post-fit error of one nuisance parameter beside what noise alone gives.

    Attributes:
        measured: post-fit over prior error.
        replicas: the same for each replica.
        p_value: share of replicas that are constrained as much, (1 + n) / (1 + N).
        verdict: "holds" where it is not constrained, or by what no replica gives; "weak" where the replicas
            are constrained too, but by less; "fails" where noise gives as much.
    """

    parameter: str
    measured: float
    replicas: tuple[float, ...]
    p_value: float
    verdict: Verdict

    def to_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON."""
        return asdict(self)


def flip_signs(identity: NDArray[np.integer], replica: int) -> NDArray[np.int8]:
    """+1 or −1 for each generated event, the same wherever the event appears, shape (n_generated,).

    >>> flip_signs(np.array([5, 6, 5]), 0).tolist()[0] == flip_signs(np.array([5]), 0).tolist()[0]
    True
    """
    zeros = np.zeros(identity.size, np.uint64)
    mixed = event_identity(zeros + np.uint64(replica), zeros, identity, salt="sign_flip")
    return np.where(mixed >> np.uint64(63), -1, 1).astype(np.int8)


def flipped_templates(
    regions: Sequence[RegionTemplates],
    tables: Mapping[str, PairedTables],
    systematics: Mapping[str, SystematicConfig],
    replica: int,
    *,
    config: TreatmentConfig | None = None,
) -> tuple[RegionTemplates, ...]:
    """The templates with each generated event's part of each variation of random sign.

    What is left of a variation is its noise, treated as the variation was: smoothed or not.

    Args:
        regions: templates; variations that `tables` does not hold stay as they are.
        tables: systematic → `znought.stats.template_sums.paired_tables`, at the same luminosity.
        systematics: how each is treated.
        replica: number of the replica; another one has other signs.
        config: limits.
    """
    nominal = {region.name: region.nominal for region in regions}
    found = {region.name: dict(region.variations) for region in regions}
    for name, of_name in tables.items():
        noise = differences_of(
            {key: one.flipped(flip_signs(one.identity, replica)) for key, one in of_name.items()}
        )
        systematic = systematics[name]
        changes = {
            (one.region, one.process): treated_change(noise[one.region, one.process], one.shape, one.norm)
            for one in treated_variations(name, systematic, noise, nominal, config)
        }
        for region, central in nominal.items():
            found[region] |= varied_yields(changes, name, systematic, region, central)
    return tuple(replace(region, variations=found[region.name]) for region in regions)


def constraints(
    spec: Spec, parameters: Collection[str] = (), *, data: DataKind = "expected", mu: float = 1.0
) -> dict[str, float]:
    """Post-fit error of nuisance parameters over that of their prior, by name.

    Args:
        spec: pyhf workspace.
        parameters: which; all that have a constraint of their own if none are named.
        data: fitted data, Asimov data of signal strength `mu` by default.
        mu: see `data`.

    Raises:
        DataError: the fit did not converge.
    """
    with loaded_model(spec, data, mu) as (model, counts):
        best, config = fit_at(model, counts), model.config
        found = {}
        for name in config.par_order:
            group = config.param_set(name)
            if group.constrained and group.n_parameters == 1 and (not parameters or name in parameters):
                found[name] = float(best.errors[config.par_slice(name).start] / group.width()[0])
        return found


def replica_constraints(
    regions: Sequence[RegionTemplates],
    tables: Mapping[str, PairedTables],
    likelihood: WorkspaceConfig,
    *,
    n_replicas: int = 20,
    config: TreatmentConfig | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, tuple[float, ...]]:
    """Constraints that noise alone gives each nuisance parameter: one fit per replica.

    A replica in which a parameter has no effect that is worth keeping leaves it at 1.

    Args:
        regions: treated templates.
        tables: see `flipped_templates`.
        likelihood: settings of the fit.
        n_replicas: how many.
        config: limits of the treatment.
        progress: told how many replicas of how many are done.
    """
    if n_replicas < 1:
        raise CardError(f"n_replicas must be at least 1. Received: {n_replicas}.")
    fits = []
    for replica in range(n_replicas):
        noise = flipped_templates(regions, tables, likelihood.systematics, replica, config=config)
        fits.append(constraints(build_workspace([filled_up(region)[0] for region in noise], likelihood)))
        if progress is not None:
            progress(replica + 1, n_replicas)
    names = dict.fromkeys(name for found in fits for name in found)
    return {name: tuple(found.get(name, 1.0) for found in fits) for name in names}


def constraint_verdicts(
    measured: Mapping[str, float], replicas: Mapping[str, Sequence[float]]
) -> tuple[ConstraintVerdict, ...]:
    """A verdict for every parameter that both hold, the most constrained first.

    Raises:
        DataError: a parameter without replicas.

    >>> [v.verdict for v in constraint_verdicts({"jes": 0.55}, {"jes": [0.46, 0.5, 0.61]})]
    ['fails']
    """
    verdicts = []
    for name in sorted(set(measured) & set(replicas), key=lambda name: measured[name]):
        values = np.asarray(replicas[name], np.float64)
        if not values.size:
            raise DataError(f"{name} has no replica.")
        p_value = float((1 + np.sum(values <= measured[name])) / (1 + values.size))
        verdict = _verdict(measured[name], values)
        verdicts.append(ConstraintVerdict(name, measured[name], tuple(values.tolist()), p_value, verdict))
    return tuple(verdicts)


def _verdict(measured: float, replicas: Floats) -> Verdict:
    if measured >= CONSTRAINED:
        return "holds"
    if np.mean(replicas <= measured) > _NOISE_P_VALUE:
        return "fails"
    return "weak" if np.median(replicas) < CONSTRAINED else "holds"
