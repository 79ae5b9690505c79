"""Particle level: padding, clustering, flavours and sources on real events."""

import awkward as ak
import numpy as np
import pytest

from znought.analyses.vh_ww.recipes import RECIPES
from znought.errors import DataError
from znought.simulation.pythia import PythiaGenerator
from znought.simulation.recipe import Recipe
from znought.simulation.truth import Truth, jets_of, truth_of


def _generated(name: str, n: int = 30) -> tuple[Truth, ak.Array, PythiaGenerator]:
    recipe: Recipe = RECIPES[name]
    generator = PythiaGenerator(recipe, seed=11)
    records = generator.batch(n).records
    return truth_of(records, recipe.leptons), records, generator


def test_far_particles_make_two_jets_and_near_ones_one() -> None:
    p4 = np.array(
        [[30.0, 0, 0, 30.0], [0, 20.0, 0, 20.0], [25.0, 0, 0, 25.0], [25.0, 1.0, 0, np.hypot(25, 1)]]
    )
    pt, _, phi, mass = jets_of(p4, np.array([0, 0, 2, 2]), n_events=3)
    assert np.allclose(pt, [[30.0, 20.0], [0.0, 0.0], [np.hypot(50.0, 1.0), 0.0]])
    assert np.allclose(phi[0], [0.0, np.pi / 2])
    assert mass[2, 0] > 0.0


def test_top_pairs_hold_two_b_jets_and_two_leptons() -> None:
    truth, _, _ = _generated("ttbar_ll")
    assert truth.source.shape == (30, 2, 4)
    assert np.array_equal(truth.source_id, np.tile([-11, 11], (30, 1)))
    n_b = np.sum((truth.jet_flavour == 5) & (truth.jet_pt > 20.0), axis=1)
    assert n_b.mean() > 1.5
    assert np.all(truth.jet_flavour[truth.jet_pt == 0.0] == 0)


def test_momentum_balances_between_recoil_leptons_and_neutrinos() -> None:
    truth, records, _ = _generated("ww_ll", 20)
    final = records[records.status > 0]
    id_abs = abs(final.id)
    is_neutrino = (id_abs == 12) | (id_abs == 14) | (id_abs == 16)
    is_prompt = (id_abs == 11) & (abs(final.status) < 80)
    is_forward = np.abs(np.arcsinh(final.p.pz / np.hypot(final.p.px, final.p.py))) > 4.9
    neutrino, forward = final[is_neutrino], final[is_forward & ~is_neutrino & ~is_prompt]
    missing = np.stack([ak.to_numpy(ak.sum(neutrino.p[c], axis=1)) for c in ("px", "py")], axis=1)
    lost = np.stack([ak.to_numpy(ak.sum(forward.p[c], axis=1)) for c in ("px", "py")], axis=1)
    visible = truth.recoil + truth.source[..., :2].sum(axis=1)
    assert np.allclose(visible + missing + lost, 0.0, atol=0.01)


def test_the_higgs_boson_itself_is_no_jet() -> None:
    truth, _, _ = _generated("vbf_ww", 20)
    higgs_pt = np.hypot(truth.source[:, 0, 0], truth.source[:, 0, 1])
    assert np.allclose(np.hypot(*(truth.recoil.T)), higgs_pt, atol=25.0)
    assert np.all(truth.source_id == 25)


def test_leptons_of_the_record_include_those_of_prompt_taus_only() -> None:
    truth, _, _ = _generated("wz_lll", 20)
    n_leptons = np.sum(truth.source_id != 0, axis=1)
    assert n_leptons.max() == 3
    assert np.all(np.isin(np.abs(truth.source_id), (0, 11, 13)))


@pytest.mark.parametrize(("name", "charge"), [("wplush_qqww", 1), ("wminush_qqww", -1)])
def test_associated_w_bosons_have_the_charge_of_the_recipe(name: str, charge: int) -> None:
    _, records, generator = _generated(name, 20)
    w_boson = records[(abs(records.id) == 24) & (abs(records.status) == 22)]
    assert ak.to_list(w_boson.id) == [[24 * charge]] * 20
    assert generator.attempted == 20


def test_z_pairs_have_one_tau_pair_and_one_quark_pair() -> None:
    _, records, _ = _generated("zz_qqtautau", 20)
    children = records[abs(records.status) == 23]
    assert ak.all(ak.sum(abs(children.id) == 15, axis=1) == 2)
    assert ak.all(ak.sum(abs(children.id) <= 5, axis=1) == 2)


def test_a_wrong_number_of_sources_is_an_error() -> None:
    _, records, _ = _generated("ttbar_ll", 3)
    with pytest.raises(DataError, match=r"must have 1 prompt higgs_ww sources\. Received: 0"):
        truth_of(records, "higgs_ww")


def test_an_unknown_pythia_setting_is_named() -> None:
    recipe = Recipe(name="x", description="", commands=("Higs:all = on",), leptons="record")
    with pytest.raises(DataError, match="Higs:all = on"):
        PythiaGenerator(recipe, seed=1)
