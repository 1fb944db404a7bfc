"""What a model sees: the tools in each dialect, what its calls mean, and results as text."""
