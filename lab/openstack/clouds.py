"""clouds.yaml: how clients find both regions; for whoever started the lab, and nobody else."""

from __future__ import annotations

import os

import yaml

from lab.openstack.render import File
from lab.openstack.topology import REGIONS, Cloud


def clouds(cloud: Cloud, user: str, password: str, project: str) -> dict[str, object]:
    """Return the entries of clouds.yaml for one user: one a region."""
    auth = {
        "auth_url": cloud.keystone_url,
        "username": user,
        "password": password,
        "project_name": project,
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    common = {"auth": auth, "identity_api_version": 3, "interface": "public"}
    return {region.name: {**common, "region_name": region.name} for region in REGIONS}


def write_clouds(cloud: Cloud) -> None:
    """Write clouds.yaml with the admin of both regions."""
    admin = clouds(cloud, "admin", cloud.passwords["identity-admin"], "admin")
    text = yaml.safe_dump({"clouds": admin}, sort_keys=False)
    owner = int(os.environ.get("SUDO_UID", "0"))  # who called sudo reads it as a plain user
    File(cloud.clouds_yaml, text, owner).write()
