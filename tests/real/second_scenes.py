"""Every scene of the second kernel by its name."""

from __future__ import annotations

from tests.real.ipvs_mode_scenes import IPVS_MODE_SCENES
from tests.real.ipvs_scenes import IPVS_SCENES
from tests.real.random_scenes import RANDOM_SCENES
from tests.real.scene import Scene
from tests.real.tunnel_scenes import DUMMY_SCENES, GENEVE_SCENES, IPIP_SCENES, IPVLAN_SCENES
from tests.real.wiring_scenes import WIRING_SCENES

SCENES: dict[str, Scene] = {
    scene.name: scene
    for scene in (
        *IPVS_SCENES,
        *IPVS_MODE_SCENES,
        *IPIP_SCENES,
        *GENEVE_SCENES,
        *IPVLAN_SCENES,
        *DUMMY_SCENES,
        *WIRING_SCENES,
        *RANDOM_SCENES,
    )
}
