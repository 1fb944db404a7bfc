"""Strategies for hypothesis, by the names of what they make."""

from __future__ import annotations

from hypothesis import strategies as st

chunks = st.lists(st.binary(max_size=64), max_size=20)
"""A stream, as reads would deliver it."""

texts = st.text(max_size=60)
"""Characters of one to four bytes, none of them a lone surrogate."""

limits = st.integers(0, 48)
"""Bytes to keep."""
