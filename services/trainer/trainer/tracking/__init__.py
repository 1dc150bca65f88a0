"""MLflow tracking of trainings and model versions."""
