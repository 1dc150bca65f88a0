"""Folders of this checkout that the demo uses."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BIN = ROOT / ".venv" / "bin"
TRAINER = ROOT / ".venv-trainer"
"""The environment with torch."""
