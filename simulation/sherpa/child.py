"""A Sherpa in a process of its own: what it is asked, what it answers, and one line when it fails."""

import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.simulation.sherpa.installed import environment

__all__ = ["Child", "Mode"]

Mode = Literal["integrate", "showered", "partons"]

_WORKER = Path(__file__).with_name("worker.py")
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
_TELLING = re.compile(
    r"error|exception|does not exist|not found|no event|cannot|invalid|please specify", re.IGNORECASE
)


class Child:
    """One Sherpa at work in a folder with its run card; `close` ends it."""

    def __init__(self, mode: Mode, folder: Path, name: str, *arguments: str) -> None:
        self._log = folder / "sherpa.log"
        self._name = name
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_WORKER), mode, *arguments],
                cwd=folder,
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def answer(self) -> dict[str, NDArray[Any]]:
        """The next record.

        Raises:
            DataError: Sherpa ended without one.
        """
        assert self._process.stdout is not None
        length = self._process.stdout.read(8)
        content = self._process.stdout.read(int.from_bytes(length, "little"))
        if len(length) < 8 or len(content) < int.from_bytes(length, "little"):
            raise DataError(f"Sherpa stopped on recipe {self._name!r}: {self._reason()}")
        with np.load(io.BytesIO(content)) as arrays:
            return dict(arrays)

    def finish(self) -> None:
        """Waits for its end.

        Raises:
            DataError: it ended with an error.
        """
        if self._process.wait():
            raise DataError(f"Sherpa stopped on recipe {self._name!r}: {self._reason()}")

    def events(self, n_events: int) -> dict[str, NDArray[Any]]:
        """The next events, as the worker says them."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{n_events}\n".encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says why
        return self.answer()

    def close(self) -> None:
        """Ends the process, if it has not ended by itself."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _reason(self) -> str:
        """The first line of its log that tells what went wrong, or the last one."""
        code = self._process.wait()
        lines = [_COLOUR.sub("", line).strip() for line in self._log.read_text(errors="replace").splitlines()]
        lines = [line for line in lines if any(character.isalpha() for character in line)]
        telling = [line for line in lines if _TELLING.search(line)]
        # "Critical error thrown:" stands alone on a line, the reason on the next.
        told = next((line for line in telling if not line.endswith(":")), lines[-1] if lines else "no output")
        return f"{told} (status {code})"
