"""TensorFlow, imported once and without its start-up messages."""

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec

__all__ = ["start"]


@lru_cache(maxsize=1)
def start() -> None:
    """Import TensorFlow and Keras and run a first operation, so that later ones find them ready.

    TensorFlow's libraries write about CPU features and absent GPUs to the process' standard error
    before any log level holds. They are shown only if the import fails. The level is set unless it is.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _held_back_stderr():
        # XRootD's client crashes the process when it is loaded after TensorFlow; before it, both work.
        # A worker that has trained may be asked to read root:// files next.
        if find_spec("XRootD"):
            importlib.import_module("XRootD.client")
        import keras
        import tensorflow as tf

        keras.ops.convert_to_numpy(tf.zeros(1))


@contextlib.contextmanager
def _held_back_stderr() -> Iterator[None]:
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            yield
        except BaseException:
            messages.seek(0)
            os.write(kept, messages.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
