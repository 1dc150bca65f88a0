"""Every wheel says its licence in its metadata and carries the texts that go with it."""

import subprocess
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TEXTS = ("LICENSE", "NOTICE")
DISTRIBUTIONS = sorted(
    str(path.parent.relative_to(ROOT))
    for pattern in ("libs/*", "services/*", "clients/*", "deploy/*")
    for path in ROOT.glob(f"{pattern}/pyproject.toml")
)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_wheel_states_its_licence_and_has_its_texts(distribution: str, tmp_path: Path) -> None:
    builder = ROOT / ".venv/bin/hatchling"
    command: list[str | Path] = [builder, "build", "-t", "wheel", "-d", tmp_path]
    subprocess.run(command, cwd=ROOT / distribution, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        (folder,) = {name.split("/")[0] for name in file.namelist() if ".dist-info/" in name}
        metadata = Parser().parsestr(file.read(f"{folder}/METADATA").decode())
        assert metadata["License-Expression"] == "Apache-2.0"
        assert sorted(metadata.get_all("License-File", ())) == list(TEXTS)
        for name in TEXTS:
            assert file.read(f"{folder}/licenses/{name}") == (ROOT / name).read_bytes()
