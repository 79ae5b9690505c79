"""Figures as the shipped analyses draw them."""

from collections.abc import Iterator

import pytest

from tests.plots.drawn import BOTH
from znought.plots.labels import drawn_as


@pytest.fixture(autouse=True)
def _drawn() -> Iterator[None]:
    with drawn_as(BOTH):
        yield
