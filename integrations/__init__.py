"""One folder per host or framework; each is imported by itself, with its own extra."""
