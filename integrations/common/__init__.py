"""What the adapters for agent frameworks share. No framework is imported here."""
