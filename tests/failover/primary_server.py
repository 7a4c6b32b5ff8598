"""The cluster's primary, as the local shop's tools know a server."""

from local_shop.postgres import LocalPostgres
from tests.failover.patroni_cluster import PatroniCluster


class PrimaryServer(LocalPostgres):
    """Wherever the primary is when it is asked for. Patroni starts and stops it, and nobody else."""

    def __init__(self, cluster: PatroniCluster) -> None:
        # The roles' passwords are kept beside this folder, which nobody makes.
        super().__init__(data_dir=cluster.folder / "postgres")
        self._cluster = cluster

    @property
    def port(self) -> int:
        """The primary's port at this moment."""
        return self._cluster.primary().port

    @property
    def admin_password(self) -> str:
        """The superuser's password, the same on all nodes."""
        return self._cluster.passwords["superuser"]
