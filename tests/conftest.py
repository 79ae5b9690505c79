"""Before any test: what must be loaded in a certain order, and what belongs to one test process."""

import importlib
from importlib.util import find_spec

import pytest

# XRootD's client crashes the process when it is loaded after TensorFlow; before it, both work.
if find_spec("XRootD"):
    importlib.import_module("XRootD.client")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Several test processes share out files, so that no fixture is made twice; `finished` is of several."""
    for item in items:
        of_flow = "finished" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("flow" if of_flow else item.path.as_posix()))
