"""Which networks of talk B are trained, and with which settings."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channels import (
    ChannelPlan,
    ChannelSample,
    channel_plan,
    read_channel,
    training_data,
)
from znought.analyses.vh_bb.columns import smeft_columns
from znought.analyses.vh_bb.features import FEATURES
from znought.analyses.vh_bb.networks import (
    ModelSource,
    NetworkModel,
    features_of,
    models_of,
    network_of,
    parametrised_model,
    training_of,
)
from znought.errors import DataError
from znought.facility.cards.reading import load_card
from znought.facility.events.store import write_parquet
from znought.facility.workspace import Workspace, write_json
from znought.processors.regions import regions_from_card

SHIPPED = Path(__file__).parents[3] / "analyses" / "vh_bb_smeft.yaml"
N = 400
POINTS = (0.0, 0.01, -0.01, 0.0, 0.0, 0.01)
Build = Callable[..., ChannelPlan]


@pytest.fixture
def card() -> VHBBCard:
    loaded = load_card(SHIPPED)
    assert isinstance(loaded, VHBBCard)
    return loaded


@pytest.fixture
def build(card: VHBBCard, tmp_path: Path) -> Build:
    """Columns of VH rows with w(c) = 1 + 40 c and of a background, half of them in the region."""

    def plan(*, m_bb: float = 120.0, weight: float = 1.0) -> ChannelPlan:
        random = np.random.default_rng(1)
        for dataset, n in (("zh_nunubb", N), ("z_nunu_bb", N // 4)):
            index = np.arange(n, dtype=np.uint64)
            columns: dict[str, NDArray[Any]] = {
                "run": np.ones(n, np.uint32),
                "luminosityBlock": np.ones(n, np.uint32),
                "event": index // 2,
                "response": (index % 2).astype(np.uint8),
                "gen_weight": np.full(n, weight),
                "pt_v": random.uniform(150.0, 500.0, n).astype(np.float32),
                "m_bb": np.where(index < n // 2, m_bb, 60.0).astype(np.float32),
                "met": np.full(n, 200.0, np.float32),
                "n_jets": np.full(n, 2, np.uint8),
            }
            columns |= {name: random.normal(size=n).astype(np.float32) for name in FEATURES["0L"]}
            stored = [1.0 + 40.0 * c if dataset.startswith("zh") else np.nan for c in POINTS]
            columns |= {name: np.full(n, value) for name, value in zip(smeft_columns(), stored, strict=True)}
            write_parquet(tmp_path / dataset / "nominal" / "a.parquet", columns)
        return ChannelPlan(
            channel="0L",
            columns=str(tmp_path),
            process_of={"zh_nunubb": "vh", "z_nunu_bb": "v_heavy_flavour"},
            scale={"zh_nunubb": 0.5, "z_nunu_bb": 2.0},
            region=regions_from_card(card.regions)["inclusive"],
            morphing=card.morphing,
            training=card.training,
        )

    return plan


def test_a_sample_is_what_lies_in_the_region_at_the_cards_luminosity(build: Build) -> None:
    sample = read_channel(build())
    assert len(sample.events) == N // 2 + N // 8
    assert sample.events.weight[sample.events.is_vh].sum() == pytest.approx(0.5 * N / 2)
    assert sample.events.weight_at((0.01, 0.0))[sample.events.is_vh].sum() == pytest.approx(1.4 * 0.5 * N / 2)
    responses: dict[int, int] = {}
    for identity, fold in zip(sample.events.identity, sample.fold, strict=True):
        assert responses.setdefault(int(identity), int(fold)) == fold


def test_an_empty_region_is_named(build: Build) -> None:
    with pytest.raises(DataError, match="Channel 0L: no event in the region 'inclusive', 500 after"):
        read_channel(build(m_bb=70.0))


def test_columns_of_another_card_are_named(card: VHBBCard, tmp_path: Path) -> None:
    known = {name: {"scale": 1.0} for name in card.datasets if name != "zh_llbb"}
    write_json(Workspace(tmp_path).normalisation, known)
    with pytest.raises(DataError, match="The columns lack zh_llbb, which the card has"):
        channel_plan(card, Workspace(tmp_path), "0L")


def test_training_sees_vh_alone_in_both_classes(build: Build) -> None:
    sample = read_channel(build())
    data = training_data(sample, 0.01)
    assert len(data.class_index) == 2 * sample.events.is_vh.sum()
    signal, background = (data.weights[data.class_index == k].sum() for k in (1, 0))
    assert signal / background == pytest.approx(1.4)


def test_networks_are_the_talks(card: VHBBCard, build: Build) -> None:
    sample = read_channel(build())
    network = network_of(card, sample, NetworkModel("0L", "asimov", 0.01))
    assert network.hidden_nodes == (10,)
    assert (network.activation, network.l1, network.optimiser) == ("relu", 0.003, "adam")
    assert (network.loss.kind, network.loss.pretraining_epochs) == ("asimov", 5)
    assert network.loss.signal_events == pytest.approx(140.0)
    assert network.loss.background_events == pytest.approx(100.0)
    assert network.loss.relative_uncertainty == 0.5
    plain = network_of(card, sample, NetworkModel("0L", "cross_entropy", 0.01))
    assert (plain.loss.kind, plain.l1) == ("cross_entropy", 0.0)


def test_every_value_has_both_losses_and_one_has_its_pretraining(card: VHBBCard) -> None:
    names = [model.name for model in models_of(card, "1L")]
    values = [f"{value:g}" for value in card.smeft.values]
    expected = {f"{kind}_{value}" for kind in ("asimov", "cross_entropy") for value in values}
    assert set(names) == expected | {"pretraining_0.03", "parametrised_0.01"}
    assert len(names) == len(set(names))


def test_the_parametrised_network_learns_every_value(card: VHBBCard, build: Build) -> None:
    sample, model = read_channel(build()), parametrised_model(card, "0L")
    data = ModelSource(sample.plan, model, (-0.01, 0.01)).training_data()[0]
    assert len(data.weights) == 2 * 2 * sample.events.is_vh.sum()
    assert features_of(card, sample, model) == (*FEATURES["0L"], "c_hw")
    assert set(np.unique(data.features[:, -1]).tolist()) == {float(np.float32(c)) for c in (-0.01, 0.01)}
    per_value = [
        data.weights[(data.stratum == k) & (data.class_index == 1)].sum()
        / sample.events.weight[sample.events.is_vh].sum()
        for k in (0, 1)
    ]
    assert per_value == pytest.approx([0.6, 1.4])
    network = network_of(card, sample, model)
    assert (network.loss.kind, network.hidden_nodes) == ("cross_entropy", (32, 32))


def test_batches_of_small_samples_are_smaller_and_alike_in_all_folds(card: VHBBCard, build: Build) -> None:
    sample: ChannelSample = read_channel(build())
    rule = training_of(card, sample, NetworkModel("0L", "asimov", 0.01))
    assert rule.batch_size == 128
    assert rule.max_epochs == card.training.max_epochs
    pretraining = training_of(card, sample, NetworkModel("0L", "pretraining", 0.03))
    assert pretraining == replace(rule, max_epochs=card.network.pretraining_epochs)
