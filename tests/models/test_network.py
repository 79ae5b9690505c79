import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.models.samples import tensorflow_warnings
from znought.errors import CardError
from znought.models import backend
from znought.models.network import NetworkConfig, build_network, fold_normalisation

pytestmark = tensorflow_warnings


def test_the_driver_does_not_import_tensorflow() -> None:
    rooms = [
        "artefacts",
        "boosting",
        "evaluation",
        "explain",
        "folds",
        "network",
        "samples",
        "scaling",
        "scoring",
        "search",
        "training",
    ]
    code = "import sys\n" + "".join(f"import znought.models.{room}\n" for room in rooms)
    code += "print(sorted({'tensorflow', 'keras', 'optuna', 'dask'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_default_is_the_network_of_the_talk() -> None:
    model = build_network(NetworkConfig(), n_features=17, n_classes=6, seed=1)
    dense = [layer for layer in model.layers if hasattr(layer, "kernel")]
    assert [layer.units for layer in dense] == [20, 20, 40, 70, 20, 50, 40, 30, 40, 30, 6]
    assert {layer.activation.__name__ for layer in dense[:-1]} == {"elu"}
    assert sum("normalisation" in layer.name for layer in model.layers) == 10
    assert sum("noise" in layer.name for layer in model.layers) == 11


def test_folding_the_normalisation_changes_no_score() -> None:
    random = np.random.default_rng(0)
    model = build_network(NetworkConfig(hidden_nodes=(8, 5), dropout=0.1), n_features=3, n_classes=2, seed=1)
    model.set_weights([random.uniform(0.3, 1.5, weight.shape) for weight in model.get_weights()])
    features = random.normal(size=(100, 3)).astype(np.float32)
    folded = fold_normalisation(model)
    np.testing.assert_allclose(np.asarray(folded(features)), np.asarray(model(features)), atol=1e-6)
    assert not any("normalisation" in layer.name for layer in folded.layers)


def test_the_seed_decides_the_initial_weights() -> None:
    one, two, three = (
        build_network(NetworkConfig(), n_features=17, n_classes=6, seed=seed).get_weights()
        for seed in (1, 1, 2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert not np.array_equal(one[0], three[0])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hidden_nodes", ()),
        ("hidden_nodes", (10, 0)),
        ("input_noise", -0.1),
        ("dropout", 1.0),
        ("normalisation_momentum", 1.0),
        ("learning_rate", 0.0),
        ("learning_rate_decay", 1.1),
    ],
)
def test_a_card_that_makes_no_sense_is_refused(field: str, value: Any) -> None:
    with pytest.raises(CardError, match=rf"network\.{field}: expected"):
        replace(NetworkConfig(), **{field: value})


def test_start_up_messages_are_shown_only_on_failure(capfd: pytest.CaptureFixture[str]) -> None:
    with backend._held_back_stderr():
        os.write(2, b"chatter")
    assert capfd.readouterr().err == ""

    def fail() -> None:
        os.write(2, b"the reason")
        raise ImportError

    with pytest.raises(ImportError), backend._held_back_stderr():
        fail()
    assert capfd.readouterr().err == "the reason"
