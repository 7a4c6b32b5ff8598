"""POSTGRES_HOST names one server or several."""

import pytest

from service_runtime.postgres_hosts import HOSTS_MAX, parse_hosts
from service_runtime.settings import DatabaseSettings, load_settings


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("127.0.0.1", [("127.0.0.1", 5432)]),
        ("db1, db2:5433 ,db3", [("db1", 5432), ("db2", 5433), ("db3", 5432)]),
        ("db:5432,db:5433", [("db", 5432), ("db", 5433)]),
        ("::1", [("::1", 5432)]),
        ("[2001:db8::3]:6000,[::1]", [("2001:db8::3", 6000), ("::1", 5432)]),
        ("/run/postgresql", [("/run/postgresql", 5432)]),
    ],
)
def test_each_host_may_have_a_port_of_its_own(text: str, hosts: list[tuple[str, int]]) -> None:
    assert list(parse_hosts(text, default_port=5432)) == hosts


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "host 1 of 1: its name is missing"),
        ("db1,,db3", "host 2 of 3: its name is missing"),
        (":5432", "host 1 of 1: its name is missing"),
        ("db1,db2:", "host 2 of 2: its port must be a number from 1 to 65535"),
        ("db:0", "host 1 of 1: its port must be a number from 1 to 65535"),
        ("db:65536", "host 1 of 1: its port must be a number from 1 to 65535"),
        ("db:postgres", "host 1 of 1: its port must be a number from 1 to 65535"),
        ("db1 db2", "host 1 of 1: its name has a space in it; hosts are separated by commas"),
        ("[::1", r"host 1 of 1: an IPv6 address with a port is written [address]:port"),
        ("[::1]5432", r"host 1 of 1: an IPv6 address with a port is written [address]:port"),
        ("db1,db2,db1:5432", "host 3 of 3: it is in the list already"),
        (",".join(f"db{number}" for number in range(HOSTS_MAX + 1)), "10 hosts are too many: at most 9"),
    ],
)
def test_what_is_wrong_with_a_host_is_said(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match="host") as raised:
        parse_hosts(text, default_port=5432)
    assert str(raised.value) == fault


def test_a_wrong_list_ends_the_process_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POSTGRES_HOST", "db1,db2:many")
    with pytest.raises(SystemExit):
        load_settings(DatabaseSettings, postgres_user="me", postgres_password="secret", postgres_db="mine")
    told = capsys.readouterr().err
    assert "setting POSTGRES_HOST:" in told
    assert "host 2 of 2: its port must be a number from 1 to 65535" in told
