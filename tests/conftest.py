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


# Distributed and pyhs3 set up the process's logging when they are imported: the one by the handlers that it
# finds, the other by disabling all loggers and giving the root two handlers. Here before pytest has any.
importlib.import_module("distributed")
importlib.import_module("pyhs3")
logging.root.handlers.clear()
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
