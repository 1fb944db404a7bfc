"""Bash text: parse what can run without bash, or say why bash is needed."""
