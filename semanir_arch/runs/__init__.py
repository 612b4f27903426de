"""From an option file to a run that can start, and one command of test.py."""
