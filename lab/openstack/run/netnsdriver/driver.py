"""What Nova asks of a hypervisor, in terms of guests. Disks and migrations: as in nova's fake driver."""
import base64
import os
import signal

import eventlet
import nova.conf
from nova import exception
from nova.compute import power_state
from nova.virt import fake, hardware
from oslo_config import cfg
from oslo_log import log as logging

from .guest import INIT, STOP_SECONDS, Guest

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)
CONF.register_opts([
    cfg.StrOpt("network_namespace", help="Namespace in which the Linux bridge agent runs"),
    cfg.StrOpt("state_dir", help="One folder a guest"),
], group="netns")


class NetnsDriver(fake.FakeDriver):
    capabilities = dict(
        fake.FakeDriver.capabilities, supports_evacuate=False, supports_accelerators=False,
        supports_remote_managed_ports=False, supports_multiattach=False)
    vcpus, memory_mb, local_gb = 64, 65536, 1000  # flavors are book-keeping: nothing is limited

    @staticmethod
    def _guest(uuid):
        return Guest(CONF.netns.state_dir, uuid, CONF.netns.network_namespace)

    def _known(self, instance):
        guest = self._guest(instance.uuid)
        if not os.path.exists(guest.path("guest.json")):
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        return guest

    def _claim(self, uuid, facts):
        self.instances[uuid] = fake.FakeInstance(facts["name"], None, uuid)
        self.resources.claim(**facts["claim"])

    # ---------------------------------------------------------------- the host
    def init_host(self, host):
        super().init_host(host)
        os.makedirs(CONF.netns.state_dir, mode=0o700, exist_ok=True)
        for uuid in os.listdir(CONF.netns.state_dir):
            guest = self._guest(uuid)
            try:
                self._claim(uuid, guest.load())
            except FileNotFoundError:
                continue
            LOG.info("adopted guest %s, %s", uuid, "running" if guest.pid() else "stopped")

    def get_info(self, instance, use_cache=True):
        up = self._known(instance).pid()
        return hardware.InstanceInfo(state=power_state.RUNNING if up else power_state.SHUTDOWN)

    def instance_exists(self, instance):
        return instance.uuid in self.instances

    def get_console_output(self, context, instance):
        return self._guest(instance.uuid).console()

    # ---------------------------------------------------------------- ports
    def plug_vifs(self, instance, network_info):
        if instance.uuid in self.instances:
            self._known(instance).connect(network_info)

    def unplug_vifs(self, instance, network_info):
        for vif in network_info or []:
            self._guest(instance.uuid).unplug(vif["devname"])

    def attach_interface(self, context, instance, image_meta, vif):
        guest = self._known(instance)
        guest.connect([vif])
        guest.inside(INIT, "nic", guest.load()["vifs"][vif["id"]]["dev"])

    def detach_interface(self, context, instance, vif):
        self._known(instance).forget(vif)

    # ---------------------------------------------------------------- volumes
    @staticmethod
    def _device(mountpoint):
        return os.path.basename(mountpoint)  # /dev/vdb: the guest finds $GUEST/volumes/vdb

    def attach_volume(self, context, connection_info, instance, mountpoint, disk_bus=None,
                      device_type=None, encryption=None):
        super().attach_volume(context, connection_info, instance, mountpoint)
        path = connection_info["data"]["device_path"]
        self._known(instance).attach(self._device(mountpoint), path)

    def detach_volume(self, context, connection_info, instance, mountpoint, encryption=None):
        super().detach_volume(context, connection_info, instance, mountpoint)
        self._guest(instance.uuid).detach(self._device(mountpoint))

    def _attach_all(self, guest, block_device_info):
        for disk in (block_device_info or {}).get("block_device_mapping", []):
            guest.attach(self._device(disk["mount_device"]),
                         disk["connection_info"]["data"]["device_path"])

    # ---------------------------------------------------------------- a server's life
    def spawn(self, context, instance, image_meta, injected_files, admin_password, allocations,
              network_info=None, block_device_info=None, power_on=True, accel_info=None):
        guest, flavor, vifs = self._guest(instance.uuid), instance.flavor, network_info or []
        facts = {
            "name": instance.name, "hostname": instance.hostname or instance.name, "vifs": {},
            "claim": {"vcpus": flavor.vcpus, "mem": flavor.memory_mb, "disk": flavor.root_gb},
        }
        guest.create(facts, base64.b64decode(instance.user_data or b""))
        self._claim(instance.uuid, facts)
        self._attach_all(guest, block_device_info)
        seconds = CONF.vif_plugging_timeout if power_on else 0
        events = [("network-vif-plugged", v["id"]) for v in vifs if not v.get("active")]
        try:
            with self.virtapi.wait_for_instance_event(
                    instance, events if seconds else [], deadline=seconds or 1,
                    error_callback=lambda *_: not CONF.vif_plugging_is_fatal):
                guest.connect(vifs)
        except eventlet.timeout.Timeout:
            LOG.warning("no network-vif-plugged in %ss: %s", seconds, events, instance=instance)
            if CONF.vif_plugging_is_fatal:
                self._remove(instance.uuid)
                raise exception.VirtualInterfaceCreateException()
        if power_on:
            self._start(guest)

    @staticmethod
    def _start(guest):
        if not guest.start():
            raise exception.InstancePowerOnFailure(reason="the guest did not start")

    def _remove(self, uuid):
        guest = self._guest(uuid)
        try:
            claim = guest.load()["claim"]
        except FileNotFoundError:
            claim = None
        guest.remove()
        if self.instances.pop(uuid, None) and claim:
            self.resources.release(**claim)

    def destroy(self, context, instance, network_info, block_device_info=None, destroy_disks=True,
                destroy_secrets=True):
        self._remove(instance.uuid)

    def cleanup(self, context, instance, network_info, block_device_info=None, destroy_disks=True,
                migrate_data=None, destroy_vifs=True, destroy_secrets=True):
        self._remove(instance.uuid)

    def power_off(self, instance, timeout=0, retry_interval=0):
        guest = self._known(instance)
        guest.stop(timeout or STOP_SECONDS)
        guest.disconnect()

    def power_on(self, context, instance, network_info, block_device_info=None, accel_info=None):
        guest = self._known(instance)
        self._attach_all(guest, block_device_info)
        guest.connect(network_info)
        self._start(guest)

    def reboot(self, context, instance, network_info, reboot_type, block_device_info=None,
               bad_volumes_callback=None, accel_info=None):
        self._known(instance).stop(STOP_SECONDS if reboot_type.lower() == "soft" else 0)
        self.power_on(context, instance, network_info, block_device_info)

    def resume_state_on_host_boot(self, context, instance, network_info, block_device_info=None):
        self.power_on(context, instance, network_info, block_device_info)

    def pause(self, instance):
        self._known(instance).signal(signal.SIGSTOP)

    def unpause(self, instance):
        self._known(instance).signal(signal.SIGCONT)

    def rescue(self, *args, **kwargs):
        raise NotImplementedError()
