"""The language server: what the command finds, told in an editor while one types."""
