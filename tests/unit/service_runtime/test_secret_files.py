"""A secret is given by its variable or by a file, and never shown by what is said about it."""

from pathlib import Path

import pytest

from service_runtime.secret_files import SECRET_SIZE_MAX_BYTES
from service_runtime.settings import EXIT_BAD_SETTINGS, DatabaseSettings, TracingSettings, load_settings

PASSWORD = "never-to-be-shown"


@pytest.fixture(autouse=True)
def _database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_USER", "somebody")
    monkeypatch.setenv("POSTGRES_DB", "something")


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as refused:
        load_settings(DatabaseSettings)
    assert refused.value.code == EXIT_BAD_SETTINGS
    said = capsys.readouterr().err
    assert PASSWORD not in said
    return said


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_is_read_from_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, end: str) -> None:
    file = tmp_path / "password"
    file.write_text(f" pass word {end}", newline="")
    monkeypatch.setenv("POSTGRES_PASSWORD_FILE", str(file))
    assert load_settings(DatabaseSettings).postgres_password.get_secret_value() == " pass word "


def test_a_variable_does_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_PASSWORD", PASSWORD)
    assert load_settings(DatabaseSettings).postgres_password.get_secret_value() == PASSWORD


def test_a_variable_and_a_file_are_one_too_many_and_both_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    monkeypatch.setenv("POSTGRES_PASSWORD", PASSWORD)
    monkeypatch.setenv("POSTGRES_PASSWORD_FILE", str(file))
    assert "POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are both given" in refusal(capsys)


def test_a_secret_that_is_missing_is_told_with_both_its_names_and_whatever_else_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POSTGRES_PORT", "none")
    said = refusal(capsys)
    assert "POSTGRES_PASSWORD is missing: give it, or POSTGRES_PASSWORD_FILE" in said
    assert "setting POSTGRES_PORT" in said


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * (SECRET_SIZE_MAX_BYTES + 1)])
def test_a_file_that_holds_no_secret_is_told_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    monkeypatch.setenv("POSTGRES_PASSWORD_FILE", str(file))
    said = refusal(capsys)
    assert "POSTGRES_PASSWORD_FILE cannot be used" in said
    assert "xxx" not in said


@pytest.mark.parametrize("given", [{}, {"OTEL_EXPORTER_OTLP_HEADERS": ""}])
def test_a_secret_that_is_not_needed_may_be_a_file_or_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: dict[str, str]
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert load_settings(TracingSettings).otel_exporter_otlp_headers.get_secret_value() == ""
    file = tmp_path / "headers"
    file.write_text("authorization=Bearer canary\n")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS_FILE", str(file))
    settings = load_settings(TracingSettings)
    assert settings.otel_exporter_otlp_headers.get_secret_value() == "authorization=Bearer canary"
    assert "canary" not in repr(settings)


def test_a_file_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POSTGRES_PASSWORD_FILE", str(tmp_path / "nothing"))
    assert "POSTGRES_PASSWORD_FILE cannot be used: FileNotFoundError" in refusal(capsys)
