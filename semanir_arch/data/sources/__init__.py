"""Where images come from: folders, LMDBs, MATLAB files; which image belongs to which."""
