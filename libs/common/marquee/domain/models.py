"""The models that are trained and served."""

MODEL_NAMES: tuple[str, ...] = ("content", "hybrid", "user-model", "neural")
