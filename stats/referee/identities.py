"""Whether every event counts once, in one region, and in the fold of its identity."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.stats.referee.record import Check

__all__ = ["counted_once", "folds_by_identity", "in_one_region"]

_CONTINUOUS = 0.3
"""A column with more distinct values per row than this tells events apart, even when all are doubled."""
_COLUMNS = 2


def counted_once(
    identity: ArrayLike,
    response: ArrayLike,
    dataset: ArrayLike,
    names: Sequence[str],
    content: ArrayLike,
    weight: ArrayLike,
) -> Check:
    """No row is there twice: by identity and detector response, or with the same content as another event.

    Args:
        identity: integer of the event behind every row, shape (n_rows,). The dataset is part of it in
            simulation, whose generators number from one, and not in data.
        response: number of its detector response, shape (n_rows,).
        dataset: index into `names`, shape (n_rows,).
        names: of the datasets.
        content: values that differ from event to event, shape (n_rows, n_columns).
        weight: of every row, shape (n_rows,): rows of one event may look alike where theirs differ, for
            what no column holds, such as the charge of a lepton.

    Returns:
        The rows that repeat others; a single one fails.
    """
    keys = np.stack([np.asarray(identity).astype(np.uint64), np.asarray(response).astype(np.uint64)], axis=1)
    repeated = _repeats(keys)
    table = np.asarray(content, np.float64)
    telling = [i for i in range(table.shape[1]) if _distinct_share(table[:, i]) > _CONTINUOUS]
    unseen = ""
    if len(telling) >= _COLUMNS:
        numbers = np.asarray(identity).astype(np.uint64).view(np.float64)
        of_event = np.column_stack([numbers, table[:, telling]])
        repeated |= _repeats(np.column_stack([of_event, np.asarray(weight, np.float64)]))
        own = ~_repeats(of_event)
        repeated[own] |= _repeats(table[own][:, telling])
    else:
        unseen = "events copied under other numbers: too few columns tell events apart."
    rows = np.asarray(dataset)[repeated]
    found = {name: int(np.sum(rows == i)) for i, name in enumerate(names)}
    found = {name: n for name, n in found.items() if n}
    n_rows = int(repeated.sum())
    return Check(
        name="events counted once",
        tested=f"identity, response and content of {len(keys):,} rows of {len(names)} datasets",
        verdict="fail" if n_rows else "pass",
        measured=f"{n_rows:,} rows repeat others" + (f" ({_listed(found)})" if found else ""),
        value=float(n_rows),
        limit=0.0,
        advice="Leave out the file or dataset that is read twice, or the primary dataset that shares events.",
        unseen=unseen,
        parts={name: (float(n), 0.0) for name, n in found.items()},
    )


def in_one_region(membership: Mapping[str, ArrayLike]) -> Check:
    """No event counts in two regions of the likelihood.

    Args:
        membership: region → whether each row lies in it, shape (n_rows,).

    >>> in_one_region({"SR": [True, False], "CR": [False, True]}).verdict
    'pass'
    >>> in_one_region({"SR": [True, False], "CR": [True, True]}).measured
    '1 row in two regions (SR and CR)'
    """
    masks = {name: np.asarray(mask, np.bool_) for name, mask in membership.items()}
    names = list(masks)
    pairs = {
        f"{one} and {two}": int(np.sum(masks[one] & masks[two]))
        for i, one in enumerate(names)
        for two in names[i + 1 :]
    }
    shared = {pair: n for pair, n in pairs.items() if n}
    n_rows = int(np.sum(np.sum(list(masks.values()), axis=0) > 1)) if masks else 0
    text = f"{n_rows:,} row{'' if n_rows == 1 else 's'} in two regions"
    return Check(
        name="one region per event",
        tested=f"cuts of {', '.join(names)}",
        verdict="fail" if n_rows else "pass",
        measured=text + (f" ({', '.join(shared)})" if shared else ""),
        value=float(n_rows),
        limit=0.0,
        advice="Make the regions exclude each other: the fit takes them as independent.",
        parts={pair: (float(n), 0.0) for pair, n in shared.items()},
    )


def folds_by_identity(
    stored: Mapping[str, NDArray[np.integer]], expected: Mapping[str, NDArray[np.integer]]
) -> Check:
    """Every event, of whatever kind or variation, has the fold that its identity gives.

    Args:
        stored: kind of events ("data", "jes_up", …) → fold beside their scores, shape (n_rows,).
        expected: the same from run, luminosity block and event.
    """
    wrong = {kind: int(np.sum(folds != expected[kind])) for kind, folds in stored.items()}
    n_rows, total = sum(wrong.values()), sum(folds.size for folds in stored.values())
    found = {kind: n for kind, n in wrong.items() if n}
    return Check(
        name="folds by identity",
        tested=f"{total:,} rows of {', '.join(stored)}",
        verdict="fail" if n_rows else "pass",
        measured=f"{n_rows:,} rows in another fold" + (f" ({_listed(found)})" if found else ""),
        value=float(n_rows),
        limit=0.0,
        advice="Run `znought run --from score`: another fold's network has seen the event.",
        parts={kind: (float(n), 0.0) for kind, n in found.items()},
    )


def _repeats(table: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Rows of a table that an earlier row equals."""
    packed = np.ascontiguousarray(table).view(np.dtype((np.void, table.dtype.itemsize * table.shape[1])))
    _, first = np.unique(packed.ravel(), return_index=True)
    found = np.ones(len(table), np.bool_)
    found[first] = False
    return found


def _distinct_share(values: NDArray[np.float64]) -> float:
    return np.unique(values).size / values.size if values.size else 0.0


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items())
