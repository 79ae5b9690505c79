// The same preselection and 17 inputs as znought.processors, for ROOT's RDataFrame.
// Compiled by ACLiC with -O3; columnar.py runs it in an environment that has PyROOT.
#include <ROOT/RDataFrame.hxx>
#include <ROOT/RVec.hxx>
#include <TStopwatch.h>

#include <array>
#include <cmath>
#include <string>
#include <vector>

using Floats = ROOT::RVecF;
using Ints = ROOT::RVecI;

struct P4 {
  double pt = 0, eta = 0, phi = 0, m = 0;
  double px() const { return pt * std::cos(phi); }
  double py() const { return pt * std::sin(phi); }
  double mt() const { return std::hypot(pt, m); }
  double y() const { return m == 0 ? eta : std::asinh(pt / mt() * std::sinh(eta)); }
};

inline double dphi(double a, double b) {
  return M_PI - std::abs(M_PI - std::fmod(std::abs(a - b), 2 * M_PI));
}

inline double mass(const P4 &a, const P4 &b) {
  const double mt = a.mt() * b.mt(), pt = a.pt * b.pt;
  const double masses = std::pow(a.m * b.pt, 2) + std::pow(b.m * a.pt, 2) + std::pow(a.m * b.m, 2);
  const double sh = std::sinh(0.5 * (a.y() - b.y())), s = std::sin(0.5 * (a.phi - b.phi));
  return std::sqrt(a.m * a.m + b.m * b.m + 2 * masses / (mt + pt) + 4 * (mt * sh * sh + pt * s * s));
}

struct Pair {
  P4 l0, l1;
  bool pass = false;
};

inline std::vector<int> good(const Floats &pt, const Floats &eta, const Floats &iso, bool electron) {
  std::vector<int> kept;
  for (std::size_t i = 0; i < pt.size(); ++i) {
    const float a = std::abs(eta[i]);
    if (pt[i] > 10 && a < 2.5f && iso[i] < 0.15f && !(electron && a > 1.37f && a < 1.52f)) kept.push_back(i);
  }
  return kept;
}

inline Pair dilepton(const Floats &ept, const Floats &eeta, const Floats &ephi, const Ints &eq,
                     const Floats &eiso, const Floats &mpt, const Floats &meta, const Floats &mphi,
                     const Ints &mq, const Floats &miso) {
  Pair pair;
  const auto e = good(ept, eeta, eiso, true), m = good(mpt, meta, miso, false);
  if (e.size() != 1 || m.size() != 1 || eq[e[0]] * mq[m[0]] >= 0) return pair;
  const P4 electron{ept[e[0]], eeta[e[0]], ephi[e[0]], 0.000511};
  const P4 muon{mpt[m[0]], meta[m[0]], mphi[m[0]], 0.105658};
  const bool first = electron.pt >= muon.pt;
  pair.l0 = first ? electron : muon;
  pair.l1 = first ? muon : electron;
  pair.pass = pair.l0.pt > 22 && pair.l1.pt > 15 && mass(pair.l0, pair.l1) > 10;
  return pair;
}

struct Jets {
  P4 j0, j1;
  double ht = 0, px = 0, py = 0, veto = 1;
  int n = 0;
};

inline Jets jets(const Pair &pair, const Floats &pt, const Floats &eta, const Floats &phi, const Floats &m,
                 const Floats &p85) {
  Jets out;
  for (std::size_t i = 0; i < pt.size(); ++i) {
    bool close = false;
    for (const P4 *lepton : {&pair.l0, &pair.l1})
      close |= std::pow(eta[i] - lepton->eta, 2) + std::pow(dphi(phi[i], lepton->phi), 2) < 0.16;
    if (close) continue;
    const float a = std::abs(eta[i]);
    if (pt[i] > 20 && a < 2.5f) out.veto *= 1.0 - double(p85[i]);
    if (!(pt[i] > 30 && a < 4.5f)) continue;
    const P4 jet{pt[i], eta[i], phi[i], m[i]};
    ++out.n;
    out.ht += jet.pt;
    out.px += jet.px();
    out.py += jet.py();
    if (jet.pt > out.j0.pt) {
      out.j1 = out.j0;
      out.j0 = jet;
    } else if (jet.pt > out.j1.pt) {
      out.j1 = jet;
    }
  }
  return out;
}

using Inputs = std::array<float, 17>;

