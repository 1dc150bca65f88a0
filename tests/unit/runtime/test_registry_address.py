"""An address that a message names is a bundle of the registry, never another folder."""

from pathlib import Path

import pytest

from marquee.errors import ArtifactError
from marquee.registry.bundle import seal
from marquee.registry.registry import Registry


@pytest.mark.parametrize("address", ["../outside", "content/../../outside", "{outside}", "link"])
def test_an_address_beyond_the_registry_is_refused(tmp_path: Path, address: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "note.txt").write_text("sealed")
    manifest = seal(outside, "content", "data")
    registry = Registry(tmp_path / "registry")
    registry.root.mkdir(exist_ok=True)
    (registry.root / "link").symlink_to(outside)
    with pytest.raises(ArtifactError, match="leaves the registry"):
        registry.open(address.format(outside=outside), manifest.digest)
