"""Before any test: what must be loaded in a certain order."""

import importlib
from importlib.util import find_spec

# XRootD's client crashes the process when it is loaded after TensorFlow; before it, both work.
if find_spec("XRootD"):
    importlib.import_module("XRootD.client")
