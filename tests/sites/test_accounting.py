"""A Slurm that keeps accounts, and refuses one that is not the user's."""

import subprocess
import sys
from pathlib import Path

ACCOUNTING = Path(__file__).with_name("accounting.sh")


def test_a_wrong_account_is_refused_before_any_work(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "znought.facility.cli", "sites", "--check", "slurm"]
    command += ["--account", "nobody", "--workers", "1", "--memory", "1GiB"]
    done = subprocess.run([ACCOUNTING, *command], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert (
        "sbatch refused the job: sbatch: error: Batch job submission failed: Invalid account" in done.stderr
    )
    assert "--account" in done.stderr
    assert "Traceback" not in done.stderr
