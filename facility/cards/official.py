"""Official scale factors of a card: each of its weights by kind, out of the files of each era."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from znought.errors import CardError, unknown_name
from znought.facility.cards.era import Era
from znought.facility.cards.eras import correction_file
from znought.facility.cards.object_weights import BTagShapeWeight, BTagWeight, Place, in_era
from znought.facility.cards.sections import Dataset, check_known
from znought.facility.cards.trigger_weight import TriggerWeight
from znought.facility.cards.weights import Named, is_measured, named_weights
from znought.processors.calibration.efficiency import Efficiency
from znought.processors.calibration.named import TAGGERS, working_points
from znought.processors.calibration.official import OfficialFactor
from znought.processors.calibration.weighing import Factor

if TYPE_CHECKING:
    from znought.facility.cards.base import Card

__all__ = ["Official", "check_named", "efficiency_file", "official_of", "varied_parts"]

T = TypeVar("T")

SPLIT = " + "
"""Between the processes of a dataset that is split by content."""


def check_named(
    weights: Mapping[str, Named], eras: Mapping[str, Era], processes: Mapping[str, object]
) -> None:
    """Raises unless the weights speak of the card's eras and processes, and find their files there.

    Raises:
        ValueError: with the key; pydantic turns it into a card error.
    """
    for name, weight in weights.items():
        where = f"weights.{name}"
        if weight.needs and not eras:
            raise ValueError(f"{where}: kind {weight.kind} takes its file from an era; the card has no eras.")
        for era in weight.eras:
            check_known(f"{where}.eras", "era", era, eras)
        for process in weight.processes:
            check_known(f"{where}.processes", "process", process, processes)
        weight.refuse(where, eras)
        for era in weight.eras or eras:
            if weight.needs and weight.needs not in eras[era].corrections:
                raise ValueError(f"{where}: eras.{era}.corrections names no file for {weight.needs}.")
            for one in weight.by_era:
                if in_era(one, era) is None:
                    raise ValueError(f"{where}: no name for era {era!r}, only for {', '.join(one)}.")
            if isinstance(weight, BTagWeight) and "btag_working_point" in eras[era].model_fields_set:
                given, wanted = eras[era].btag_working_point, in_era(weight.working_point, era)
                if wanted and wanted != given:
                    raise ValueError(f"{where}: eras.{era}.btag_working_point is {given}, not {wanted}.")
        for members in weight.groups.values() if isinstance(weight, BTagWeight) else ():
            for process in members:
                check_known(f"{where}.groups", "process", process, processes)


def varied_parts(weights: Mapping[str, Named]) -> dict[str, bool]:
    """Name of each systematic of the weights → whether it is another one in every era."""
    return {
        "_".join(filter(None, (name, part))): is_apart
        for name, weight in weights.items()
        for part, is_apart in weight.parts.items()
    }


def efficiency_file(folder: Path, weight: str) -> Path:
    """Where the efficiencies that a weight takes are written when they are measured."""
    return folder / f"{weight}.json"


@dataclass(frozen=True)
class Official:
    """Official scale factors of the card's datasets.

    Attributes:
        weights: those by kind.
        eras: of the card.
        datasets: as they are read → their entries.
        simulated: process of each simulated one, as its events are counted.
        folder: in which files are looked for first.
        in_plural: objects have the names of plain functions, electrons, muons and jets.
        efficiencies: folder of the measured efficiencies of b-tags and triggers; without it weights that take
            them are left out.
    """

    weights: Mapping[str, Named]
    eras: Mapping[str, Era]
    datasets: Mapping[str, Dataset]
    simulated: Mapping[str, str]
    folder: Path
    in_plural: bool
    efficiencies: Path | None = None

    @cached_property
    def factors(self) -> dict[str, dict[str, Factor]]:
        """Simulated dataset → its scale factors by name.

        Raises:
            CardError: a file or a name in it does not exist.
        """
        made: dict[tuple[str, str], Factor] = {}
        found: dict[str, dict[str, Factor]] = {}
        for dataset, process in self.simulated.items():
            era = str(self.datasets[dataset].era or "")
            for name, weight in self.weights.items():
                if not _applies(name, weight, era, process) or self._is_left_out(weight):
                    continue
                if (name, era) not in made:
                    made[name, era] = self._factor(name, weight, era)
                found.setdefault(dataset, {})[name] = self._complete(made[name, era], weight, process)
        return found

    def of_era(self, era: str) -> dict[str, Factor]:
        """Scale factors of one era by name, without efficiencies.

        Raises:
            CardError: a file or a name in it does not exist.
        """
        wanted = {
            name: one
            for name, one in self.weights.items()
            if (not one.eras or era in one.eras)
            and not (isinstance(one, TriggerWeight) and self._is_left_out(one))
        }
        return {name: self._factor(name, one, era) for name, one in wanted.items()}

    @property
    def varied(self) -> tuple[str, ...]:
        """Names of all varied weights, such as `muon_id_stat_up`."""
        weights = {name: one for name, one in self.weights.items() if not self._is_left_out(one)}
        return tuple(f"{name}_{way}" for name in varied_parts(weights) for way in ("up", "down"))

    @cached_property
    def btags(self) -> dict[str, dict[str, float | None]]:
        """Dataset → branch of the b-tag that its scale factors are of, and the working point they are for.

        Raises:
            CardError: a tagger or working point that does not exist, or two working points of one tagger.
        """
        found: dict[str, dict[str, float | None]] = {}
        for dataset, entry in self.datasets.items():
            era = str(entry.era or "")
            for name, weight in self.weights.items():
                if not isinstance(weight, BTagWeight | BTagShapeWeight):
                    continue
                if weight.eras and era not in weight.eras:
                    continue
                branch, value = self._btag(name, weight, era)
                before = found.setdefault(dataset, {}).get(branch)
                if None not in (before, value) and before != value:
                    raise CardError(f"weights.{name}: era {era!r} has working point {before} already.")
                found[dataset][branch] = before if value is None else value
        return found

    def problems(self) -> Iterator[str]:
        """Everything that is wrong with the files of the eras and the names in them, one line each."""
        for name, weight in self.weights.items():
            for era in weight.eras or self.eras or ("",):
                if isinstance(weight, TriggerWeight) and self._is_left_out(weight):
                    continue
                try:
                    self._factor(name, weight, era)
                    if isinstance(weight, BTagWeight | BTagShapeWeight):
                        self._btag(name, weight, era)
                except CardError as error:
                    yield str(error)

    def _is_left_out(self, weight: Named) -> bool:
        return is_measured(weight) and self.efficiencies is None

    def _complete(self, factor: Factor, weight: Named, process: str) -> Factor:
        """The factor with the efficiencies that it needs."""
        if not isinstance(weight, BTagWeight):
            return factor
        assert isinstance(factor, OfficialFactor), "of jets"
        if weight.efficiency is not None:
            file = correction_file(weight.efficiency, self.folder)
        else:
            assert self.efficiencies is not None, "else it is left out"
            file = efficiency_file(self.efficiencies, factor.weight)
        sample = weight.sample(process, factor.era or None)
        return replace(factor, efficiency=Efficiency(str(file), sample))

    def _btag(self, name: str, weight: BTagWeight | BTagShapeWeight, era: str) -> tuple[str, float | None]:
        """Branch of the b-tag, and the working point of a cut on it."""
        tagger = str(in_era(weight.tagger, era))
        if tagger not in TAGGERS:
            raise CardError(f"weights.{name}.tagger: {unknown_name('tagger', tagger, TAGGERS)}")
        if isinstance(weight, BTagShapeWeight):
            return TAGGERS[tagger], None
        points = self._in_file(name, weight, era, lambda file: working_points(file, tagger))
        point = in_era(weight.working_point, era) or self.eras[era].btag_working_point
        if point not in points:
            raise CardError(f"weights.{name}: era {era!r}: {unknown_name('working point', point, points)}")
        return TAGGERS[tagger], points[point]

    def _factor(self, name: str, weight: Named, era: str) -> Factor:
        """One of the weights in one era."""

        if isinstance(weight, BTagWeight) and not in_era(weight.working_point, era):
            weight = weight.model_copy(update={"working_point": self.eras[era].btag_working_point})

        def made(file: str) -> Factor:
            return weight.factor(Place(name, era, self.folder, file, self.in_plural))

        return self._in_file(name, weight, era, made)

    def _in_file(self, name: str, weight: Named, era: str, what: Callable[[str], T]) -> T:
        """Something out of the file that an era has for a weight; out of none where it takes none.

        Raises:
            CardError: names weight, era and file.
        """
        file = self.eras[era].corrections[weight.needs] if weight.needs else ""
        if isinstance(weight, TriggerWeight) and not weight.file:
            assert self.efficiencies is not None, "else it is left out"
            return what(str(efficiency_file(self.efficiencies, name)))
        try:
            return what(str(correction_file(file, self.folder)) if file else "")
        except CardError as error:
            where = ", ".join(filter(None, (f"era {era!r}" if era else "", file)))
            raise CardError(f"weights.{name}: {where + ': ' if where else ''}{error}") from error


def official_of(card: "Card", efficiencies: Path | None = None) -> Official:
    """The official scale factors of a card.

    Args:
        card: with its folder and analysis.
        efficiencies: folder of the measured efficiencies of b-tags.
    """
    sources = card.sources
    simulated = {
        name: str(card.metadata(name)["process"])
        for name, entry in sources.items()
        if card.processes[entry.process].kind != "data"
    }
    weights, plain = named_weights(card.weights), card.has_plain_functions
    return Official(weights, card.eras, sources, simulated, card.folder, plain, efficiencies)


def _applies(name: str, weight: Named, era: str, process: str) -> bool:
    """Whether a weight is for events of an era and a process, or of the processes that they are split among.

    Raises:
        CardError: for some of these alone.
    """
    if weight.eras and era not in weight.eras:
        return False
    parts = process.split(SPLIT)
    mine = [part for part in parts if not weight.processes or part in weight.processes]
    if 0 < len(mine) < len(parts):
        raise CardError(
            f"weights.{name}.processes: events that are split among {', '.join(parts)} have it all or not at "
            f"all; received {', '.join(weight.processes)}."
        )
    return bool(mine)
