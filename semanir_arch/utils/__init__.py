"""Helpers that every layer may use and that use none of the layers."""
