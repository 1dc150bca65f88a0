"""Model versions: fits, parameters, differences, checks of artifacts."""
