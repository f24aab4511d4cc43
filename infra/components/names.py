"""A system's name, where the cloud has Designate: `<system>.<domain>`, both families."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_openstack as openstack

from infra.components.load_balancer import of_family

TTL = 300  # a failover is seen after five minutes
RECORDS = {4: "A", 6: "AAAA"}


@dataclass(frozen=True)
class NamesArgs:
    """`addresses` are those that the name stands for; each entry holds both families."""

    system: str
    domain: str
    zone: pulumi.Input[str]
    addresses: Sequence[pulumi.Output[Sequence[str]]]


class Names(pulumi.ComponentResource):
    """The records of a system in the city's zone, which belongs to the platform."""

    def __init__(
        self, name: str, args: NamesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("gaoling:cloud:Names", name, {}, opts)
        title = f"{args.system}.{args.domain}"
        for version, kind in RECORDS.items():
            found = [of_family(a, version) for a in args.addresses]
            openstack.dns.RecordSet(
                f"{name}-{kind.lower()}",
                name=title,
                zone_id=args.zone,
                type=kind,
                ttl=TTL,
                records=found,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"name": title})
