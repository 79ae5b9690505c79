"""The card's `simulation` section: seed, job size, detector choices and the pseudo-data's mismodelling."""

from dataclasses import dataclass, field

from znought.errors import CardError

__all__ = [
    "ENERGY_TEV",
    "DetectorConfig",
    "MisidentificationConfig",
    "PseudoDataConfig",
    "SimulationConfig",
]

ENERGY_TEV = 13.0
"""Centre-of-mass energy that every recipe is generated at."""


def _require(condition: bool, key: str, expected: str, received: object) -> None:
    if not condition:
        raise CardError(f"simulation: {key} must be {expected}. Received: {received!r}.")


@dataclass(frozen=True)
class DetectorConfig:
    """Numbers of the parametrised detector that a user may wish to turn.

    Jet resolution: σ(pT)/pT = √(N²/pT² + S²/pT + C²), which meets (24 ± 1.5) % at 20 GeV and (6 ± 0.5) % at
    300 GeV of particle-flow jets (arXiv:2007.02645, abstract). Noise refers to 33.7 interactions, and
    grows with those of the event (`simulation.pile_up`). Where no source is named, the number is assumed.

    Attributes:
        jet_noise_gev: N of the jet resolution.
        jet_stochastic: S of the jet resolution, √GeV.
        jet_constant: C of the jet resolution.
        jet_forward_noise_factor: on N beyond the tracker: there σ/pT is within 3 % of ATLAS's own
            parametrisation at 33 GeV and 34 interactions (Athena, `JetPerformanceFunctions.cxx`, |η| = 3.8).
        jet_angle_gev: error of a jet's direction times its pT: σ(φ) = 1.23 pT^−0.95, by which CheckMATE 2
            has the MET significance of ATLAS in arXiv:1908.03122.
        met_soft_response: share of the soft hadrons that the calorimeter term sees.
        met_soft_sigma_gev: width of the calorimeter soft term, per component; 10 GeV in ATLAS's MET
            significance (ATLAS-CONF-2018-038; Athena, `METSignificance.cxx`, `SoftTermReso`).
        track_met_sigma_gev: width of the track-based missing momentum, per component.
        soft_activity_mean_gev: mean scalar sum that pile-up adds.
        isolation_noise_gev: mean momentum that pile-up adds to a lepton's cone.
        jet_energy_scale: factor on every jet momentum.
        pile_up_mean: mean number of further interactions in an event; 33.7 in Run 2 (ATLAS,
            LuminosityPublicResultsRun2). 0: none, no jets of theirs, and no jet-vertex tag.
    """

    jet_noise_gev: float = 3.5
    jet_stochastic: float = 0.7
    jet_constant: float = 0.04
    jet_forward_noise_factor: float = 1.3
    jet_angle_gev: float = 1.5
    met_soft_response: float = 0.9
    met_soft_sigma_gev: float = 10.0
    track_met_sigma_gev: float = 3.0
    soft_activity_mean_gev: float = 45.0
    isolation_noise_gev: float = 0.4
    jet_energy_scale: float = 1.0
    pile_up_mean: float = 33.7

    def __post_init__(self) -> None:
        for key, value in vars(self).items():
            _require(value >= 0.0, f"detector.{key}", "zero or positive", value)
        for key in ("jet_energy_scale", "met_soft_sigma_gev"):
            _require(getattr(self, key) > 0.0, f"detector.{key}", "positive", getattr(self, key))


@dataclass(frozen=True)
class MisidentificationConfig:
    """Leptons and charges that are not what they seem; rates and their sources are in `misidentification`.

    Attributes:
        light_jet_electron: factor on the cited rate of light jets as electrons.
        light_jet_muon: rate of light jets as muons, an assumption.
        heavy_jet: factor on the rate of b and c jets as leptons.
        tight: factor on the share of candidates that are tight.
        pt_min_gev: candidates below are not written.
        charges: whether electrons have the wrong charge now and then.
    """

    light_jet_electron: float = 1.0
    light_jet_muon: float = 5.0e-4
    heavy_jet: float = 1.0
    tight: float = 1.0
    pt_min_gev: float = 10.0
    charges: bool = False

    def __post_init__(self) -> None:
        for key, value in vars(self).items():
            _require(value >= 0.0, f"misidentification.{key}", "zero or positive", value)


@dataclass(frozen=True)
class PseudoDataConfig:
    """Pseudo-data: own jobs, own seeds, unweighted, with a declared mismodelling.

    Attributes:
        enabled: whether `plan` makes pseudo-data at all.
        dataset: name of the dataset they form.
        lumi_ifb: their integrated luminosity at events scale 1 (it scales with the sample).
        scale: factor on the cross section by process name; 1 where not given.
        jet_energy_scale: factor on every jet momentum.
    """

    enabled: bool = True
    dataset: str = "data"
    lumi_ifb: float = 4.0
    scale: dict[str, float] = field(default_factory=dict)
    jet_energy_scale: float = 1.01

    def __post_init__(self) -> None:
        _require(self.lumi_ifb > 0.0, "pseudo_data.lumi_ifb", "positive", self.lumi_ifb)
        _require(
            self.jet_energy_scale > 0.0, "pseudo_data.jet_energy_scale", "positive", self.jet_energy_scale
        )
        for process, factor in self.scale.items():
            _require(factor >= 0.0, f"pseudo_data.scale.{process}", "zero or positive", factor)


@dataclass(frozen=True)
class SimulationConfig:
    """How events are made.

    Attributes:
        seed: root of every random number; job seeds derive from (seed, dataset, job index).
        job_size: factor on the recipes' own number of events per job (20 to 60 s each at 1).
        detector: the parametrised response.
        misidentification: jets as leptons, and wrong charges.
        pseudo_data: what the pseudo-data are made of.
    """

    seed: int = 20200611
    job_size: float = 1.0
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    misidentification: MisidentificationConfig = field(default_factory=MisidentificationConfig)
    pseudo_data: PseudoDataConfig = field(default_factory=PseudoDataConfig)

    def __post_init__(self) -> None:
        _require(self.seed >= 0, "seed", "zero or positive", self.seed)
        _require(self.job_size > 0.0, "job_size", "positive", self.job_size)
