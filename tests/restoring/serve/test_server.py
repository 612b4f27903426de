from __future__ import annotations

import http.client
import re
import signal
import socket
import subprocess
import sys

import pytest

from semanir_arch.commands import restore as cli
from semanir_arch.data.files.image_encoding import encode_image
from semanir_arch.restoring.restorer import Restorer
from semanir_arch.restoring.serve.server import serve
from tests.helpers import ROOT, TINY_UNET, make_image, save_weights


@pytest.fixture
def weights(tmp_path):
    save_weights(tmp_path / "net.pth", TINY_UNET)
    return tmp_path / "net.pth"


@pytest.fixture
def ended_at_once(monkeypatch):
    """Ctrl-C as soon as the server listens."""

    def run(self, sockets):
        raise KeyboardInterrupt

    monkeypatch.setattr("uvicorn.Server.run", run)


def start(weights, **arguments):
    lines = []
    serve(
        lambda choice: Restorer(choice.weights, "cpu"), lines.append, weights=weights, **arguments
    )
    return lines


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_the_address_is_said_and_only_this_computer_is_let_in(weights, ended_at_once, host, shown):
    if host == "::1" and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    address, end = start(weights, host=host, port=0)
    assert re.fullmatch(rf"http://{re.escape(shown)}:\d+/  \(Ctrl-C ends\)", address)
    assert end == "ended"


def test_letting_other_computers_in_is_warned_about(weights, ended_at_once):
    warning, address, _ = start(weights, host="0.0.0.0", port=0)
    assert warning.startswith("warning: listening on 0.0.0.0: everybody who reaches this computer")
    assert address.startswith("http://0.0.0.0:")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--host", "192.0.2.1"), "cannot listen on 192.0.2.1, port 7860"),
        (("--port", "70000"), "--port 70000: allowed: 0 to 65535"),
        (("--weights", "nothing.pth"), "nothing.pth: no such"),
    ],
)
def test_what_prevents_the_start_is_one_line(weights, capsys, arguments, message):
    assert cli.main(["--serve", "--device", "cpu", "--weights", str(weights), *arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"semanir-restore: {message}")


def test_a_port_in_use_is_one_line_with_the_remedy(weights, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code = cli.main(["--serve", "--port", str(port), "--weights", str(weights)])
    assert code == 2
    assert capsys.readouterr().err == (
        f"semanir-restore: port {port} of 127.0.0.1 is in use; choose another with --port, or 0 "
        "for any\n"
    )


def test_missing_packages_are_named_with_how_to_install_them(weights, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.main(["--serve", "--weights", str(weights)]) == 2
    assert capsys.readouterr().err == (
        "semanir-restore: --serve needs starlette and uvicorn: pip install 'semanir-arch[serve]'\n"
    )


@pytest.mark.slow
def test_ctrl_c_ends_the_command_in_the_middle_of_a_photo(weights, tmp_path):
    command = [sys.executable, "-m", "semanir_arch.commands.restore", "--serve", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--device", "cpu", "--weights", str(weights)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = process.stdout.readline()
        port = int(re.search(r":(\d+)/", address).group(1))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        photo = encode_image(make_image((1000, 1000, 3)), tmp_path / "a.png")
        connection.request("POST", "/api/jobs?task=weights&name=a.png", photo)
        assert connection.getresponse().status == 202
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out, err) == (0, "ended\n", "")
