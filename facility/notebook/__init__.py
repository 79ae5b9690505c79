"""The library by hand, for a notebook: own arrays, tables and histograms in, results that show themselves."""
