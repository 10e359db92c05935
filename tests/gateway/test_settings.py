"""The environment, read whole."""

from pathlib import Path

import pytest

from gateway.settings import BadSettings, Settings, from_environment


def test_an_empty_environment_is_a_gateway() -> None:
    """Everything has a default that works on a laptop."""
    assert from_environment({}) == Settings()


def test_everything_can_be_set(tmp_path: Path) -> None:
    """Values, secrets and secrets in files."""
    (tmp_path / "key").write_text("sk_1\n")

    settings = from_environment(
        {
            "FUNNELFLUX_URL": "http://127.0.0.1:9/v1/billing/",
            "FUNNELFLUX_ACCESS_TOKEN": " at_1 ",
            "FUNNELFOX_ORG_ID": "org_1",
            "FUNNELFOX_SECRET_KEY_FILE": str(tmp_path / "key"),
            "GATEWAY_DATABASE_URL": "postgresql://u:p@db/x",
            "GATEWAY_CORS_ORIGINS": "https://a.example, https://b.example:8443",
            "GATEWAY_SANDBOX": "http://sandbox:8090",
            "GATEWAY_DEADLINE_SECONDS": "2.5",
            "GATEWAY_READ_ATTEMPT_SECONDS": "0.5",
            "GATEWAY_CONNECT_SECONDS": "0.25",
            "GATEWAY_LIMIT_PER_MINUTE": "0",
            "GATEWAY_TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8::1",
        }
    )

    assert settings.funnelflux.url == "http://127.0.0.1:9/v1/billing"
    assert settings.funnelflux.access_token is not None
    assert settings.funnelflux.access_token.reveal() == "at_1"
    assert settings.funnelfox.secret_key is not None
    assert settings.funnelfox.secret_key.reveal() == "sk_1"
    assert settings.cors_origins == ("https://a.example", "https://b.example:8443")
    assert (settings.sandbox, settings.deadline_seconds) == ("http://sandbox:8090", 2.5)
    assert (settings.read_attempt_seconds, settings.connect_seconds) == (0.5, 0.25)
    assert settings.limit_per_minute == 0
    assert settings.trusted_proxies == ("10.0.0.0/8", "2001:db8::1/128")


def test_every_fault_is_found_at_once(tmp_path: Path) -> None:
    """An operator mends all of it in one go."""
    (tmp_path / "long").write_text("x" * 100_000)

    with pytest.raises(BadSettings) as caught:
        from_environment(
            {
                "FUNNELFLUX_URL": "ftp://x",
                "FUNNELFLUX_ACCESS_TOKEN": "a",
                "FUNNELFLUX_ACCESS_TOKEN_FILE": "/b",
                "FUNNELFLUX_REFRESH_TOKEN_FILE": str(tmp_path / "missing"),
                "FUNNELFOX_URL": "https://user:hunter2@x",
                "FUNNELFOX_ORG_ID": "../other",
                "FUNNELFOX_SECRET_KEY_FILE": str(tmp_path / "long"),
                "GATEWAY_DATABASE_URL": "mysql://hunter2@x",
                "GATEWAY_REDIS_URL": "http://x",
                "FUNNELFLUX_CNAME_TARGET": "not a host!!",
                "FUNNELFLUX_AUTH_URL": "http://a b/",
                "GATEWAY_SANDBOX": "sometimes",
                "GATEWAY_PUBLIC_URL": "https://x:99999",
                "GATEWAY_CORS_ORIGINS": "https://a.example/path",
                "GATEWAY_LOG_LEVEL": "loud",
                "GATEWAY_LOG_FORMAT": "xml",
                "GATEWAY_DEADLINE_SECONDS": "nan",
                "GATEWAY_MONEY_DEADLINE_SECONDS": "0",
                "GATEWAY_LIMIT_PER_MINUTE": "-1",
                "GATEWAY_LIMIT_MONEY_PER_MINUTE": "1.5",
                "GATEWAY_LIMIT_PROBE_PER_MINUTE": "off",
                "GATEWAY_LIMIT_GUESSES_PER_MINUTE": "9999999999",
                "GATEWAY_TRUSTED_PROXIES": "10.0.0.1/8",
            }
        )

    assert {fault.split(":")[0] for fault in caught.value.faults} == {
        "FUNNELFLUX_URL",
        "FUNNELFLUX_ACCESS_TOKEN",
        "FUNNELFLUX_REFRESH_TOKEN_FILE",
        "FUNNELFLUX_CNAME_TARGET",
        "FUNNELFLUX_AUTH_URL",
        "FUNNELFOX_URL",
        "FUNNELFOX_ORG_ID",
        "FUNNELFOX_SECRET_KEY_FILE",
        "GATEWAY_DATABASE_URL",
        "GATEWAY_REDIS_URL",
        "GATEWAY_SANDBOX",
        "GATEWAY_LIMIT_PER_MINUTE",
        "GATEWAY_LIMIT_MONEY_PER_MINUTE",
        "GATEWAY_LIMIT_PROBE_PER_MINUTE",
        "GATEWAY_LIMIT_GUESSES_PER_MINUTE",
        "GATEWAY_TRUSTED_PROXIES",
        "GATEWAY_PUBLIC_URL",
        "GATEWAY_CORS_ORIGINS",
        "GATEWAY_LOG_LEVEL",
        "GATEWAY_LOG_FORMAT",
        "GATEWAY_DEADLINE_SECONDS",
        "GATEWAY_MONEY_DEADLINE_SECONDS",
    }
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FUNNELFLUX_ACCESS_TOKEN", "two\nlines"),
        ("FUNNELFLUX_REFRESH_TOKEN", "\u00fcber"),
        ("FUNNELFOX_SECRET_KEY", "a b"),
        ("GATEWAY_DATABASE_URL", "postgresql://u:hunter2@h:bad/db"),
        ("GATEWAY_DATABASE_URL", "sqlite:gateway.db"),
        ("GATEWAY_DATABASE_URL", "sqlite://"),
        ("GATEWAY_DATABASE_URL", "sqlite:///:memory:"),
        ("GATEWAY_DATABASE_URL", "sqlite://host/x.db"),
        ("GATEWAY_PUBLIC_URL", "https://x.example/\u00e9"),
        ("GATEWAY_CONCURRENCY", "0"),
        ("GATEWAY_DRAIN_SECONDS", "-1"),
        ("GATEWAY_DRAIN_SECONDS", "nan"),
        ("GATEWAY_CONNECT_SECONDS", "0"),
        ("GATEWAY_READ_ATTEMPT_SECONDS", "inf"),
    ],
)
def test_what_can_not_work_is_found_at_start(name: str, value: str) -> None:
    """And not at the first request."""
    with pytest.raises(BadSettings) as caught:
        from_environment({name: value})

    assert [fault.split(":")[0] for fault in caught.value.faults] == [name]
    assert "hunter2" not in str(caught.value)


def test_a_secret_does_not_print() -> None:
    """Not even inside the settings that hold it."""
    settings = from_environment(
        {"FUNNELFLUX_ACCESS_TOKEN": "hunter2", "GATEWAY_DATABASE_URL": "postgresql://u:hunter2@x/y"}
    )

    assert "hunter2" not in f"{settings} {settings!r} {settings.funnelflux.access_token}"
