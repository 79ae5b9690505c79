"""Ctrl-C in any stage loses nothing: the same command again resumes, and the numbers are the same."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.integration.conftest import Finished
from tests.signals import hear_signals

STAGES = ("simulate", "process", "validate", "train", "score", "optimise", "fit", "plot")


def _interrupted(finished: Finished, output: Path, stage: str) -> str:
    """Runs the flow and presses Ctrl-C as soon as a stage has begun; what it printed until the end."""
    command = [sys.executable, "-m", "znought.facility.cli", "run", str(finished.card)]
    printed = []
    with subprocess.Popen(
        [*command, "--output", str(output), "--workers", "2"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        preexec_fn=hear_signals,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            printed.append(line)
            if line.startswith(stage) and line.rstrip().endswith("…"):
                process.send_signal(signal.SIGINT)
        assert process.wait(timeout=120) == 130, "".join(printed)
    return "".join(printed)


def test_every_stage_resumes(finished: Finished, tmp_path: Path) -> None:
    assert "dashboard of local: http://127.0.0.1:" in finished.printed
    output = tmp_path / "output"
    for i, stage in enumerate(STAGES):
        printed = _interrupted(finished, output, stage)
        assert "Interrupted: the same command again resumes." in printed
        assert "Traceback" not in printed
        assert printed.count("still valid") == max(i - 1, 0)
    command = [sys.executable, "-m", "znought.facility.cli", "run", str(finished.card)]
    subprocess.run([*command, "--output", str(output), "--workers", "2"], check=True, capture_output=True)
    for name in ("results.json", "cutflow.json"):
        assert json.loads((output / name).read_text()) == json.loads((finished.output / name).read_text())
