"""What a person's own tools need to work on the lab: the exports of `gaoling lab env`."""

from __future__ import annotations

import os

from gaoling.cli import context


def variables() -> dict[str, str]:
    """Return the environment for plain pulumi, openstack and ssh on this city."""
    from gaoling.cloud import toolchain
    from gaoling.cloud.home import Home

    folder, _ = context.city_folder()
    home = Home(context.state(), context.access("cloud") / "clouds.yaml")
    found = {
        "GAOLING_CITY": folder.name,
        "GAOLING_SSH_CONFIG": str(context.access("extranet") / "ssh_config"),
        "OS_CLOUD": "primary",
        **home.variables(),
        **toolchain.environment(home.state),
    }
    path = found.get("PATH", os.environ["PATH"]).split(os.pathsep)
    found["PATH"] = os.pathsep.join(dict.fromkeys([str(context.ROOT / ".venv/bin"), *path]))
    return found
