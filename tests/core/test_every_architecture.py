"""Every image tower of the installed open_clip is explained, or refused with the names of the methods that apply."""

from __future__ import annotations

import pytest
from every_architecture import explained, shrunken, structures

STRUCTURES = structures()
# Configurations that are refused on purpose, and why. There are none.
REFUSED: dict[str, str] = {}


def test_every_configuration_has_a_structure_that_is_tried() -> None:
    import open_clip

    assert sorted(name for names in STRUCTURES.values() for name in names) == sorted(open_clip.list_models())


@pytest.mark.parametrize("name", [name for name in STRUCTURES if name not in REFUSED])
def test_every_structure_is_explained(name: str) -> None:
    found = explained(shrunken(name))
    assert {method: said for method, said in found.items() if said not in ("map", "refused")} == {}
    assert {"itsm", "grad_cam", "surgery"} <= {method for method, said in found.items() if said == "map"}
