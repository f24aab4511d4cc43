"""What a person's own tools need to work on the lab: the exports of `gaoling lab env`."""

from __future__ import annotations

import os

from gaoling.cli import context


def variables() -> dict[str, str]:
    """Return the environment for plain pulumi, openstack and ssh on this city."""
    from gaoling.cloud import toolchain

    state = context.state()
    folder, _ = context.city_folder()
    found = {
        "GAOLING_CITY": folder.name,
        "OS_CLIENT_CONFIG_FILE": str(context.access("cloud") / "clouds.yaml"),
        "OS_CLOUD": "primary",
        "PULUMI_BACKEND_URL": f"file://{state / 'pulumi' / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(state / "pulumi" / "passphrase"),
        "PULUMI_OPTION_POLICY_PACK": str(context.ROOT / "infra" / "policy"),
        "GAOLING_SSH_CONFIG": str(context.access("extranet") / "ssh_config"),
    }
    found.update(toolchain.environment(state))
    path = found.get("PATH", os.environ["PATH"]).split(os.pathsep)
    found["PATH"] = os.pathsep.join(dict.fromkeys([str(context.ROOT / ".venv/bin"), *path]))
    return found
