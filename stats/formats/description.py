"""The small YAML file that says what a file of templates holds."""

from collections.abc import Mapping
from dataclasses import field, fields
from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from znought.errors import CardError, unknown_name

__all__ = ["Description", "NormLine", "RegionLine", "SystematicLine", "is_description", "read_description"]

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class RegionLine:
    """One region of the fit.

    Attributes:
        edges: coarser bins than the templates have; by default theirs.
    """

    edges: tuple[float, ...] | None = None


@dataclass(frozen=True, config=_STRICT)
class SystematicLine:
    """Templates of one systematic.

    Attributes:
        up, down: what stands for {variation} in the name; without `down` the difference is mirrored.
        processes, regions: that it acts on; by default all.
    """

    up: str
    down: str | None = None
    processes: tuple[str, ...] | None = None
    regions: tuple[str, ...] | None = None


@dataclass(frozen=True, config=_STRICT)
class NormLine:
    """A systematic of the yield that needs no templates.

    Attributes:
        up, down: factors on the yield; without `down` it is 1/up.
        processes, regions: that it acts on; by default all.
    """

    up: float
    down: float | None = None
    processes: tuple[str, ...] | None = None
    regions: tuple[str, ...] | None = None


@dataclass(frozen=True, config=_STRICT)
class Description:
    """What the templates of a file are, and what is fitted to them.

    Attributes:
        templates: file of histograms, relative to the description: .root, or .json of UHI or of edges and
            contents.
        regions: name → bins.
        signal, backgrounds: names of processes.
        pattern: name of a histogram, with {region}, {process} and {variation}.
        data: what stands for {process} in the recorded data; without it, the fit is to the expectation.
        poi: name of the factor on the signal.
        poi_range: where it is looked for.
        floating: backgrounds with a free normalisation.
        systematics: name → its templates.
        norms: name → factors.
        mc_stat: whether the templates' own errors enter.
        mc_stat_threshold: effective events up to which every process has a Poisson factor of its own.
        title: name of the measurement.
    """

    templates: str
    regions: dict[str, RegionLine | None]
    signal: tuple[str, ...]
    backgrounds: tuple[str, ...] = ()
    pattern: str = "{region}/{process}{variation}"
    data: str | None = None
    poi: str = "mu"
    poi_range: tuple[float, float] = (0.0, 20.0)
    floating: tuple[str, ...] = ()
    systematics: dict[str, SystematicLine] = field(default_factory=dict)
    norms: dict[str, NormLine] = field(default_factory=dict)
    mc_stat: bool = True
    mc_stat_threshold: float = 10.0
    title: str = "znought"

    def __post_init__(self) -> None:
        for key in ("regions", "signal"):
            if not getattr(self, key):
                raise CardError(f"{key} must name at least one.")
        for name in ("region", "process", "variation"):
            if f"{{{name}}}" not in self.pattern and not (name == "variation" and not self.systematics):
                raise CardError(f"pattern must hold {{{name}}}. Received: {self.pattern!r}.")
        twice = set(self.signal) & set(self.backgrounds)
        if twice:
            raise CardError(f"{sorted(twice)[0]!r} is both in signal and in backgrounds.")
        self._check_names()

    @property
    def processes(self) -> tuple[str, ...]:
        """Signal and backgrounds."""
        return (*self.signal, *self.backgrounds)

    def _check_names(self) -> None:
        for process in self.floating:
            if process not in self.backgrounds:
                raise CardError(f"floating: {unknown_name('background', process, self.backgrounds)}")
        reserved = {self.poi, *(f"norm_{process}" for process in self.floating)}
        for section, lines in (("systematics", self.systematics), ("norms", self.norms)):
            for name, line in lines.items():
                if name in reserved or (section == "norms" and name in self.systematics):
                    raise CardError(f"{section}.{name}: another parameter has this name.")
                for kind, given, known in (
                    ("process", line.processes, self.processes),
                    ("region", line.regions, self.regions),
                ):
                    for one in given or ():
                        if one not in known:
                            raise CardError(f"{section}.{name}: {unknown_name(kind, one, known)}")


def is_description(path: Path) -> bool:
    """Whether a YAML file describes templates, and is no card of an analysis."""
    content = _content(path) if path.suffix in (".yaml", ".yml") and path.is_file() else {}
    return "templates" in content and "analysis" not in content


def read_description(path: Path) -> Description:
    """The description in a YAML file.

    Raises:
        CardError: no such file, no YAML, an unknown key (with the nearest valid one) or a bad value.
    """
    try:
        return TypeAdapter(Description).validate_python(_content(path))
    except ValidationError as error:
        raise CardError(f"{path}: {_explained(error)}") from error
    except CardError as error:
        raise CardError(f"{path}: {error}") from error


def _content(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CardError(f"cannot read {path}: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise CardError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise CardError(f"{path}: expected a mapping of keys, received {type(content).__name__}.")
    return content


def _explained(error: ValidationError) -> str:
    """The first mistake, with its key; the nearest valid key where it is unknown."""
    first = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    place = ".".join(where)
    if first["type"] == "unexpected_keyword_argument":
        return unknown_name("key", place, [".".join([*where[:-1], key]) for key in _keys(where)])
    if first["type"] in ("missing", "missing_argument"):
        return f"{place}: this key is missing."
    return f"{place}: {first['msg'].removeprefix('Value error, ').rstrip('.')}. Received: {first['input']!r}."


def _keys(where: list[str]) -> list[str]:
    lines = {"regions": RegionLine, "systematics": SystematicLine, "norms": NormLine}
    kind = lines.get(where[0], Description) if len(where) > 1 else Description
    return [entry.name for entry in fields(kind)]
