"""Events when there are none at hand: Pythia 8, anti-kT jets and a parametrised ATLAS-like detector.

`jobs.plan` turns requests into jobs, `jobs.run_job` writes one NanoAOD-like ROOT file per job. What is
simulated, and what is not, is declared in `recipes` (processes) and `detector` (response).
"""
