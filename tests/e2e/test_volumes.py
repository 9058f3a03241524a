"""Init containers and volumes of a stack: from the manifest to what the host keeps when the stack is gone."""

from __future__ import annotations

from typing import Any

from runyard import names
from tests.harness.stack import Stack, docker, service
from tests.harness.waiting import until

# Answers with what is in two files, as the smallest image can.
SERVER = (
    "use IO::Socket::INET; $|=1; $SIG{TERM}=sub{exit 0};"
    "my $s=IO::Socket::INET->new(LocalPort=>$ENV{PORT},Listen=>50,ReuseAddr=>1) or die;"
    "while(1){my $c=$s->accept or next; while(<$c>){last if /^\\r?\\n/} my $t=qx(cat /work/page /part/log); "
    "my $n=length $t; print $c qq(HTTP/1.1 200 OK\\r\\nContent-Length: $n\\r\\nConnection: close\\r\\n\\r\\n$t);"
    "close $c}"
)


def keeper(word: str) -> dict[str, Any]:
    """Make a service whose init container writes a word and whose own container notes it in a volume that stays."""
    made = service(
        "keeper",
        image="debian:bookworm-slim",
        annotations={"runyard.dev/volumes": "log=1Gi:/log"},
        command=["sh", "-c", f"echo kept-{word} >> /part/log; exec perl -e '{SERVER}'"],
        volumeMounts=[
            {"name": "work", "mountPath": "/work", "readOnly": True},
            {"name": "log", "mountPath": "/part", "subPath": "deep/part", "readOnly": False},
        ],
    )
    spec = made["spec"]["template"]["spec"]
    limits = {"cpu": "1", "memory": "128Mi"}
    spec["volumes"] = [{"name": "work", "emptyDir": {"sizeLimit": "8Mi"}}]
    spec["initContainers"] = [
        {
            "name": "first",
            "image": "debian:bookworm-slim",
            "command": ["sh", "-c", f"echo {word} > /work/page"],
            "volumeMounts": [{"name": "work", "mountPath": "/work", "readOnly": False}],
            "resources": {"limits": limits},
        }
    ]
    return made


def test_volumes_are_made_shared_and_kept_and_no_preview_sees_them(stack: Stack) -> None:
    stack.write("keeper", keeper("one"))
    stack.up()
    assert stack.get("keeper.localhost").text.split() == ["one", "kept-one"]
    stack.expect_no_changes()
    stack.write("keeper", keeper("two"))
    stack.up()
    assert stack.get("keeper.localhost").text.split() == ["two", "kept-one", "kept-two"]
    stack.expect_no_changes()
    verified = stack.verify()
    assert verified.returncode == 0, verified.stdout
    data = names.persistent_volume(stack.name, "default", "log")
    assert stack.kept_on_host() == [data]
    stack.remove("keeper")
    stack.up()
    until(lambda: stack.names("instance") == [])
    until(lambda: not [each for each in docker("volume", "ls", "--quiet").split() if f".{stack.name}.default." in each])
    assert stack.kept_on_host() == [data]
    stack.write("keeper", keeper("three"))
    stack.up()
    assert stack.get("keeper.localhost").text.split() == ["three", "kept-one", "kept-two", "kept-three"]
    stack.destroy()
    assert stack.left_on_host() == []
    assert stack.kept_on_host() == [data]
