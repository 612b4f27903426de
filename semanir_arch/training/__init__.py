"""Trains: the loop, the data stream, saved states, what watches a run."""
