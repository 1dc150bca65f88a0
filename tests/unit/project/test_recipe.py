"""The recipe of DVC and the DAG of Airflow name the stages of a training, each of them."""

import ast
from pathlib import Path

import yaml

from trainer.runs.stages import STAGES

ROOT = Path(__file__).resolve().parents[3]


def test_the_recipe_and_the_dag_name_every_stage() -> None:
    names = [stage.name for stage in STAGES]
    recipe = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert ["data", *recipe["fit"]["foreach"], "evaluate"] == names[:-1]
    tree = ast.parse((ROOT / "deploy" / "airflow" / "marquee_dag.py").read_text())
    (models,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MODELS"
    )
    assert ["data", *models, "evaluate", "publish"] == names
