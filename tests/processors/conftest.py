"""Files of the processors' tests."""

import pytest

from tests.processors.fixtures import events, write_nanoaod


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two files of one simulated dataset, 600 and 400 events."""
    directory = tmp_path_factory.mktemp("simulated")
    return (
        write_nanoaod(directory / "a.root", events(600, seed=1)),
        write_nanoaod(directory / "b.root", events(400, seed=2, first_event=600)),
    )


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two files with enough events to see small shifts."""
    directory = tmp_path_factory.mktemp("many")
    return (
        write_nanoaod(directory / "a.root", events(4000, seed=11)),
        write_nanoaod(directory / "b.root", events(2000, seed=12, first_event=4000)),
    )
