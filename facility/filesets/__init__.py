"""Filesets as people have them: folders, lists of addresses, coffea's JSON, names of datasets on the grid."""
