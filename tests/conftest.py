"""Before any test: what must be loaded in a certain order."""

import importlib
import logging
from importlib.util import find_spec

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
