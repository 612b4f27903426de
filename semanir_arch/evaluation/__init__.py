"""Scores a network on data sets: the loop, the cache of scores."""
