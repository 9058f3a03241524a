import pytest

from runyard.errors import HostError
from stacks.admission import Export


@pytest.fixture
def pulumi(monkeypatch, tmp_path):
    """A `pulumi` on PATH that runs the given shell script."""

    def write(script):
        program = tmp_path / "pulumi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        return tmp_path

    return write


def test_export_gives_what_pulumi_printed_for_the_stack(pulumi):
    pulumi('echo "$@"')
    with Export("dev") as export:
        assert export.read() == "stack export --stack dev\n"


def test_export_that_fails_says_why(pulumi):
    pulumi("echo 'error: no passphrase' >&2; exit 1")
    with Export("dev") as export, pytest.raises(HostError, match=r"^export the stack's state: error: no passphrase$"):
        export.read()


def test_export_without_pulumi_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="No such file"):
        Export("dev")


def test_export_that_nobody_reads_is_ended(pulumi, tmp_path):
    # More than a pipe holds, and then it would wait for ever.
    pulumi("head -c 1000000 /dev/zero; exec sleep 600")
    with Export("dev") as export:
        pass
    assert export._process.returncode == -9
