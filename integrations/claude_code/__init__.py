"""Claude Code: a hook before its Bash tool, and its entry in the settings."""
