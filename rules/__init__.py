"""One rule, one file; installed as `lint_sessions.rules`, and nothing imports a rule by name."""
