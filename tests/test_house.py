"""The house stands as drawn: which room may know which, what a name may stand for, and what a wheel holds."""

import ast
import os
import subprocess
import sys
import zipfile
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from znought.facility.cards.base import Card
from znought.facility.cards.finding import find_analysis, shipped
from znought.facility.cards.reading import load_card
from znought.facility.cards.standard import StandardCard

ROOT = Path(__file__).parent.parent
ROOMS = ("processors", "models", "stats", "plots", "simulation", "facility")
EVERYWHERE = (*ROOMS, "analyses")
OPEN_DOORS = {"errors", "identity", "analysis"}
# Library → where it may be imported.
KEPT_IN = {
    "keras": ("models",),
    "tensorflow": ("models",),
    "coffea": ("processors", "facility/ntuples/runner.py", "facility/filesets/grid.py"),
    "dask": ("facility",),
    "distributed": ("facility", "analyses/vh_bb/stages"),
    "pythia8mc": ("simulation",),
    "Sherpa": ("simulation/sherpa",),
    "mplhep": ("plots",),
    "pyhf": ("stats",),
}
MOST_LINES = 400
# Where a word that is a shipped analysis's name means something else.
OTHER_MEANINGS = {
    "processors/dialects": {"met", "met_track", "met_significance"},  # what a format stores
    "plots/style.py": {"top"},  # a side of the frame
}


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _imported(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def _parts(file: Path) -> set[str]:
    """Rooms and base modules of the package that a file imports."""
    return {m.split(".")[1] for m in _imported(file) if m.startswith("znought.")}


def _sources(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def _where(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "facility"])
def test_a_room_imports_no_other_room(room: str) -> None:
    for file in _sources(room):
        others = _parts(file) & {*EVERYWHERE} - {room}
        assert not others, f"{_where(file)} imports {others}"


def test_the_base_modules_import_no_room() -> None:
    for file in (ROOT / "src/znought").glob("*.py"):
        if file.name != "__init__.py":  # the public face says where each name lives
            assert not _parts(file) & {*EVERYWHERE}, f"{file} knows a room"


def test_nothing_imports_an_analysis_but_an_analysis() -> None:
    """The engine is given them; what ships is found by the entry points alone."""
    for file in [*(ROOT / "src/znought").glob("*.py"), *(f for room in ROOMS for f in _sources(room))]:
        assert "analyses" not in _parts(file), f"{_where(file)} imports an analysis"
    names = [folder.name for folder in (ROOT / "analyses").iterdir() if (folder / "analysis.py").is_file()]
    assert len(names) >= 2
    for name in names:
        others = {m.split(".")[2] for f in _sources(f"analyses/{name}") for m in _imported(f) if _is_of(m)}
        assert others <= {name}, f"{name} imports {others}"


def _is_of(module: str) -> bool:
    return module.startswith("znought.analyses.")


def test_rooms_stand_in_no_circle() -> None:
    known = {room: set[str]() for room in EVERYWHERE}
    for room in EVERYWHERE:
        for file in _sources(room):
            known[room] |= _parts(file) & {*EVERYWHERE} - {room}
    order = list(TopologicalSorter(known).static_order())
    assert set(order) == {*EVERYWHERE}
    assert order[-2:] == ["facility", "analyses"]


@pytest.mark.parametrize("library", KEPT_IN)
def test_a_library_stays_in_its_room(library: str) -> None:
    found = False
    for room in EVERYWHERE:
        for file in _sources(room):
            if library in {module.split(".")[0] for module in _imported(file)}:
                found = True
                assert _where(file).startswith(KEPT_IN[library]), f"{_where(file)} imports {library}"
    assert found, f"{library} is not used: what is it kept for?"


def test_no_file_is_too_long() -> None:
    files = [file for room in EVERYWHERE for file in _sources(room)]
    lengths = {_where(file): len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    assert {name: n for name, n in lengths.items() if n > MOST_LINES} == {}


def _names() -> set[str]:
    """Every name that a shipped analysis or its card gives to something."""
    names: set[str] = set()
    for path in sorted((ROOT / "analyses").glob("*.yaml")):
        card = load_card(path)
        assert isinstance(card, Card)
        analysis = find_analysis(card.analysis, card.folder).analysis
        names |= {analysis.name, *analysis.variable_names, *analysis.channels}
        names |= {*analysis.processes, *analysis.recipes, *card.processes, *card.datasets}
        names |= set(card.classes) if isinstance(card, StandardCard) else set()
    assert names >= {*shipped(), "m_jj", "ptb1", "VH", "vh", "0L"}
    return names - {"data"}


def _literals(file: Path) -> set[str]:
    return {
        node.value
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_rooms_spell_no_name_of_an_analysis() -> None:
    names, offenders = _names(), dict[str, set[str]]()
    used = {place: set[str]() for place in OTHER_MEANINGS}
    for file in [*(ROOT / "src/znought").glob("*.py"), *(f for room in ROOMS for f in _sources(room))]:
        spelt = _literals(file) & names
        for place, words in OTHER_MEANINGS.items():
            if _where(file).startswith(place):
                used[place] |= spelt & words
                spelt -= words
        if spelt:
            offenders[_where(file)] = spelt
    assert offenders == {}
    assert used == OTHER_MEANINGS


def test_light_modules_do_not_load_tensorflow() -> None:
    code = (
        "import sys, znought.facility.cli, znought.models.folds;"
        "heavy = {'tensorflow', 'keras', 'pythia8mc'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_card_is_read_without_what_only_stages_need() -> None:
    """Half a second of imports each: a mistake in a card answers within one."""
    code = (
        "import sys, znought.facility.cards.printed;"
        "heavy = {'scipy.stats', 'awkward', 'uproot', 'coffea', 'distributed', 'sklearn', 'pyhf',"
        "'matplotlib'};"
        "heavy &= set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_columns_of_an_analysis_are_known_without_schemas_of_events() -> None:
    """What makes its columns itself need not wait a second for them where its card has a mistake."""
    code = "import sys, znought.analyses.vh_ww.analysis; assert 'coffea.nanoevents' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def _tracked() -> set[str]:
    git = ["git", "-C", str(ROOT), "ls-files", "-z", "--", *EVERYWHERE, "src"]
    listing = subprocess.run(git, check=True, capture_output=True, text=True).stdout
    names = {name.removeprefix("src/znought/") for name in listing.split("\0") if name}
    return {f"znought/{name}" for name in names if "." in name}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source, dist = folder / "source", folder / "dist"
    # From the index, so that neither a stale build folder nor an untracked file can slip in.
    subprocess.run(["git", "-C", str(ROOT), "checkout-index", "-a", f"--prefix={source}/"], check=True)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", f"--outdir={dist}", str(source)]
    subprocess.run(build, check=True, capture_output=True)
    (built,) = dist.glob("*.whl")
    return built


def test_what_the_wheel_brings_works_without_a_clone(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")

    surroundings = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}

    def printed(*arguments: str, folder: Path = tmp_path) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(
            command, cwd=folder, env=surroundings, check=True, capture_output=True, text=True
        )
        return done.stdout

    assert printed("-c", "import znought; print(znought.__file__)").startswith(str(tmp_path))
    assert "x/x.yaml" in printed("-m", "znought.facility.cli", "init", "x")
    assert "pass" in printed("-m", "znought.facility.cli", "check", folder=tmp_path / "x")


def test_the_wheel_holds_the_tracked_files_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        (points,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        registered = archive.read(points).decode()
    assert held == _tracked()
    assert {"znought/analyses/vh_ww.yaml", "znought/analyses/vh_ww/analysis.py"} <= held
    for name, target in shipped().items():
        assert f"{name} = {target}" in registered
