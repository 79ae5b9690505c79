"""Where workers leave files and find them: the output directory, another place, or home through Dask."""
