import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import SettingsRefused
from streams.settings import Settings, settings_from

VARIABLES = [f"HEADWAY_{name.upper()}" for name in Settings.__struct_fields__]


def test_everything_has_a_default_that_suits_one_machine() -> None:
    settings = settings_from({})
    assert settings == Settings(
        table="jobs",
        leases_table="jobs-leases",
        redis_url="redis://127.0.0.1:6379/0",
        host="127.0.0.1",
        port=8000,
        auth_secret=None,
        auth_jwks_url=None,
        auth_issuer=None,
        auth_audience=None,
        auth_cookie="__Host-session",
        dev_user=None,
        cors_origins=(),
        metrics_port=9100,
        log_level="info",
        log_format=None,
    )


def test_every_setting_is_read_from_the_environment() -> None:
    given = {
        "HEADWAY_TABLE": "prod.jobs",
        "HEADWAY_LEASES_TABLE": "prod_leases",
        "HEADWAY_REDIS_URL": "rediss://user:secret@cache.example:6380/2",
        "HEADWAY_HOST": "0.0.0.0",
        "HEADWAY_PORT": "80",
        "HEADWAY_AUTH_SECRET": "k" * 32,
        "HEADWAY_AUTH_JWKS_URL": "https://issuer.example/.well-known/jwks.json",
        "HEADWAY_AUTH_ISSUER": "https://issuer.example/",
        "HEADWAY_AUTH_AUDIENCE": "headway",
        "HEADWAY_AUTH_COOKIE": "__Secure-token",
        "HEADWAY_CURSOR_SECRET": "c" * 32,
        "HEADWAY_CORS_ORIGINS": "https://a.example, http://localhost:5173/ ,",
        "HEADWAY_HEARTBEATS": "off",
        "HEADWAY_PROCESSES": "2",
        "HEADWAY_STREAMS_PER_USER": "7",
        "HEADWAY_STREAMS_PER_PROCESS": "5000",
        "HEADWAY_MEDIA_DIR": "media",
        "HEADWAY_METRICS_PORT": "0",
        "HEADWAY_LOG_LEVEL": "DEBUG",
        "HEADWAY_LOG_FORMAT": "console",
    }
    assert {*given, "HEADWAY_DEV_USER"} == set(VARIABLES)
    settings = settings_from(given | {"PATH": "elsewhere"})
    assert settings.cors_origins == ("https://a.example", "http://localhost:5173")
    assert (settings.port, settings.metrics_port, settings.log_level) == (80, 0, "debug")
    assert (settings.processes, settings.streams_per_user, settings.streams_per_process) == (2, 7, 5000)
    as_written = set(given) - {
        "HEADWAY_CORS_ORIGINS", "HEADWAY_PORT", "HEADWAY_METRICS_PORT", "HEADWAY_LOG_LEVEL",
        "HEADWAY_PROCESSES", "HEADWAY_STREAMS_PER_USER", "HEADWAY_STREAMS_PER_PROCESS",
    }  # fmt: skip
    for variable in as_written:
        assert getattr(settings, variable.removeprefix("HEADWAY_").lower()) == given[variable]


@pytest.mark.parametrize("variable", VARIABLES)
def test_an_empty_variable_is_as_good_as_none(variable: str) -> None:
    assert settings_from({variable: ""}) == settings_from({variable: " \n"}) == settings_from({})


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("HEADWAY_PORT", "http"),
        ("HEADWAY_PORT", "-1"),
        ("HEADWAY_PORT", "65536"),
        ("HEADWAY_PORT", "80.5"),
        ("HEADWAY_PORT", "٨٠"),
        ("HEADWAY_PORT", "9" * 5000),
        ("HEADWAY_METRICS_PORT", "many\nlines"),
        ("HEADWAY_TABLE", "my table"),
        ("HEADWAY_TABLE", "ab"),
        ("HEADWAY_TABLE", "j" * 256),
        ("HEADWAY_LEASES_TABLE", "jobs/leases"),
        ("HEADWAY_REDIS_URL", "localhost:6379"),
        ("HEADWAY_REDIS_URL", "http://localhost"),
        ("HEADWAY_REDIS_URL", "redis://["),
        ("HEADWAY_REDIS_URL", "redis://localhost:port/0"),
        ("HEADWAY_REDIS_URL", "redis://localhost:65536/0"),
        ("HEADWAY_AUTH_JWKS_URL", "issuer.example"),
        ("HEADWAY_AUTH_JWKS_URL", "file:///etc/passwd"),
        ("HEADWAY_AUTH_JWKS_URL", "https://"),
        ("HEADWAY_AUTH_JWKS_URL", "https://issuer.example:port"),
        ("HEADWAY_CORS_ORIGINS", "*"),
        ("HEADWAY_CORS_ORIGINS", "https://a.example, b.example"),
        ("HEADWAY_CORS_ORIGINS", "https://a.example/page"),
        ("HEADWAY_CORS_ORIGINS", "https://a.example?x=1"),
        ("HEADWAY_LOG_LEVEL", "loud"),
        ("HEADWAY_LOG_FORMAT", "xml"),
    ],
)
def test_a_bad_value_is_refused_in_one_line_that_names_the_variable(variable: str, text: str) -> None:
    assert_refused({variable: text}, variable)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.org", "10.0.0.7", "many\nlines"])
def test_the_dev_user_is_refused_where_others_could_reach_it(host: str) -> None:
    assert_refused({"HEADWAY_DEV_USER": "me", "HEADWAY_HOST": host}, "HEADWAY_DEV_USER")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_the_dev_user_is_let_in_on_loopback(host: str) -> None:
    assert settings_from({"HEADWAY_DEV_USER": "me", "HEADWAY_HOST": host}).dev_user == "me"


@pytest.mark.parametrize(
    "url",
    ["http://user:hunter2@cache", "redis://:hunter2@cache:port", "redis://:hunter2@[", "http://:/hunter2/@cache"],
)
def test_a_refusal_does_not_tell_the_password_in_a_url(url: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        settings_from({"HEADWAY_REDIS_URL": url})
    assert "hunter2" not in str(refused.value)


@given(st.dictionaries(st.sampled_from(VARIABLES), st.text() | st.text("redishttp:/@[]09.,*\n ")))
def test_any_environment_at_all_gives_settings_or_one_line(environment: dict[str, str]) -> None:
    try:
        settings_from(environment)
    except SettingsRefused as refused:
        assert_one_line(refused, "HEADWAY_")


def assert_refused(environment: dict[str, str], variable: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        settings_from(environment)
    assert_one_line(refused.value, variable)


def assert_one_line(refused: SettingsRefused, variable: str) -> None:
    assert str(refused).startswith(variable)
    assert len(str(refused).splitlines()) == 1
