"""An analysis is found by name, by a file beside the card, or by module; mistakes are named in one line."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from znought.analysis import Analysis, Variable
from znought.errors import CardError
from znought.facility.cards.finding import find_analysis, given_analysis, shipped

MINE = """
from helping import column
from znought.analysis import Analysis

ANALYSIS = Analysis("mine", columns=column)
"""
HELPING = """
import math
from deeper import NUMBER

def column(chunk, request):
    return {}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Three files beside one another, of which one is named by nobody."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    texts = {"mine": MINE, "helping": HELPING, "deeper": "NUMBER = 1\n", "unused": "1 / 0\n"}
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    yield tmp_path
    for name in (*texts, "numbers"):
        if Path(getattr(sys.modules.get(name), "__file__", None) or "/").parent == tmp_path:
            del sys.modules[name]


def test_what_ships_is_found_by_its_name_from_anywhere(tmp_path: Path) -> None:
    assert set(shipped()) >= {"vh_ww", "vh_bb_smeft"}
    for name, target in shipped().items():
        found = find_analysis(name, tmp_path)
        assert found.analysis.name == name
        assert found.roots == (target.partition(":")[0],)
        assert found.modules == {}
        assert find_analysis(target, tmp_path).analysis is found.analysis


def test_a_file_beside_the_card_is_found_with_what_it_imports(folder: Path) -> None:
    found = find_analysis("mine.py", folder)
    assert found.analysis.name == "mine"
    assert found.modules == {name: folder / f"{name}.py" for name in ("mine", "helping", "deeper")}
    assert found.roots == ()


def test_an_edited_file_is_read_anew(folder: Path) -> None:
    assert find_analysis("mine.py", folder).analysis.name == "mine"
    (folder / "mine.py").write_text(MINE.replace('"mine"', '"another"'))
    assert find_analysis("mine.py", folder).analysis.name == "another"


def test_two_cards_with_files_of_one_name_have_their_own(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.py").write_text(
        "from znought.analysis import Analysis\nANALYSIS = Analysis('o', columns=len)"
    )
    assert find_analysis("mine.py", folder).analysis.name == "mine"
    assert find_analysis("mine.py", other).analysis.name == "o"
    assert find_analysis("mine.py", folder).analysis.name == "mine"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vh_w", None, r"Unknown analysis 'vh_w', did you mean 'vh_ww'\?.*Or name a file beside the card"),
        ("absent.py", None, r"no such file .*absent\.py"),
        (
            "znought.nowhere:ANALYSIS",
            None,
            r"'znought\.nowhere:ANALYSIS' cannot be imported: No module named",
        ),
        ("znought.analysis:NOTHING", None, "'znought.analysis:NOTHING' cannot be imported: .*NOTHING"),
        (
            "znought.analysis:RESERVED",
            None,
            "'znought.analysis:RESERVED' is a frozenset, expected an Analysis",
        ),
        ("mine.py", "x = 1\n", r"mine\.py defines no ANALYSIS"),
        ("mine.py", "ANALYSIS = 3\n", r"mine\.py' is a int, expected an Analysis"),
        ("mine.py", "x = (\n", r"mine\.py, line 1: '\(' was never closed"),
        (
            "mine.py",
            "x = 1\ny = 1 / 0\n",
            r"mine\.py, line 2 cannot be imported: ZeroDivisionError: division",
        ),
        ("mine.py", "import unused\n", r"mine\.py, line 1 cannot be imported: ZeroDivisionError"),
        (
            "mine.py",
            "import numpyy\n",
            r"mine\.py, line 1 cannot be imported: ModuleNotFoundError: .*'numpyy'",
        ),
        (
            "mine.py",
            "from znought.analysis import Variable\nVariable('a b')\n",
            "Variable 'a b': expected a name",
        ),
    ],
)
def test_a_mistake_is_one_line(folder: Path, name: str, content: str | None, message: str) -> None:
    if content is not None:
        (folder / "mine.py").write_text(content)
    with pytest.raises(CardError, match=message) as caught:
        find_analysis(name, folder)
    assert "\n" not in str(caught.value)


def test_a_file_called_like_a_library_is_refused(folder: Path) -> None:
    """Importing it would bring another module, or take that module's place for everybody."""
    (folder / "numbers.py").write_text(MINE)
    import numbers

    with pytest.raises(CardError, match=r"numbers\.py has the name of another module, numbers; rename"):
        find_analysis("numbers.py", folder)
    assert sys.modules["numbers"] is numbers


def _digest(cut: str, bins: int = 5) -> str:
    space: dict[str, object] = {}
    exec(f"def select(o, cuts):\n    return {{'cut': o['x'] {cut}}}\n", space)
    variable = Variable("x", lambda o: o["x"], bins=(bins, 0, 10))
    analysis = Analysis("n", objects=len, select=space["select"], variables=(variable,))  # type: ignore[arg-type]
    return given_analysis(analysis).digest


def test_functions_of_a_notebook_are_told_apart_by_what_they_do() -> None:
    assert _digest("> 1") == _digest("> 1")
    assert _digest("> 1") != _digest("> 2")
    assert _digest("> 1") != _digest("< 1")


def _helped(helper: str, constant: float = 1.0) -> str:
    """Digest of an analysis whose one variable calls a helper and reads a constant, as cells define them."""
    space: dict[str, object] = {"LIMIT": constant}
    exec(f"def pair(o):\n    return {helper}\n", space)
    exec("def m_ll(o):\n    return (lambda: pair(o) + LIMIT)()\n", space)
    analysis = Analysis("n", objects=len, select=len, variables=(Variable("x", space["m_ll"]),))  # type: ignore[arg-type]
    return given_analysis(analysis).digest


def test_helpers_and_constants_of_a_notebook_count() -> None:
    """A cell with a helper that is edited must never find old columns valid."""
    assert _helped("o.x + o.y") == _helped("o.x + o.y")
    assert _helped("o.x + o.y") != _helped("o.x - o.y")
    assert _helped("o.x", 1.0) != _helped("o.x", 2.0)


def test_modules_beside_a_notebook_travel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "helping.py").write_text("from other import LIMIT\n\ndef ht(o):\n    return o.ht + LIMIT\n")
    (folder / "other.py").write_text("LIMIT = 1\n")
    monkeypatch.syspath_prepend(folder)
    helping = importlib.import_module("helping")
    cell: dict[str, object] = {"helping": helping}
    exec("def ht(o):\n    return helping.ht(o)\n", cell)
    for function in (helping.ht, cell["ht"]):
        analysis = Analysis("n", objects=len, select=len, variables=(Variable(function),))  # type: ignore[arg-type]
        assert set(given_analysis(analysis).modules) == {"helping", "other"}
