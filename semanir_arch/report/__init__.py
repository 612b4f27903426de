"""Shows results: tables in the terminal and in files."""
