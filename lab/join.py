"""Where cloud and extranet meet: the data-centre leaves."""

from __future__ import annotations

from gaoling.city import read_city
from lab.inventory import CITY
from lab.progress import Progress


def join(progress: Progress) -> None:
    """Plug each region's external bridge into its leaf; done again, it changes nothing."""
    from lab.openstack.part import attach

    for region in read_city(CITY).settings.regions:
        attach(region.name, f"gx-{region.leaf}", region.leaf_interface)
    progress.note("cloud and extranet joined at the data-centre leaves")
