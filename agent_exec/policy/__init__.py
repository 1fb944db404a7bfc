"""YAML to a policy; a request to a decision."""
