"""Image files: pixels, depth, metadata, encoding."""
