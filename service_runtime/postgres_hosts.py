"""The list of PostgreSQL servers in POSTGRES_HOST: `db1,db2:5433,[2001:db8::3]:5432`."""

from typing import NamedTuple

HOSTS_MAX = 9
PORT_MAX = 65_535


class PostgresHost(NamedTuple):
    """A server's name or IP address (or the folder of its Unix socket), and its port."""

    host: str
    port: int


def parse_hosts(text: str, *, default_port: int) -> tuple[PostgresHost, ...]:
    """Reads a list with commas; ValueError, which says what is wrong with which entry.

    An entry is `host` or `host:port`. An IPv6 address that has a port stands in brackets. Without a port it is default_port.
    """
    entries = text.split(",")
    if len(entries) > HOSTS_MAX:
        raise ValueError(f"{len(entries)} hosts are too many: at most {HOSTS_MAX}")
    hosts: list[PostgresHost] = []
    for number, entry in enumerate(entries, start=1):
        try:
            host = _parse_host(entry.strip(), default_port)
        except ValueError as error:
            raise ValueError(f"host {number} of {len(entries)}: {error}") from None
        if host in hosts:
            raise ValueError(f"host {number} of {len(entries)}: it is in the list already")
        hosts.append(host)
    return tuple(hosts)


def _parse_host(entry: str, default_port: int) -> PostgresHost:
    if entry.startswith("["):
        host, closed, rest = entry[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise ValueError("an IPv6 address with a port is written [address]:port")
        separator, port = rest[:1], rest[1:]
    elif entry.count(":") > 1:  # An IPv6 address alone.
        host, separator, port = entry, "", ""
    else:
        host, separator, port = entry.partition(":")
    if not host:
        raise ValueError("its name is missing")
    if any(character.isspace() for character in host):
        raise ValueError("its name has a space in it; hosts are separated by commas")
    return PostgresHost(host, _parse_port(port) if separator else default_port)


def _parse_port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= PORT_MAX):
        raise ValueError(f"its port must be a number from 1 to {PORT_MAX}")
    return int(text)
