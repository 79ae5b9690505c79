"""Whether yields stand at the luminosity, cross sections and sums of weights that they should."""

from collections.abc import Mapping

import numpy as np

from znought.stats.referee.record import Check, Verdict, above, not_applicable

__all__ = ["scales_again", "sums_again", "yield_of_data"]

_RELATIVE = 1e-6
_WARN, _FAIL = 2.0, 3.0
_SUMS = "sums of generator weights against those that the files hold"


def scales_again(stored: Mapping[str, float], again: Mapping[str, float]) -> Check:
    """Each dataset's scale is L σ k ε / Σw with the card's luminosity and cross section.

    Args:
        stored: dataset → expected events per unit of generator weight, as yields have it.
        again: the same from the card, with the stored Σw and ε.
    """
    shift = {name: abs(stored[name] / again[name] - 1.0) for name in again}
    name = max(shift, key=lambda one: shift[one])
    return Check(
        name="normalisation",
        tested=f"L σ k ε / Σw of {len(again)} datasets, from the card",
        verdict=above(shift[name], warn=_RELATIVE, fail=_RELATIVE),
        measured=f"largest relative difference {shift[name]:.2g} ({name})",
        value=shift[name],
        limit=_RELATIVE,
        advice="The columns have another luminosity or cross section: `znought run --from process`.",
        unseen="a luminosity or cross section that is wrong in the card.",
        parts={one: (value, 0.0) for one, value in shift.items() if value > _RELATIVE},
    )


def sums_again(stored: Mapping[str, float], files: Mapping[str, float | None], reason: str = "") -> Check:
    """Each Σw is that of all generated events, as the files give it, and not that of a skim.

    Args:
        stored: dataset → Σw that its scale was made with.
        files: the same from the files now; None where they cannot be read or hold none.
        reason: why they cannot.
    """
    known = {name: value for name, value in files.items() if value is not None}
    if not known:
        return not_applicable("sums of weights", _SUMS, reason or "the files cannot be read from here")
    shift = {name: abs(stored[name] / value - 1.0) for name, value in known.items()}
    name = max(shift, key=lambda one: shift[one])
    verdict: Verdict = above(shift[name], warn=_RELATIVE, fail=_RELATIVE)
    partly = len(stored) - len(known)
    return Check(
        name="sums of weights",
        tested=_SUMS,
        verdict="warn" if verdict == "pass" and partly else verdict,
        measured=(
            f"largest relative difference {shift[name]:.2g} ({name}); {partly} of {len(stored)} not read"
        ),
        value=shift[name],
        limit=_RELATIVE,
        advice="Give `generated_sumw` of the unskimmed dataset.",
        unseen="files that were skimmed together with their sums.",
        parts={one: (value, 0.0) for one, value in shift.items() if value > _RELATIVE},
    )


def yield_of_data(n_data: int, expected: float, mc_error: float, systematic: float, *, where: str) -> Check:
    """As many data as expected, where no signal is looked for.

    A difference beyond 2 statistical errors warns; one beyond 3, and 2 of all uncertainties, fails.

    Args:
        n_data: events.
        expected: at their luminosity.
        mc_error: of `expected`, from the simulated sample.
        systematic: of `expected`, from all systematics.
        where: of the events, in words.

    >>> yield_of_data(212, 230.0, 4.0, 44.0, where="outside the signal region").verdict
    'pass'
    """
    statistical = float(np.sqrt(expected + mc_error**2))
    total = float(np.hypot(statistical, systematic))
    difference = abs(n_data - expected)
    value = difference / statistical
    verdict = above(value, warn=_WARN, fail=_FAIL)
    if verdict == "fail" and difference <= _WARN * total:
        verdict = "warn"
    ratio, relative = n_data / expected, (statistical / expected, systematic / expected)
    warned, failed = _WARN * relative[0], max(_FAIL * statistical, _WARN * total) / expected
    return Check(
        name="yield of data",
        tested=f"{n_data:,} data events {where} against simulation",
        verdict=verdict,
        measured=f"ratio {ratio:.3f} ± {relative[0]:.3f} (stat.) ± {relative[1]:.3f} (syst.)",
        value=value,
        limit=_FAIL,
        advice="Look at luminosity, cross sections and sums of weights.",
        unseen=f"ratios closer to 1 than {warned:.0%} (warns) and {failed:.0%} (fails).",
        parts={"data": (float(n_data), 0.0), "simulation": (expected, total)},
    )
