"""Background sessions: calls that go on while their caller does something else."""
