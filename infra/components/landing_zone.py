"""All that one system gets in one region: project, quotas, network, servers, volumes, objects."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_openstack as openstack

from infra.components.access import Auditor, audit, credential
from infra.components.container import Container, ContainerArgs
from infra.components.load_balancer import LoadBalancer, LoadBalancerArgs
from infra.components.names import Names, NamesArgs
from infra.components.network import Network, NetworkArgs
from infra.components.security_groups import SecurityGroups, SecurityGroupsArgs
from infra.components.servers import Servers, ServersArgs
from infra.components.volume import Volumes, VolumesArgs

FAMILIES = 2


@dataclass(frozen=True)
class LandingZoneArgs:
    """What the register, the plan, the region's platform and the stack's configuration say.

    `project_id` is the project that another region's stack made; None where it is made here. Then
    `admin_user` and `admin_role` are who works in it: the account that runs Pulumi.
    """

    system: str
    title: str
    department: str
    zone: str
    mlps: int
    recovery: str
    recovery_region: str
    region: str
    # the project, and the access to it
    project: str
    project_id: pulumi.Input[str] | None
    cloud_entry: str
    admin_user: pulumi.Input[str]
    admin_role: pulumi.Input[str]
    credential_until: str  # a day; empty: for ever
    auditor: Auditor | None
    # servers and data
    servers: int
    data_servers: int  # the last so many of them
    data_port: int
    vcpus: int
    memory_gb: int
    port: int
    volumes: int
    volume_gb: int
    volume_type: str
    container: str
    container_role: str
    object_gb: int
    peer: str
    sync_realm: str
    sync_secret: pulumi.Output[str] | None
    # the plan
    ipv4: str
    ipv6: str
    ipv6_mode: str
    gateway_ipv4: str
    gateway_ipv6: str
    extranet_ipv4: str
    extranet_ipv6: str
    # the platform
    provider_network: pulumi.Input[str]
    provider_subnet_ipv4: pulumi.Input[str]
    provider_subnet_ipv6: pulumi.Input[str]
    pool: pulumi.Input[str]
    pool_ipv6: pulumi.Input[str] | None
    flavor: pulumi.Input[str]
    image: pulumi.Input[str]
    baseline: pulumi.Input[str] | None  # the group of every server, where the city has one
    names: tuple[str, pulumi.Input[str]] | None  # the domain, and the id of its zone
    # the stack
    dns_ipv4: tuple[str, ...]
    dns_ipv6: tuple[str, ...]
    anti_affinity: str
    availability_zones: tuple[str, ...]
    load_balancer: bool
    answer: bool
    protect: bool
    expires: str = "none"  # the day on which a temporary zone goes

    @property
    def tags(self) -> list[str]:
        return [f"department={self.department}", "gaoling", f"system={self.system}"]


class LandingZone(pulumi.ComponentResource):
    """A system's place on the cloud (云上落地区) in one region."""

    def __init__(
        self, name: str, args: LandingZoneArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("gaoling:cloud:LandingZone", name, {}, opts)
        self._name = name
        self._args = args
        self.project_id = self._project()
        self._quotas()
        inside = pulumi.ResourceOptions(parent=self, providers={"openstack": self._scope()})
        self.credential = None
        if args.project_id is None:  # it holds in all regions: there is one Identity service
            self.credential = credential(name, args.project, args.credential_until, inside)
        network = self._network(inside)
        groups = SecurityGroups(
            name,
            SecurityGroupsArgs(
                system=args.system,
                zone=args.zone,
                mlps=args.mlps,
                port=args.port,
                extranet_ipv4=args.extranet_ipv4,
                extranet_ipv6=args.extranet_ipv6,
                dns=[*args.dns_ipv4, *args.dns_ipv6],
                web=args.servers - args.data_servers,
                data=args.data_servers,
                data_port=args.data_port,
                baseline=args.baseline is not None,
                tags=args.tags,
            ),
            inside,
        )
        servers = self._servers(network, groups, inside) if args.servers else None
        if args.volumes:
            volumes = VolumesArgs(
                system=args.system,
                count=args.volumes,
                size_gb=args.volume_gb,
                kind=args.volume_type,
                servers=[s.id for s in servers.servers] if servers else [],
                protect=args.protect,
            )
            Volumes(name, volumes, inside)
        if args.container_role:
            Container(name, self._container(), inside)
        if servers:
            self._front(network, groups, servers, inside)
        self.addresses = servers.addresses if servers else pulumi.Output.from_input([])
        self.register_outputs({"project": self.project_id, "addresses": self.addresses})

    def _project(self) -> pulumi.Output[str]:
        """Return the id of the project: one made here, where no other stack made it.

        It is protected: whoever loses a system's row finds that nothing of it is deleted.
        """
        args = self._args
        self._anchors: list[pulumi.Resource] = []
        if args.project_id is not None:
            return pulumi.Output.from_input(args.project_id)
        project = openstack.identity.Project(
            self._name,
            name=args.project,
            description=args.title,
            tags=sorted(
                [
                    *args.tags,
                    f"expires={args.expires}",
                    f"mlps={args.mlps}",
                    f"recovery={args.recovery}",
                    f"recovery-region={args.recovery_region or 'none'}",
                    f"zone={args.zone}",
                ]
            ),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        role = openstack.identity.RoleAssignment(
            self._name,
            project_id=project.id,
            user_id=args.admin_user,
            role_id=args.admin_role,
            opts=pulumi.ResourceOptions(parent=self),
        )
        if args.auditor:
            audit(self._name, project.id, args.auditor, pulumi.ResourceOptions(parent=self))
        self._anchors = [project, role]
        found: pulumi.Output[str] = project.id
        return found

    def _scope(self) -> openstack.Provider:
        """Return the access to the project, by clouds.yaml: no password in the state."""
        return openstack.Provider(
            self._name,
            cloud=self._args.cloud_entry,
            opts=pulumi.ResourceOptions(parent=self, depends_on=self._anchors),
        )

    def _quotas(self) -> None:
        """Declare quotas: what the register asks for, and one server and volume to replace with."""
        args = self._args
        child = pulumi.ResourceOptions(parent=self)
        servers = args.servers + 1
        openstack.compute.QuotaSetV2(
            self._name,
            project_id=self.project_id,
            instances=servers,
            cores=servers * max(args.vcpus, 1),
            ram=servers * max(args.memory_gb, 1) * 1024,
            key_pairs=10,
            metadata_items=128,
            server_groups=2,
            server_group_members=servers,
            opts=child,
        )
        # Neutron counts what is being made twice for a moment: room for two of everything. And no
        # zeros: the provider passes over them when it creates, and sets them at the next run.
        openstack.networking.QuotaV2(
            self._name,
            project_id=self.project_id,
            network=2,
            subnet=2 * FAMILIES,
            router=2,
            # servers, both legs of the router, its gateway, the port of DHCP
            port=2 * (servers + FAMILIES + 2),
            floatingip=1,
            security_group=4,
            security_group_rule=50,
            rbac_policy=1,
            subnetpool=1,
            opts=child,
        )
        volumes = args.volumes + 1
        openstack.blockstorage.QuoteSetV3(  # spelt so
            self._name,
            project_id=self.project_id,
            volumes=volumes,
            gigabytes=volumes * args.volume_gb,
            per_volume_gigabytes=max(args.volume_gb, 1),
            snapshots=7 * volumes,
            backups=14 * volumes,
            backup_gigabytes=14 * volumes * args.volume_gb,
            groups=0,
            opts=child,
        )

    def _network(self, inside: pulumi.ResourceOptions) -> Network:
        args = self._args
        wanted = NetworkArgs(
            system=args.system,
            ipv4=args.ipv4,
            ipv6=args.ipv6,
            gateway_ipv4=args.gateway_ipv4,
            gateway_ipv6=args.gateway_ipv6,
            provider_network=args.provider_network,
            provider_subnet_ipv4=args.provider_subnet_ipv4,
            provider_subnet_ipv6=args.provider_subnet_ipv6,
            pool=args.pool,
            pool_ipv6=args.pool_ipv6,
            ipv6_mode=args.ipv6_mode,
            dns_ipv4=args.dns_ipv4,
            dns_ipv6=args.dns_ipv6,
            tags=args.tags,
        )
        return Network(self._name, wanted, inside)

    def _servers(
        self, network: Network, groups: SecurityGroups, inside: pulumi.ResourceOptions
    ) -> Servers:
        args = self._args
        wanted = ServersArgs(
            system=args.system,
            region=args.region,
            flavor=args.flavor,
            image=args.image,
            network=network.network.id,
            subnet_ipv4=network.ipv4.id,
            subnet_ipv6=network.ipv6.id,
            groups=[
                [tier.id, *([args.baseline] if args.baseline is not None else [])]
                for tier, count in (
                    (groups.web, args.servers - args.data_servers),
                    (groups.data, args.data_servers),
                )
                for _ in range(count)
            ],
            zones=args.availability_zones,
            gateways=[*network.interfaces, *groups.rules],
            anti_affinity=args.anti_affinity,
            port=args.port,
            answer=args.answer,
            tags=args.tags,
        )
        return Servers(self._name, wanted, inside)

    def _front(
        self,
        network: Network,
        groups: SecurityGroups,
        servers: Servers,
        inside: pulumi.ResourceOptions,
    ) -> None:
        """Declare what callers see of the web tier: a load balancer and a name, where asked for."""
        args = self._args
        web = servers.ports[: args.servers - args.data_servers]
        addresses = [port.all_fixed_ips for port in web]
        if args.load_balancer:
            self._balancer_quota(len(web))
            wanted = LoadBalancerArgs(
                system=args.system,
                port=args.port,
                subnets={4: network.ipv4.id, 6: network.ipv6.id},
                addresses=addresses,
                gateways=[*network.interfaces, *groups.rules],
                tags=args.tags,
            )
            balancer = LoadBalancer(self._name, wanted, inside)
            addresses = [pulumi.Output.all(*balancer.addresses)]
        if args.names and args.project_id is None:
            domain, zone = args.names
            names = NamesArgs(system=args.system, domain=domain, zone=zone, addresses=addresses)
            Names(self._name, names, pulumi.ResourceOptions(parent=self))

    def _balancer_quota(self, members: int) -> None:
        """Declare the quota of load balancers: one a family, and one to replace each with."""
        most = 2 * FAMILIES
        openstack.loadbalancer.Quota(
            self._name,
            project_id=self.project_id,
            loadbalancer=most,
            listener=most,
            pool=most,
            health_monitor=most,
            member=most * members,
            l7_policy=1,
            l7_rule=1,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _container(self) -> ContainerArgs:
        args = self._args
        return ContainerArgs(
            system=args.system,
            container=args.container,
            role=args.container_role,
            project=args.project,
            project_id=self.project_id,
            peer=args.peer,
            realm=args.sync_realm,
            sync_secret=args.sync_secret,
            quota_gb=args.object_gb,
            protect=args.protect,
        )
