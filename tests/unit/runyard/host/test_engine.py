import gc

import docker.errors
import pytest
import requests

from runyard.errors import Conflict, HostError, HostUnreachable, NotFound, RunyardError
from runyard.host.engine import FOREIGN, Engine, translated


def foreign_exceptions():
    found = [each for each in vars(docker.errors).values() if isinstance(each, type) and issubclass(each, Exception)]
    return [each for each in found if each.__module__ == "docker.errors"]


@pytest.mark.parametrize("foreign", foreign_exceptions(), ids=lambda each: each.__name__)
def test_every_exception_of_the_sdk_becomes_ours(foreign):
    rows = [ours for each, ours in FOREIGN if issubclass(foreign, each)]
    assert rows, f"no row of FOREIGN covers {foreign}"
    assert issubclass(rows[0], HostError)


def response(status):
    made = requests.Response()
    made.status_code = status
    return made


@pytest.mark.parametrize(
    ("foreign", "ours", "text"),
    [
        (docker.errors.NotFound("x", response(404), "no such container: a"), NotFound, "do it: no such container: a"),
        (docker.errors.APIError("x", response(409), "name in use"), Conflict, "do it: name in use"),
        (docker.errors.APIError("x", response(500), "disk full"), HostError, "do it: disk full"),
        (requests.exceptions.ConnectionError("refused"), HostUnreachable, "do it: refused"),
        (requests.exceptions.ReadTimeout("slow"), HostError, "do it: slow"),
    ],
)
def test_translation_keeps_the_engines_words_behind_what_was_being_done(foreign, ours, text):
    with pytest.raises(ours) as caught, translated("do it"):
        raise foreign
    assert str(caught.value) == text
    assert type(caught.value) is ours


def test_translation_lets_our_own_errors_pass():
    with pytest.raises(RunyardError, match=r"^as it was$"), translated("do it"):
        raise RunyardError("as it was")


# The SDK leaves its socket open when the first call fails; collecting it here keeps the warning here.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_connection_to_no_engine_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(HostUnreachable) as caught:
        Engine()
    assert str(caught.value) == (
        "connect to the Docker engine: no Docker engine answers; is it running, is DOCKER_HOST right?"
    )
    caught.value.__cause__ = None
    del caught
    gc.collect()
