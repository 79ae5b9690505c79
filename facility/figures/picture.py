"""A figure with what a report says about it."""

from dataclasses import dataclass

from matplotlib.figure import Figure

__all__ = ["Picture"]


@dataclass(frozen=True)
class Picture:
    """One figure of the album: its file name, title, caption and heading in the report.

    `is_own` where a user's function made it, whose code no other process need know.
    """

    name: str
    title: str
    section: str
    figure: Figure
    caption: str = ""
    is_own: bool = False
