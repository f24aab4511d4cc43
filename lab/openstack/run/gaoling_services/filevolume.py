"""A Cinder driver whose volumes are sparse files: no device mapper, no iSCSI, real bytes."""
import os
import shutil

from cinder import interface
from cinder.image import image_utils
from cinder.volume import configuration, driver, volume_utils
from oslo_concurrency import processutils
from oslo_config import cfg

OPTIONS = [
    cfg.StrOpt("filevolume_dir", help="Folder of the volumes"),
    cfg.IntOpt("filevolume_capacity_gb", default=20000, help="Pretended capacity"),
]
cfg.CONF.register_opts(OPTIONS, group=configuration.SHARED_CONF_GROUP)
GIB = 1024 ** 3


@interface.volumedriver
class FileVolumeDriver(driver.VolumeDriver):
    VERSION = "1.0.0"
    CI_WIKI_NAME = "none"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.configuration.append_config_values(OPTIONS)
        self.folder = self.configuration.filevolume_dir

    def check_for_setup_error(self):
        os.makedirs(self.folder, mode=0o700, exist_ok=True)

    def _path(self, thing):
        return os.path.join(self.folder, thing["name"])

    @staticmethod
    def _grow(path, gigabytes):
        with open(path, "ab") as file:
            file.truncate(gigabytes * GIB)

    def _copy(self, source, target):
        processutils.execute("cp", "--sparse=always", "--reflink=auto", source, target)

    # ---------------------------------------------------------------- volumes and snapshots
    def create_volume(self, volume):
        self._grow(self._path(volume), volume["size"])

    def delete_volume(self, volume):
        if os.path.exists(self._path(volume)):
            os.unlink(self._path(volume))

    def extend_volume(self, volume, new_size):
        self._grow(self._path(volume), new_size)

    def create_snapshot(self, snapshot):
        self._copy(os.path.join(self.folder, snapshot["volume_name"]), self._path(snapshot))

    delete_snapshot = delete_volume

    def create_volume_from_snapshot(self, volume, snapshot):
        self._copy(self._path(snapshot), self._path(volume))
        self._grow(self._path(volume), volume["size"])

    def create_cloned_volume(self, volume, src_vref):
        self._copy(self._path(src_vref), self._path(volume))
        self._grow(self._path(volume), volume["size"])

    def revert_to_snapshot(self, context, volume, snapshot):
        self._copy(self._path(snapshot), self._path(volume))

    # ---------------------------------------------------------------- images
    def copy_image_to_volume(self, context, volume, image_service, image_id, **kwargs):
        image_utils.fetch_to_raw(
            context, image_service, image_id, self._path(volume),
            self.configuration.volume_dd_blocksize, size=volume["size"])
        self._grow(self._path(volume), volume["size"])

    def copy_volume_to_image(self, context, volume, image_service, image_meta):
        volume_utils.upload_volume(context, image_service, image_meta, self._path(volume), volume)

    # ---------------------------------------------------------------- connections: the path itself
    def initialize_connection(self, volume, connector, **kwargs):
        return {"driver_volume_type": "local", "data": {"device_path": self._path(volume)}}

    initialize_connection_snapshot = initialize_connection

    def terminate_connection(self, volume, connector, **kwargs):
        pass

    terminate_connection_snapshot = terminate_connection

    def ensure_export(self, context, volume):
        pass

    def create_export(self, context, volume, connector):
        pass

    create_export_snapshot = create_export
    remove_export = ensure_export
    remove_export_snapshot = ensure_export

    def _update_volume_stats(self):
        capacity = self.configuration.filevolume_capacity_gb
        self._stats = {
            "volume_backend_name": self.configuration.safe_get("volume_backend_name") or "files",
            "vendor_name": "Gaoling", "driver_version": self.VERSION, "storage_protocol": "local",
            "total_capacity_gb": capacity,
            "free_capacity_gb": min(shutil.disk_usage(self.folder).free // GIB, capacity),
            "provisioned_capacity_gb": 0, "max_over_subscription_ratio": 200.0,
            "thin_provisioning_support": True, "thick_provisioning_support": False,
            "multiattach": False, "reserved_percentage": 0, "QoS_support": False,
            "sparse_copy_volume": True,
        }
