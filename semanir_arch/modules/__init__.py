"""Building blocks that networks share, one idea per file."""
