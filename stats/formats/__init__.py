"""Likelihoods of other programs, in and out: text cards, pyhf JSON, histograms with a description."""
