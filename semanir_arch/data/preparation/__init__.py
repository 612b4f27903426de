"""What the scripts in `datasets_prep/` do: unpack, cut, degrade and check data sets."""
