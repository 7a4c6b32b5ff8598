"""The shop left running: found by its `shop.env`, talked to by the lines it prints, and gone when it is stopped."""

import os
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from local_shop.ports import free_ports
from local_shop.shop_env import ShopEnv
from recordshop.catalog.v1 import catalog_pb2, catalog_pb2_grpc
from tests.support.go_tools import GRPCURL, GoMissing, find_or_install
from tests.support.shop_command import ShopCommand, all_ended, shop_command, watched

CALL_TIMEOUT_S = 10.0
GONE_TIMEOUT_S = 20.0
LAST_WORDS = "Ctrl-C closes it"
DIRECTLY = [("grpc.enable_http_proxy", 0)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ShopCommand, Path]]:
    """A shop in the foreground, and its folder; at the end it is told to stop, and must do so without a fault."""
    folder = tmp_path_factory.mktemp("running")
    with shop_command("run", shop_dir=folder, **chosen_ports()) as shop:
        shop.read_until(LAST_WORDS)
        shop.wait_for(folder / "shop.env")
        yield shop, folder
        shop.send(signal.SIGTERM)
        assert shop.finish() == 0
    assert not (folder / "shop.env").exists()


def test_a_shop_in_the_foreground_is_found_and_audited(running: tuple[ShopCommand, Path]) -> None:
    _, folder = running
    with shop_command("audit", shop_dir=folder) as audit:
        assert audit.finish() == 0
    assert audit.lines[-1].startswith("AUDIT OK ")
    assert audit.lines[-1].endswith(" oversold=0 lost=0 duplicated=0")


def test_the_lines_it_prints_work_as_they_stand(running: tuple[ShopCommand, Path]) -> None:
    shop, _ = running
    try:
        grpcurl = find_or_install(GRPCURL)
    except GoMissing as error:
        pytest.skip(str(error))
    calls = [shlex.split(line) for line in shop.lines if line.lstrip().startswith("grpcurl ")]
    assert len(calls) >= 4
    for _, *arguments in calls:
        subprocess.run([grpcurl, *arguments], timeout=CALL_TIMEOUT_S, check=True, stdout=subprocess.DEVNULL)


def test_its_log_lines_tell_which_service_they_are_of(running: tuple[ShopCommand, Path]) -> None:
    shop, _ = running
    for service in ("catalog", "customer", "order"):
        assert any(line.startswith(service) and '"event": "listening"' in line for line in shop.lines)


def test_a_second_run_on_the_same_data_is_refused_and_harms_nothing(running: tuple[ShopCommand, Path]) -> None:
    _, folder = running
    with shop_command("run", shop_dir=folder, **chosen_ports()) as second:
        assert second.finish() == 1
    assert "A shop is running" in second.lines[-1]
    assert serving(ShopEnv.read(folder / "shop.env").order_addr)


def test_shop_env_is_written_last_and_its_data_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    ports = chosen_ports()
    with shop_command("run", shop_dir=tmp_path, **ports) as shop:
        shop.wait_for(tmp_path / "shop.env")
        env = ShopEnv.read(tmp_path / "shop.env")
        addresses = [env.catalog_addr, env.customer_addr, env.order_addr]
        assert all(map(serving, addresses)), "shop.env was written before all were SERVING"
        assert addresses == [f"127.0.0.1:{port}" for port in ports.values()]
        disc_id = create_disc(env.catalog_addr)
        with watched(shop.descendants()) as processes:
            shop.send(signal.SIGKILL)
            assert all_ended(processes, GONE_TIMEOUT_S)
    with shop_command("run", shop_dir=tmp_path, **ports) as again:
        again.read_until(LAST_WORDS)
        again.wait_for(tmp_path / "shop.env")
        assert stock_of(env.catalog_addr, disc_id) == 7
        again.send(signal.SIGINT)
        assert again.finish() == 0


def test_without_a_running_shop_the_audit_says_so(tmp_path: Path) -> None:
    with shop_command("audit", shop_dir=tmp_path) as audit:
        assert audit.finish() == 1
    assert "make run" in audit.lines[-1]


@pytest.mark.parametrize("part", ["customer_service", "postgres"])
def test_a_part_that_dies_ends_the_run_with_a_word_about_it(tmp_path: Path, part: str) -> None:
    with shop_command("run", shop_dir=tmp_path, **chosen_ports()) as shop:
        shop.wait_for(tmp_path / "shop.env")
        with watched(shop.descendants()) as processes:
            os.kill(next(pid for pid in shop.descendants() if part in command_line(pid)), signal.SIGKILL)
            assert shop.finish() == 1
            assert all_ended(processes, GONE_TIMEOUT_S)
    assert any("error: " in line and part.partition("_")[0] in line.lower() for line in shop.lines)


def test_a_taken_port_is_a_clear_error(tmp_path: Path) -> None:
    ports = chosen_ports()
    with (
        socket.create_server(("127.0.0.1", int(ports["CUSTOMER_PORT"]))),
        shop_command("run", shop_dir=tmp_path, **ports) as shop,
    ):
        assert shop.finish() == 1
    assert "customer_service cannot listen on 127.0.0.1:" in shop.lines[-1]
    assert not (tmp_path / "shop.env").exists()


def chosen_ports() -> dict[str, str]:
    """Return variables that choose free ports."""
    names = ("CATALOG_PORT", "CUSTOMER_PORT", "ORDER_PORT")
    return dict(zip(names, map(str, free_ports(3)), strict=True))


def create_disc(address: str) -> str:
    disc = catalog_pb2.Disc(name="Kept", artist="Keeper", year_of_release=2001, genre="Rock", price_cents=100)
    request = catalog_pb2.CreateDiscRequest(disc=disc, opening_stock=7)
    with grpc.insecure_channel(address, options=DIRECTLY) as channel:
        return catalog_pb2_grpc.CatalogServiceStub(channel).CreateDisc(request, timeout=CALL_TIMEOUT_S).id


def stock_of(address: str, disc_id: str) -> int:
    request = catalog_pb2.GetDiscRequest(id=disc_id)
    with grpc.insecure_channel(address, options=DIRECTLY) as channel:
        return catalog_pb2_grpc.CatalogServiceStub(channel).GetDisc(request, timeout=CALL_TIMEOUT_S).stock


def serving(address: str) -> bool:
    with grpc.insecure_channel(address, options=DIRECTLY) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=CALL_TIMEOUT_S)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
