"""Figures of an analysis's own: functions of what a finished run left, beside the standard ones."""

import inspect
from collections.abc import Iterable, Iterator

from matplotlib.figure import Figure

from znought.analysis import Function
from znought.errors import DataError
from znought.facility.figures.picture import Picture
from znought.facility.results.notebook import Finished
from znought.processors.calling import place

__all__ = ["own_pictures"]


def own_pictures(functions: Iterable[Function], finished: Finished) -> Iterator[Picture]:
    """Figures by the name of their function; its docstring is title and caption.

    Args:
        functions: each from what `znought.load_results` gives to a matplotlib figure.
        finished: the run.

    Raises:
        DataError: a function failed, or returned something else.
    """
    for function in functions:
        name = function.__name__
        try:
            figure = function(finished)
        except Exception as error:  # a user's function may raise anything
            reason = f"{type(error).__name__}: {(str(error) or 'no message').splitlines()[0]}"
            raise DataError(f"{place(function, error)}, figure {name!r}: {reason}") from error
        if not isinstance(figure, Figure):
            message = f"expected a matplotlib Figure, received {type(figure).__name__}"
            raise DataError(f"{place(function)}, figure {name!r}: {message}.")
        title, _, caption = (inspect.getdoc(function) or name).partition("\n")
        yield Picture(name, title.rstrip("."), "Own figures", figure, " ".join(caption.split()), is_own=True)
