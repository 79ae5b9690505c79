"""TensorFlow, imported once and without its start-up messages."""

import contextlib
import importlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

__all__ = ["start"]

logger = logging.getLogger(__name__)


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

        _limit_threads(tf)
        keras.ops.convert_to_numpy(tf.zeros(1))


def _limit_threads(tf: Any) -> None:
    """One thread for TensorFlow, whose sums otherwise depend on the machine's cores in their last digits.

    The environment says the same to workers that we start; others come with an environment of their own.
    """
    threading = tf.config.threading
    try:
        threading.set_intra_op_parallelism_threads(1)
        threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        if threading.get_intra_op_parallelism_threads() != 1:
            logger.warning("TensorFlow ran before us with more threads than one: last digits may differ.")


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
