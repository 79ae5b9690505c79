"""Section `theory` of a card: sets of generator weights, each an uncertainty of acceptance and shape."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, model_validator

from znought.facility.cards.section import Section
from znought.processors.weight_branches import Vary, WeightBranch
from znought.stats.envelopes import Combination, WeightSet
from znought.stats.systematics import SystematicConfig

__all__ = ["Theory"]


class Theory(Section):
    """A set of weights of the ntuple, and how its members make one uncertainty of acceptance and shape.

    Attributes:
        branch: of the ntuple, a list per event, relative to the event's own weight; or
        copies: systematics that the ntuple has copies of the generator's weight for, by name with wildcards.
        members: places of the members in it, from 0 on; or
        range: first and last of them; or
        vary: "scales" (the six of μ_R and μ_F), "isr" or "fsr": the branch's title says where they are.
        central: place of the set's own central member.
        combination: how they combine; "scale" for scales and "pair" for showers unless given.
        confidence_level: of a Hessian set's members in per cent.
        spread: of a pair, standard deviations that up and down stand for.
        keep_rate: leave the change of the rate in.
        processes: those whose files have the branch; all simulated ones unless given.
    """

    branch: str = ""
    copies: tuple[str, ...] = ()
    members: tuple[Annotated[int, Field(ge=0)], ...] = ()
    range: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] | None = None
    vary: Vary | None = None
    central: Annotated[int, Field(ge=0)] | None = None
    combination: Combination | None = None
    confidence_level: Literal[68, 90] = 68
    spread: Annotated[float, Field(gt=0)] = 1.0
    keep_rate: bool = False
    processes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _says_which(self) -> "Theory":
        if bool(self.branch) == bool(self.copies):
            raise ValueError("expected either a branch or copies")
        given = sum((bool(self.members), self.range is not None, self.vary is not None))
        if self.copies and (given or self.central is not None):
            raise ValueError(
                "copies are the members: members, range, vary and central are places in a branch"
            )
        if self.branch and given != 1:
            raise ValueError("expected one of members, range and vary")
        if self.range is not None and self.range[1] < self.range[0]:
            raise ValueError(f"range must rise, received {list(self.range)}")
        if self.vary is None and self.combination is None:
            raise ValueError("combination is needed where members are given by places or names")
        return self

    def weights(self, datasets: Iterable[str]) -> WeightBranch:
        """What is read of every chunk.

        Args:
            datasets: those that have the branch.
        """
        first, last = self.range or (0, -1)
        members = self.members or tuple(range(first, last + 1))
        return WeightBranch(self.branch, members, self.vary, self.central, tuple(datasets), self.copies)

    def systematic(self, name: str) -> SystematicConfig:
        """The systematic that it makes."""
        named = [f"{name}_{member}" for member in self.weights(()).names]
        central = named.pop() if self.central is not None else ""
        usual: Combination = "scale" if self.vary == "scales" else "pair"
        weights = WeightSet(
            self.combination or usual,
            tuple(named),
            central,
            self.confidence_level,
            self.spread,
            self.keep_rate,
        )
        return SystematicConfig(kind="weights", weights=weights, processes=self.processes)
