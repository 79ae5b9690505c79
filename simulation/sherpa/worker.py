"""Sherpa in a process of its own, run as a script: it writes to the terminal and ends processes on errors.

    python worker.py integrate PROGRAM
    python worker.py hadrons | partons  SHERPA-ARGUMENT ...

`integrate` becomes Sherpa's own program, which says what is wrong with a run card, as its module does not.
Otherwise the first record on standard output says that Sherpa is ready; then each line on standard input, a
number of events, is answered by that many events and the cross section so far. A record is a length (8 bytes,
little-endian) and an `.npz` archive. What Sherpa itself writes goes to standard error.
"""

import ctypes
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np

# Sherpa's states of a particle (ATOOLS/Phys/Particle.H).
_ACTIVE, _DECAYED = 1, 2
# Status codes as Pythia's: negative for what decayed, from 80 on what hadronisation made.
_PROMPT, _HADRON = 23, 83
_TAU = 15
_FIRST_HADRON = 100  # PDG numbers from there on

Rows = list[tuple[float, ...]]


def _pdg_id(particle: Any) -> int:
    flavour = particle.Flav()
    return int(-flavour.Kfcode() if flavour.IsAnti() else flavour.Kfcode())


def _momentum(particle: Any) -> tuple[float, float, float, float]:
    """(px, py, pz, E) in GeV."""
    p = particle.Momentum()
    return p[1], p[2], p[3], p[0]


def _is_heavy(pdg_id: int) -> bool:
    """Whether it is a hadron with a b or c quark."""
    code = abs(pdg_id)
    return code > _FIRST_HADRON and max(code // 1000 % 10, code // 100 % 10) in (4, 5)


def _made_by_hadrons(blob: Any) -> bool:
    return any(abs(_pdg_id(blob.InPart(i))) > _FIRST_HADRON for i in range(blob.NInP()))


def _particles(blobs: Any) -> Rows:
    """Final particles, decayed τ and heavy hadrons: id, status, row of the mother, momentum."""
    rows: Rows = []
    row_of: dict[int, int] = {}
    for i in range(len(blobs)):
        blob = blobs[i]
        is_late = _made_by_hadrons(blob)
        for k in range(blob.NOutP()):
            particle = blob.OutPart(k)
            state, pdg_id = int(particle.Stat()), _pdg_id(particle)
            is_final = state == _ACTIVE and not particle.HasDecBlob()
            if not is_final and not (state == _DECAYED and (_is_heavy(pdg_id) or abs(pdg_id) == _TAU)):
                continue
            code = _HADRON if is_late or abs(pdg_id) > _FIRST_HADRON else _PROMPT
            mother = row_of.get(blob.InPart(0).Number(), 0) if blob.NInP() == 1 else 0
            row_of[particle.Number()] = len(rows)
            rows.append((pdg_id, code if is_final else -code, mother, *_momentum(particle)))
    return rows


def _partons(blobs: Any) -> Rows:
    """The hard process: id, -1 (incoming) or 1, momentum."""
    blob = next(blobs[i] for i in range(len(blobs)) if blobs[i].TypeSpec().startswith("2_"))
    incoming = [(blob.InPart(i), -1) for i in range(blob.NInP())]
    outgoing = [(blob.OutPart(i), 1) for i in range(blob.NOutP())]
    return [(_pdg_id(p), side, *_momentum(p)) for p, side in incoming + outgoing]


def _events(sherpa: Any, rows_of: Callable[[Any], Rows], n_events: int) -> dict[str, Any]:
    rows: Rows = []
    counts: list[int] = []
    weights: list[float] = []
    while len(counts) < n_events:
        if not sherpa.GenerateOneEvent():
            raise RuntimeError("Sherpa gave no event")
        blobs = sherpa.GetBlobList()
        found = rows_of(blobs)
        rows += found
        counts.append(len(found))
        weights.append(blobs.Weight())
    return {
        "rows": np.array(rows),
        "counts": np.array(counts),
        "weights": np.array(weights),
        "sigma_pb": sherpa.TotalXS(),
        "sigma_error_pb": sherpa.TotalErr(),
    }


def _send(stream: BinaryIO, **arrays: Any) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    stream.write(len(buffer.getvalue()).to_bytes(8, "little") + buffer.getvalue())
    stream.flush()


def _end_with_parent() -> None:
    """On Linux, no process is left behind by a parent that was killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _requests() -> Iterator[int]:
    return (int(line) for line in sys.stdin)


def main() -> None:
    mode, *arguments = sys.argv[1:]
    _end_with_parent()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if mode == "integrate":
        os.execv(arguments[0], [*arguments, "-e", "0"])
    import Sherpa

    argv = ["Sherpa", *arguments]
    sherpa = Sherpa.Sherpa(len(argv), argv)
    sherpa.InitializeTheRun()
    sherpa.InitializeTheEventHandler()
    _send(answers)
    for n_events in _requests():
        _send(answers, **_events(sherpa, {"hadrons": _particles, "partons": _partons}[mode], n_events))
    answers.close()
    # Sherpa's own clean-up may end with an error after all is done.
    os._exit(0)


if __name__ == "__main__":
    main()
