"""Policies from the settings of other programs. Nothing of these settings is executed."""
