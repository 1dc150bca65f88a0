"""The model registry: sealed bundles with a manifest, verified before they are loaded."""
