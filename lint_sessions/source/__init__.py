"""From a path to trees: which files, what is in them, which of their lines ask for silence."""
