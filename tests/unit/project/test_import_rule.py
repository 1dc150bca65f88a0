"""Rules of imports, checked in the sources and in the modules that a serving process loads."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SERVICES = {"content", "hybrid", "user_model", "neural", "gateway", "trainer"}
FITTING = {"torch", "mlflow", "sklearn", "implicit", "pandas", "scipy"}
ADAPTERS = {"redis", "kafka", "aiohttp", "httpx", "fastapi", "mlflow"}
PURE = {"model", "pipeline", "movies", "ratings", "routing", "filter_stage", "recommendation"}
MODULES = sorted((ROOT / "libs").rglob("*.py")) + sorted((ROOT / "services").rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Yield each module that a file imports anywhere, names taken from a package included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def package(path: Path) -> str:
    """Name the package that a file belongs to, such as `marquee` or `user_model`."""
    return path.relative_to(ROOT).parts[2]


def tops(path: Path) -> set[str]:
    """Name the top-level packages that a file imports."""
    return {name.partition(".")[0] for name in imports(path)}


def faults(path: Path) -> list[str]:
    """Name the services' modules that a file may not import."""
    own = package(path)
    foreign = [name for name in imports(path) if name.partition(".")[0] in SERVICES - {own}]
    if own != "trainer":
        return foreign
    return [name for name in foreign if "." in name and name.split(".")[1] not in {"fit", "model"}]


def test_the_rule_finds_the_source_of_every_service() -> None:
    assert {package(path) for path in MODULES} == SERVICES | {"marquee"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_no_other_service(path: Path) -> None:
    assert faults(path) == []


def test_pure_modules_import_no_adapter() -> None:
    pure = [
        path for path in MODULES if path.stem in PURE and "api" not in path.relative_to(ROOT).parts
    ]
    assert pure
    assert {str(path): tops(path) & ADAPTERS for path in pure if tops(path) & ADAPTERS} == {}


def test_serving_modules_name_no_fitting_library() -> None:
    serving = [
        path
        for path in MODULES
        if path.stem in {"model", "app", "consumer"}
        or (package(path) in {"gateway", "marquee"} and "training" not in path.parts)
    ]
    assert {str(path): tops(path) & FITTING for path in serving if tops(path) & FITTING} == {}


@pytest.mark.parametrize("service", sorted(SERVICES - {"trainer"}))
def test_a_serving_process_loads_no_fitting_library(service: str) -> None:
    loaded = loaded_by(f"{service}.app", f"{service}.consumer")
    assert not loaded & FITTING
    assert f"{service}.fit" not in loaded


def loaded_by(*modules: str) -> set[str]:
    """Import modules in a new interpreter; return what is loaded then, and each top package."""
    code = f"import json, sys, {', '.join(modules)}; print(json.dumps(list(sys.modules)))"
    names = json.loads(subprocess.check_output([sys.executable, "-c", code], text=True))
    return {*names, *(name.partition(".")[0] for name in names)}


def test_the_rule_sees_a_late_import_and_a_name_taken_from_a_package(tmp_path: Path) -> None:
    source = tmp_path / "late.py"
    source.write_text("def f():\n    import torch.nn\n    from content import fit\n")
    assert tops(source) == {"torch", "content"}
    assert "content.fit" in set(imports(source))
