"""The house stands as drawn: which room may know which, and what a wheel holds."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("processors", "models", "stats", "plots", "simulation", "facility")
OPEN_DOORS = {"errors", "identity", "analysis"}
# Library → where it may be imported.
KEPT_IN = {
    "keras": ("models",),
    "tensorflow": ("models",),
    "coffea": ("processors", "facility/runner.py"),
    "dask": ("facility",),
    "distributed": ("facility",),
    "pythia8mc": ("simulation",),
    "mplhep": ("plots",),
    "pyhf": ("stats",),
}


def _imported(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def _sources(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_no_other_room(room: str) -> None:
    if room == "facility":
        return
    for file in _sources(room):
        for module in _imported(file):
            parts = module.split(".")
            if parts[0] == "znought" and len(parts) > 1:
                assert parts[1] in OPEN_DOORS | {room}, f"{file} imports {module}"


def test_the_base_modules_import_no_room() -> None:
    for file in (ROOT / "src/znought").glob("*.py"):
        if file.name == "__init__.py":
            continue  # the public face names every room, and imports none until it is asked
        modules = {m.split(".")[1] for m in _imported(file) if m.startswith("znought.")}
        assert not modules & set(ROOMS), f"{file} knows a room"


@pytest.mark.parametrize("library", KEPT_IN)
def test_a_library_stays_in_its_room(library: str) -> None:
    for room in ROOMS:
        for file in _sources(room):
            where = file.relative_to(ROOT).as_posix()
            if library in {module.split(".")[0] for module in _imported(file)}:
                assert where.startswith(KEPT_IN[library]), f"{where} imports {library}"


def test_light_modules_do_not_load_tensorflow() -> None:
    code = (
        "import sys, znought.facility.cli, znought.models.folds;"
        "heavy = {'tensorflow', 'keras', 'pythia8mc'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def _tracked() -> set[str]:
    git = ["git", "-C", str(ROOT), "ls-files", "-z", "--", *ROOMS, "analyses", "src"]
    listing = subprocess.run(git, check=True, capture_output=True, text=True).stdout
    names = {name.removeprefix("src/znought/") for name in listing.split("\0") if name}
    return {f"znought/{name}" for name in names if "." in name}


def test_the_wheel_holds_the_tracked_files_and_nothing_else(tmp_path: Path) -> None:
    source, dist = tmp_path / "source", tmp_path / "dist"
    # From the index, so that neither a stale build folder nor an untracked file can slip in.
    subprocess.run(["git", "-C", str(ROOT), "checkout-index", "-a", f"--prefix={source}/"], check=True)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", f"--outdir={dist}", str(source)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == _tracked()
