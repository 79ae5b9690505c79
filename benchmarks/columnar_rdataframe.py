"""RDataFrame's side of benchmarks/columnar.py; runs in an environment of its own with PyPI's `root`.

Reads a JSON job on standard input, compiles columnar_rdataframe.hpp with -O3, runs the loop once to
write the selected events (and to warm up), then `repeats` times to measure; prints seconds as JSON.
"""

import json
import sys
from pathlib import Path

import ROOT


def main() -> None:
    job = json.load(sys.stdin)
    build = Path(job["directory"], "aclic")
    build.mkdir(exist_ok=True)
    source = Path(__file__).with_suffix(".hpp")
    ROOT.gSystem.SetFlagsOpt("-O3 -march=native -DNDEBUG")
    if not ROOT.gSystem.CompileMacro(str(source), "kO", "", str(build)):
        sys.exit(f"cannot compile {source}")
    names = ROOT.std.vector["std::string"](job["names"])
    lower, upper = (ROOT.std.vector["double"](job[side]) for side in ("lower", "upper"))
    bins = ROOT.std.vector["int"](job["bins"])
    ROOT.run(job["path"], job["selected"], names, lower, upper, bins)
    seconds = [ROOT.run(job["path"], "", names, lower, upper, bins) for _ in range(job["repeats"])]
    sys.stdout.write(json.dumps({"seconds": seconds}) + "\n")


if __name__ == "__main__":
    main()