inline Inputs inputs(const Pair &l, const Jets &j, float met, float met_phi, float significance, float track,
                     float track_phi, float soft) {
  const double mx = met * std::cos(double(met_phi)), my = met * std::sin(double(met_phi));
  const double tx = track * std::cos(double(track_phi)), ty = track * std::sin(double(track_phi));
  const double lx = l.l0.px() + l.l1.px(), ly = l.l0.py() + l.l1.py();
  const double m_ll = mass(l.l0, l.l1), pt_ll = std::hypot(lx, ly), met_d = std::hypot(mx, my);
  const double phi_d = std::atan2(my, mx), s = std::sin(0.5 * (std::atan2(ly, lx) - phi_d));
  const double m_t = std::sqrt(
      m_ll * m_ll + 2 * met_d * (m_ll * m_ll / (std::hypot(pt_ll, m_ll) + pt_ll) + 2 * pt_ll * s * s));
  const double opening = std::sin(l.l1.phi - l.l0.phi);
  double m_tautau = -1;
  if (std::abs(opening) > 1e-6) {
    const double r0 = met_d * std::sin(l.l1.phi - phi_d) / (l.l0.pt * opening);
    const double r1 = met_d * std::sin(phi_d - l.l0.phi) / (l.l1.pt * opening);
    if (r0 >= -1e-12 && r1 >= -1e-12)
      m_tautau = m_ll * std::sqrt((1 + std::max(r0, 0.)) * (1 + std::max(r1, 0.)));
  }
  const double total = std::hypot(lx + j.px + tx, ly + j.py + ty);
  const double lj = mass(l.l0, j.j0) + mass(l.l0, j.j1) + mass(l.l1, j.j0) + mass(l.l1, j.j1);
  return {float(l.l0.pt), float(l.l1.pt), float(dphi(l.l0.phi, l.l1.phi)),
          float(std::abs(l.l0.y() - l.l1.y())), float(m_ll), float(j.j0.pt), float(j.j1.pt),
          float(dphi(j.j0.phi, j.j1.phi)), float(std::abs(j.j0.y() - j.j1.y())), float(mass(j.j0, j.j1)),
          float(m_tautau), float(m_t), float(std::hypot(tx, ty)),
          float(l.l0.pt + l.l1.pt + j.ht + soft), significance, float(total), float(lj)};
}

// Runs the loop; fills 17 histograms, and writes the inputs only if `output` is given. Returns CPU seconds.
double run(const std::string &path, const std::string &output, const std::vector<std::string> &names,
           const std::vector<double> &lower, const std::vector<double> &upper, const std::vector<int> &bins) {
  TStopwatch watch;
  ROOT::RDataFrame frame("Events", path);
  auto selected =
      frame
          .Define("pair", dilepton,
                  {"Electron_pt", "Electron_eta", "Electron_phi", "Electron_charge", "Electron_pfRelIso03_all",
                   "Muon_pt", "Muon_eta", "Muon_phi", "Muon_charge", "Muon_pfRelIso03_all"})
          .Filter([](const Pair &pair) { return pair.pass; }, {"pair"})
          .Define("jets", jets, {"pair", "Jet_pt", "Jet_eta", "Jet_phi", "Jet_mass", "Jet_btagProb85"})
          .Filter([](const Jets &j) { return j.n >= 2; }, {"jets"})
          .Define("inputs", inputs,
                  {"pair", "jets", "MET_pt", "MET_phi", "MET_significance", "TkMET_pt", "TkMET_phi",
                   "SoftActivity_ht"})
          .Define("weight", [](float gen, const Jets &j) { return double(gen) * j.veto; }, {"genWeight", "jets"});
  ROOT::RDF::RNode node = selected;
  for (std::size_t i = 0; i < names.size(); ++i)
    node = node.Define(names[i], [i](const Inputs &x) { return x[i]; }, {"inputs"});
  std::vector<ROOT::RDF::RResultPtr<TH1D>> histograms;
  for (std::size_t i = 0; i < names.size(); ++i)
    histograms.push_back(node.Histo1D<float, double>(
        {names[i].c_str(), "", bins[i], lower[i], upper[i]}, names[i], "weight"));
  if (!output.empty()) {
    std::vector<std::string> columns = names;
    columns.insert(columns.end(), {"event", "weight"});
    node.Snapshot("Selected", output, columns);
    return watch.CpuTime();
  }
  double content = 0;
  for (auto &histogram : histograms) content += histogram->GetEntries();
  return watch.CpuTime();
}
