"""For all tests: what must be loaded in a certain order, and the experiments' own files."""

import importlib
import logging
import os
from importlib.util import find_spec
from pathlib import Path

import pytest

# XRootD's client crashes the process when it is loaded after TensorFlow; before it, both work.
if find_spec("XRootD"):
    importlib.import_module("XRootD.client")


@pytest.hookimpl
def pytest_collection_finish() -> None:
    """pyhs3 disables every logger that is there when it is imported: here while tests are collected."""
    for logger in logging.Logger.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.disabled = False


@pytest.fixture(scope="session")
def open_data() -> Path:
    """Folder with the experiments' own files."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ZNOUGHT_OPEN_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no files of the experiments in {folder}; set ZNOUGHT_OPEN_DATA")
    return folder
