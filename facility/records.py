"""What the records of both analyses' results are made of."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Estimate", "Record"]


class Record(BaseModel):
    """A part of `results.json`: no key that nobody knows, no change once it is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Estimate(Record):
    """A value with its 68 % bootstrap interval."""

    value: float
    interval: tuple[float, float]
