from __future__ import annotations

import hashlib
import http.server
import io
import socket
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.errors import ToolchainError
from toolchain import download
from toolchain.pins import Release

CONTENT = b"an archive" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = "pulumi-v1-linux-x64.tar.gz"


class Site:
    """A local stand-in for the release site: answers each path with (status, announced length, body)."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, int, bytes]] = {}
        self.asked: list[str] = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                status, length, body = site.answers.get(self.path, (404, 0, b""))
                self.send_response(status)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def serve(self, path: str, body: bytes, *, length: int | None = None) -> None:
        self.answers[path] = (200, len(body) if length is None else length, body)

    def release(self, sha256: str = "") -> Release:
        return Release("1", f"{self.url}/{NAME}", sha256, f"{self.url}/checksums.txt")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


def test_fetch_verifies_against_the_pinned_checksum_without_asking_the_site_for_one(site: Site, tmp_path: Path) -> None:
    site.serve(f"/{NAME}", CONTENT)
    source = download.fetch(site.release(SHA256.upper()), tmp_path / "archive")
    assert source == "toolchain/pins.toml"
    assert (tmp_path / "archive").read_bytes() == CONTENT
    assert site.asked == [f"/{NAME}"]


@pytest.mark.parametrize("separator", ["  ", " *"])
def test_fetch_without_a_pin_verifies_against_the_file_beside_the_release(
    site: Site, tmp_path: Path, separator: str
) -> None:
    site.serve("/checksums.txt", f"{'0' * 64}{separator}other\n{SHA256}{separator}{NAME}\n".encode())
    site.serve(f"/{NAME}", CONTENT)
    source = download.fetch(site.release(), tmp_path / "archive")
    assert source == "the checksums file beside the release (pins.toml holds none)"
    assert (tmp_path / "archive").read_bytes() == CONTENT


@pytest.mark.parametrize("pinned", [True, False])
def test_fetch_of_other_content_is_an_error_and_never_a_fall_back(site: Site, tmp_path: Path, pinned: bool) -> None:
    site.serve("/checksums.txt", f"{SHA256}  {NAME}\n".encode())
    site.serve(f"/{NAME}", b"something else")
    with pytest.raises(ToolchainError) as caught:
        download.fetch(site.release(SHA256 if pinned else ""), tmp_path / "archive")
    got = hashlib.sha256(b"something else").hexdigest()
    assert f"sha256: must be {SHA256} by " in str(caught.value)
    assert f"got {got}" in str(caught.value)
    assert not (tmp_path / "archive").exists()


def test_fetch_from_a_site_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(download.Unavailable) as caught:
        download.fetch(Release("1", f"{url}/{NAME}", SHA256), tmp_path / "archive")
    assert str(caught.value) == f"{url}/{NAME}: connection refused"


def test_fetch_from_a_site_that_says_nothing_is_unavailable_after_the_timeout(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/{NAME}"
        with pytest.raises(download.Unavailable) as caught:
            download.fetch(Release("1", url, SHA256), tmp_path / "archive", timeout_s=0.05)
    assert str(caught.value) == f"{url}: timed out"


def test_fetch_of_a_release_that_is_not_there_is_unavailable(site: Site, tmp_path: Path) -> None:
    with pytest.raises(download.Unavailable) as caught:
        download.fetch(site.release(SHA256), tmp_path / "archive")
    assert str(caught.value) == f"{site.url}/{NAME}: answered 404"


def test_fetch_that_is_cut_off_is_unavailable(site: Site, tmp_path: Path) -> None:
    site.serve(f"/{NAME}", CONTENT[:5000], length=len(CONTENT))
    with pytest.raises(download.Unavailable, match=f"cut off after 5000 of {len(CONTENT)} bytes"):
        download.fetch(site.release(SHA256), tmp_path / "archive")


def test_fetch_without_any_checksum_to_be_had_does_not_load_the_archive(site: Site, tmp_path: Path) -> None:
    site.serve(f"/{NAME}", CONTENT)
    with pytest.raises(download.Unavailable, match=r"checksums\.txt: answered 404"):
        download.fetch(site.release(), tmp_path / "archive")
    assert site.asked == ["/checksums.txt"]


def test_fetch_of_an_archive_that_the_checksums_do_not_name_is_unavailable(site: Site, tmp_path: Path) -> None:
    site.serve("/checksums.txt", b"<html>log in to the wireless network</html>")
    with pytest.raises(download.Unavailable, match=f"does not name {NAME}, so that cannot be verified"):
        download.fetch(site.release(), tmp_path / "archive")


def test_fetch_for_an_architecture_without_releases_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(download.Unavailable, match="no official release for this architecture is pinned"):
        download.fetch(Release("1"), tmp_path / "archive")


def write_archive(path: Path, name: str) -> None:
    with tarfile.open(path, "w:gz") as tar:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(CONTENT), 0o755
        tar.addfile(entry, io.BytesIO(CONTENT))


def test_unpack_keeps_content_and_mode(tmp_path: Path) -> None:
    write_archive(tmp_path / "archive", "pulumi/pulumi")
    download.unpack(tmp_path / "archive", tmp_path / "out")
    assert (tmp_path / "out/pulumi/pulumi").read_bytes() == CONTENT
    assert (tmp_path / "out/pulumi/pulumi").stat().st_mode & 0o111


def test_unpack_refuses_to_write_outside_its_directory(tmp_path: Path) -> None:
    write_archive(tmp_path / "archive", "../escaped")
    with pytest.raises(ToolchainError, match="unpack archive: "):
        download.unpack(tmp_path / "archive", tmp_path / "out")
    assert not (tmp_path / "escaped").exists()


def test_unpack_refuses_links(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "archive", "w") as tar:
        link = tarfile.TarInfo("pulumi")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        tar.addfile(link)
    with pytest.raises(ToolchainError) as caught:
        download.unpack(tmp_path / "archive", tmp_path / "out")
    assert str(caught.value) == "unpack archive: pulumi: must be a file or directory inside the archive's own"


def test_unpack_of_something_else_names_the_archive(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(b"not a tar")
    with pytest.raises(ToolchainError, match="unpack archive: "):
        download.unpack(tmp_path / "archive", tmp_path / "out")
