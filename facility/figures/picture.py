"""A figure with what a report says about it."""

from dataclasses import dataclass

from matplotlib.figure import Figure

__all__ = ["Picture"]


@dataclass(frozen=True)
class Picture:
    """One figure of the album: its file name, title, caption and heading in the report."""

    name: str
    title: str
    section: str
    figure: Figure
    caption: str = ""
