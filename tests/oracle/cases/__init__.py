"""Programs on which linter and runs disagreed once. Codes at the ends of rows: what is reported, since a run shows it."""
