"""Sherpa in a process of its own, run as a script: it writes to the terminal and ends processes on errors.

    python worker.py integrate PROGRAM
    python worker.py showered | partons  SHERPA-ARGUMENT ...

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

Rows = list[tuple[float, ...]]

_FINAL = 1  # Sherpa's state of an active particle (ATOOLS/Phys/Particle.H)


def _pdg_id(particle: Any) -> int:
    flavour = particle.Flav()
    return int(-flavour.Kfcode() if flavour.IsAnti() else flavour.Kfcode())


def _momentum(particle: Any) -> tuple[float, float, float, float]:
    """(px, py, pz, E) in GeV."""
    p = particle.Momentum()
    return p[1], p[2], p[3], p[0]


def _showered(blobs: Any) -> Rows:
    """What hadronisation starts from: id, colour, anticolour, momentum of each parton, remnant and lepton."""
    return [
        (_pdg_id(particle), particle.GetFlow(1), particle.GetFlow(2), *_momentum(particle))
        for blob in (blobs[i] for i in range(len(blobs)))
        for particle in (blob.OutPart(k) for k in range(blob.NOutP()))
        if int(particle.Stat()) == _FINAL and not particle.HasDecBlob()
    ]


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
        _send(answers, **_events(sherpa, {"showered": _showered, "partons": _partons}[mode], n_events))
    answers.close()
    # Sherpa's own clean-up may end with an error after all is done.
    os._exit(0)


if __name__ == "__main__":
    main()
