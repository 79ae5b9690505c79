"""Every event by the networks of its own folds, one in each repeat; the published way beside it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.models.samples import CLASSES, FEATURES, NETWORK, TRAINING, make_data, tensorflow_warnings
from znought.errors import CardError, DataError
from znought.models import artefacts
from znought.models.alignment import aligned, class_quantiles
from znought.models.folds import assign_folds, own_folds
from znought.models.samples import TrainingConfig
from znought.models.scoring import Scorer
from znought.models.training import TrainedFold, train_fold

pytestmark = tensorflow_warnings

DATA = make_data()
TWICE = replace(TRAINING, n_repeats=2, max_epochs=2)
RUN = np.ones(900, np.int64)
OWN = own_folds(RUN, RUN, DATA.identity, n_folds=3, n_repeats=2, salt="t")


@pytest.fixture(scope="module")
def networks() -> list[TrainedFold]:
    trained = []
    for repeat in range(2):
        fold = np.where(DATA.fold < 0, DATA.fold, OWN[:, repeat])
        data = replace(DATA, fold=fold)
        trained += [
            train_fold(data, k, NETWORK, TWICE, classes=CLASSES, feature_names=FEATURES, repeat=repeat)
            for k in range(3)
        ]
    return trained


def _scorer(folder: Path, networks: list[TrainedFold], training: TrainingConfig = TWICE) -> Scorer:
    artefacts.save(
        folder, networks, network=NETWORK, training=training, classes=CLASSES, feature_names=FEATURES
    )
    return Scorer.load(folder)


def test_repeat_zero_has_the_folds_of_the_salt_and_the_others_are_independent() -> None:
    event = np.arange(20_000)
    folds = own_folds(0 * event, 0 * event, event, n_folds=5, n_repeats=3, salt="s")
    np.testing.assert_array_equal(folds[:, 0], assign_folds(0 * event, 0 * event, event, n_folds=5, salt="s"))
    for one, two in ((0, 1), (0, 2), (1, 2)):
        assert np.mean(folds[:, one] == folds[:, two]) == pytest.approx(0.2, abs=0.01)


def test_a_repeat_has_random_numbers_of_its_own(networks: list[TrainedFold]) -> None:
    assert TWICE.of_repeat(0) == TWICE
    assert TWICE.of_repeat(1).seed != TWICE.seed
    assert len({trained.sha256 for trained in networks}) == 6
    with pytest.raises(CardError, match=r"repeat: expected 0 … 1\. Received: 2"):
        TWICE.of_repeat(2)


def test_scores_are_the_mean_of_the_networks_that_have_not_seen_the_event(
    networks: list[TrainedFold], tmp_path: Path
) -> None:
    scorer = _scorer(tmp_path, networks)
    each = np.stack([scorer.score_with(number, DATA.features) for number in range(6)])
    rows = np.arange(900)
    expected = 0.5 * (each[OWN[:, 0], rows] + each[3 + OWN[:, 1], rows])
    np.testing.assert_allclose(scorer.score(DATA.features, OWN), expected, atol=1e-6)
    published = np.where(DATA.fold[:, None] < 0, np.int8(-1), OWN)
    scores = scorer.score(DATA.features, published)
    test = DATA.fold < 0
    np.testing.assert_allclose(scores[test], each[:, test].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(scores[~test], expected[~test], atol=1e-6)


def test_each_network_tells_what_it_gave(networks: list[TrainedFold], tmp_path: Path) -> None:
    seen = np.zeros((6, 900), np.int64)

    def count(network: int, rows: np.ndarray, scores: np.ndarray) -> None:
        seen[network, rows] += 1
        assert scores.shape == (len(rows), 3)

    _scorer(tmp_path, networks).score(DATA.features, OWN, on_network=count)
    np.testing.assert_array_equal(seen[:3].argmax(axis=0), OWN[:, 0])
    np.testing.assert_array_equal(seen.sum(axis=0), 2)


def test_repeats_that_are_missing_or_mixed_are_refused(networks: list[TrainedFold], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"in repeat 1\. Received: \[0, 2\]"):
        _scorer(tmp_path, [*networks[:3], networks[3], networks[5]])
    with pytest.raises(DataError, match="of one repeat were trained on different data"):
        _scorer(tmp_path, [replace(networks[0], data_sha256="0"), *networks[1:]])
    scorer = _scorer(tmp_path, networks)
    with pytest.raises(DataError, match=r"folds: expected shape \(900, 2\)"):
        scorer.score(DATA.features, DATA.fold)


def test_aligned_networks_have_common_quantiles(networks: list[TrainedFold], tmp_path: Path) -> None:
    """Each output of the networks has the median of its class where the mean of the networks has it."""
    plain = _scorer(tmp_path / "plain", networks)
    aligned_ones = _scorer(tmp_path / "aligned", networks, replace(TWICE, align=True))
    medians = np.array([trained.quantiles[0][25] for trained in networks])
    assert np.ptp(medians) > 0.005
    for number, median in enumerate(medians):
        scores = plain.score_with(number, DATA.features)[:, 0]
        mapped = aligned_ones.score_with(number, DATA.features)[:, 0]
        order = np.argsort(scores)
        assert (np.diff(mapped[order]) >= 0.0).all()
        assert np.interp(median, scores[order], mapped[order]) == pytest.approx(medians.mean(), abs=5e-3)


def test_alignment_keeps_the_ends_and_the_order() -> None:
    random = np.random.default_rng(1)
    scores = random.beta(2.0, 5.0, (1000, 1)).astype(np.float32)
    own = class_quantiles(scores, np.zeros(1000, np.int64), np.ones(1000))
    target = np.sqrt(own)
    mapped = aligned(scores, own, target)
    assert float(np.median(mapped)) == pytest.approx(float(np.sqrt(np.median(scores))), abs=2e-3)
    assert aligned(np.array([[0.0], [1.0]], np.float32), own, target).ravel().tolist() == [0.0, 1.0]
    with pytest.raises(DataError, match="positive weight"):
        class_quantiles(scores, np.ones(1000, np.int64), np.ones(1000))
