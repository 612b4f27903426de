"""Data sets in BasicSR's form."""
