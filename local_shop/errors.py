"""What can go wrong before the local shop opens; each message says what to do about it."""


class LocalShopError(Exception):
    """The local shop cannot start."""


class PostgresNotFound(LocalShopError):
    """No PostgreSQL was found that the shop can run on."""


class RootNotAllowed(LocalShopError):
    """PostgreSQL refuses to run as root, and no other way to run it worked here."""


class DataFolderUnusable(LocalShopError):
    """The data folder holds something that this PostgreSQL cannot run on."""


class DataFolderInUse(LocalShopError):
    """Another PostgreSQL runs on the data folder."""


class PortTaken(LocalShopError):
    """Another program listens on the port."""


class PostgresFailed(LocalShopError):
    """PostgreSQL did not start or did not end as it should."""


class ProvisioningFailed(LocalShopError):
    """Roles, migrations or seeds could not be applied."""


class ServiceFailed(LocalShopError):
    """A service did not start, did not begin to serve, or did not end as it should."""
