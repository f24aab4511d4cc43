"""Who may work in a landing zone besides Pulumi: its owner's credential, an auditor's eyes."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_openstack as openstack

MEMBER = "member"
READER = "reader"
END_OF_DAY = "T15:59:59Z"  # 23:59:59 in Asia/Shanghai, as the Identity service gives it back


@dataclass(frozen=True)
class Auditor:
    """Who audits: the id of a group or a user, and of the role that only reads."""

    kind: str
    id: pulumi.Input[str]
    role: pulumi.Input[str]


def credential(
    name: str, project: str, until: str, inside: pulumi.ResourceOptions
) -> openstack.identity.ApplicationCredential:
    """Return an application credential of the project that `inside` is scoped to.

    It has the role member and no other, and can make no further credentials. With another day in
    `until` a new one is made before the old one goes: the day is in its name, names are unique.
    """
    return openstack.identity.ApplicationCredential(
        name,
        name=f"{project}-{until}" if until else project,
        description=f"The owner of {project}: role {MEMBER}",
        roles=[MEMBER],
        unrestricted=False,
        expires_at=f"{until}{END_OF_DAY}" if until else None,
        # the SDK says so too: a secret in the clear must not depend on its version
        opts=pulumi.ResourceOptions.merge(
            inside, pulumi.ResourceOptions(additional_secret_outputs=["secret"])
        ),
    )


def audit(
    name: str, project: pulumi.Input[str], auditor: Auditor, opts: pulumi.ResourceOptions
) -> openstack.identity.RoleAssignment:
    """Let the auditor read what is in a project, and change nothing."""
    return openstack.identity.RoleAssignment(
        f"{name}-audit",
        project_id=project,
        user_id=auditor.id if auditor.kind == "user" else None,
        group_id=auditor.id if auditor.kind == "group" else None,
        role_id=auditor.role,
        opts=opts,
    )
