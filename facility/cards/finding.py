"""Finding an analysis by what the card calls it: a name, a file beside the card, or `package.module:NAME`."""

import ast
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from znought.analysis import Analysis
from znought.errors import CardError, ZnoughtError, unknown_name
from znought.facility.cards.captured import captured
from znought.facility.manifest import fingerprint

__all__ = [
    "GROUP",
    "Found",
    "Named",
    "find_analysis",
    "find_named",
    "given_analysis",
    "is_taken",
    "shipped",
]

GROUP = "znought.analyses"
"""Entry points of this group name analyses."""
_folders = set[str]()
"""Of the cards whose analyses are files beside them."""


@dataclass(frozen=True)
class Found:
    """An analysis with the source that it came from.

    Attributes:
        analysis: the value.
        modules: module name → file, of a user's analysis: its own and those beside it that it imports.
        roots: modules of an installed package whose source decides what it computes.
        digest: of a notebook's functions, which have no file.
        named: the existing processor and the schema that a card names in place of an analysis.
    """

    analysis: Analysis
    modules: Mapping[str, Path] = field(default_factory=dict)
    roots: tuple[str, ...] = ()
    digest: str = ""
    named: tuple[Any, Any] | None = None


@dataclass(frozen=True)
class Named:
    """Something that a card names in a Python file or an installed package.

    Attributes:
        value: what it is.
        module: that holds it.
        modules, roots: the source that it came from, as of an analysis.
    """

    value: Any
    module: ModuleType
    modules: Mapping[str, Path]
    roots: tuple[str, ...]


def shipped() -> dict[str, str]:
    """Name → `module:NAME` of every analysis that is installed under the group's entry points."""
    return {point.name: point.value for point in entry_points(group=GROUP)}


def find_analysis(name: str, folder: Path) -> Found:
    """The analysis that a card names.

    Args:
        name: an installed name, a file relative to `folder`, or `package.module:NAME`.
        folder: of the card.

    Raises:
        CardError: there is none of that name, or it cannot be imported.
    """
    if name.endswith(".py"):
        path = folder / name
        imported, modules = _imported_file(path, "analysis")
        if not hasattr(imported, "ANALYSIS"):
            raise CardError(f"analysis: {path} defines no ANALYSIS = Analysis(...).")
        return Found(_checked(imported.ANALYSIS, str(path)), modules=modules)
    installed = shipped()
    target = installed.get(name, name)
    if ":" not in target:
        hint = "Or name a file beside the card (agc.py) or package.module:NAME."
        raise CardError(f"analysis: {unknown_name('analysis', name, installed)} {hint}")
    module, _, attribute = target.partition(":")
    try:
        value = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise CardError(f"analysis: {name!r} cannot be imported: {error}.") from error
    return Found(_checked(value, name), roots=(module,))


def find_named(target: str, folder: Path, *, key: str) -> Named:
    """What a card names in a Python file or an installed package.

    Args:
        target: `file.py:NAME`, relative to `folder`, or `package.module:NAME`.
        folder: of the card.
        key: of the card, for messages.

    Raises:
        CardError: there is no such file, module or name, or it cannot be imported.
    """
    place, _, name = target.rpartition(":")
    if not place:
        raise CardError(f"{key}: expected file.py:NAME or package.module:NAME. Received: {target!r}.")
    modules: dict[str, Path] = {}
    if place.endswith(".py"):
        module, modules = _imported_file(folder / place, key)
    else:
        try:
            module = importlib.import_module(place)
        except ImportError as error:
            raise CardError(f"{key}: {target!r} cannot be imported: {error}.") from error
    if not hasattr(module, name):
        names = [one for one in vars(module) if not one.startswith("_")]
        raise CardError(f"{key}: {place}: {unknown_name('name', name, names)}")
    return Named(getattr(module, name), module, modules, () if modules else (place,))


def given_analysis(analysis: Analysis) -> Found:
    """An analysis that a notebook holds, with the source of its functions and of all that they use.

    What a cell defines travels by value; the user's own modules that it imports travel as files.
    """
    functions = [analysis.objects, analysis.select, analysis.weights, analysis.split, analysis.columns]
    functions += [analysis.templates, *(one.function for one in analysis.histograms)]
    functions += [analysis.selection, *analysis.generator.values(), *analysis.channels.values()]
    functions += [variable.function for variable in analysis.variables]
    found = captured(functions)
    schema = fingerprint(analysis.selection.model_json_schema())
    modules = dict(pair for file in found.modules.values() for pair in _beside(file, "analysis"))
    roots = tuple(sorted(name for name in found.packages if name.startswith(f"{GROUP}.")))
    return Found(analysis, modules, roots, digest=fingerprint(found.digest, schema))


def _imported_file(path: Path, key: str) -> tuple[ModuleType, dict[str, Path]]:
    """A Python file that a key of the card names, imported anew, and the modules beside it in use."""
    if not path.is_file():
        raise CardError(f"{key}: no such file {path}.")
    modules = dict(_beside(path, key))
    _search_first(str(path.parent.resolve()))
    _refuse_names_of_libraries(modules, key)
    for name in modules:
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(path.stem)
    except ZnoughtError:
        raise
    except Exception as error:
        raise CardError(f"{key}: {_where(error, path)}") from error
    _check_is(module, path, key)
    return module, modules


def _search_first(folder: str) -> None:
    """Puts a folder before all others: another card's may hold files of the same names."""
    _folders.add(folder)
    sys.path[:] = [folder, *(place for place in sys.path if place != folder)]


def _refuse_names_of_libraries(modules: Mapping[str, Path], key: str) -> None:
    """Raises where a file would take the place of a module that others import."""
    for name, file in modules.items():
        if is_taken(name, file):
            raise CardError(f"{key}: {file} has the name of another module, {name}; rename it.")


def is_taken(name: str, file: Path) -> bool:
    """Whether a module of that name, other than the file, is installed."""
    mine = {"", str(Path.cwd()), *_folders}
    spec = PathFinder.find_spec(name, [place for place in sys.path if place not in mine])
    return name in sys.builtin_module_names or (spec is not None and spec.origin not in (None, str(file)))


def _check_is(module: ModuleType, path: Path, key: str) -> None:
    if module.__file__ is None or Path(module.__file__).resolve() != path.resolve():
        raise CardError(
            f"{key}: {path} has the name of another module, {module.__file__ or path.stem}; rename it."
        )


def _where(error: BaseException, path: Path) -> str:
    """One line that names file, line and what went wrong."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {error.msg}."
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if Path(f.filename).parent == path.parent.resolve()
    ]
    line = f", line {frames[-1].lineno}" if frames else ""
    return f"{path}{line} cannot be imported: {type(error).__name__}: {' '.join(str(error).split())}."


def _checked(value: object, name: str) -> Analysis:
    if not isinstance(value, Analysis):
        raise CardError(f"analysis: {name!r} is a {type(value).__name__}, expected an Analysis.")
    return value


def _beside(path: Path, key: str) -> Iterator[tuple[str, Path]]:
    """The file as a module, and every module beside it that it imports, directly or not."""
    waiting, seen = [path], set[Path]()
    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        yield file.stem, file.resolve()
        try:
            tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
        except SyntaxError as error:
            raise CardError(f"{key}: {file}, line {error.lineno}: {error.msg}.") from error
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                names = [node.module]
            waiting += [other for name in names if (other := file.with_name(f"{name}.py")).is_file()]
