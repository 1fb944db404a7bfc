"""Rights -> what a child does to itself before exec."""
