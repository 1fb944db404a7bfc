"""Questions to people, their answers, and what is remembered of them."""
