import pytest

from catalog_service.settings import CatalogSettings
from service_runtime.settings import load_settings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CatalogSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("POSTGRES_USER", "catalog_service")
    monkeypatch.setenv("POSTGRES_PASSWORD", "secret")
    monkeypatch.setenv("POSTGRES_DB", "catalog")


def test_the_defaults_are_what_the_proto_promises() -> None:
    settings = load_settings(CatalogSettings)
    assert settings.catalog_port == 50051
    assert settings.page_size_default == 50
    assert settings.page_size_max == 100
    assert settings.batch_size_max == 1_000


def test_all_faulty_settings_are_named_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("POSTGRES_DB")
    monkeypatch.setenv("CATALOG_PORT", "70000")
    monkeypatch.setenv("PAGE_SIZE_MAX", "101")
    monkeypatch.setenv("BATCH_SIZE_MAX", "many")
    with pytest.raises(SystemExit) as end:
        load_settings(CatalogSettings)
    assert end.value.code == 2
    named = {line.split(":")[0] for line in capsys.readouterr().err.splitlines()}
    assert named == {
        "setting POSTGRES_DB",
        "setting CATALOG_PORT",
        "setting PAGE_SIZE_MAX",
        "setting BATCH_SIZE_MAX",
    }


@pytest.mark.parametrize(
    ("given", "strategy"),
    [
        ({}, "grouped"),
        ({"STOCK_STRATEGY": "atomic"}, "atomic"),
        ({"STOCK_STRATEGY": "pessimistic", "USE_OPTIMISTIC_CC": "false"}, "pessimistic"),
        ({"USE_OPTIMISTIC_CC": "true"}, "optimistic"),
        ({"STOCK_STRATEGY": "optimistic", "USE_OPTIMISTIC_CC": "true"}, "optimistic"),
    ],
)
def test_two_settings_name_one_strategy(monkeypatch: pytest.MonkeyPatch, given: dict[str, str], strategy: str) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert load_settings(CatalogSettings).strategy == strategy


@pytest.mark.parametrize(("strategy", "flag"), [("grouped", "true"), ("atomic", "true"), ("optimistic", "false")])
def test_settings_that_name_different_strategies_are_both_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], strategy: str, flag: str
) -> None:
    monkeypatch.setenv("STOCK_STRATEGY", strategy)
    monkeypatch.setenv("USE_OPTIMISTIC_CC", flag)
    with pytest.raises(SystemExit):
        load_settings(CatalogSettings)
    said = capsys.readouterr().err
    assert f"STOCK_STRATEGY={strategy}" in said
    assert f"USE_OPTIMISTIC_CC={flag}" in said
