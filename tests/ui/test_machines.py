"""On a machine that is not as the page needs it, the app ends with one sentence that says what to do."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.ending import APP, COMMAND, PROXIES, ended
from support.forwarding import passing_on
from support.started import free_port, started

from eftclip.errors import PageError
from eftclip.ui.machine import check_machine, trusted_hosts
from eftclip.ui.machine.address import check_address
from eftclip.ui.machine.proxies import check_proxies

NOBODY = "127.0.0.1:9"  # where nobody listens
# What is set, and what the sentence says.
SITUATIONS = {
    "a proxy that does not lead back": (
        {"http_proxy": f"http://{NOBODY}"},
        f"The proxy http://{NOBODY} would also be asked for the page's own address, and does not lead there: "
        "set no_proxy=localhost,127.0.0.1.",
    ),
    "a SOCKS proxy without the package": (
        {"ALL_PROXY": f"socks5://ann:secret@{NOBODY}"},
        f"all_proxy names a SOCKS proxy, socks5://{NOBODY}, and the package for that is not installed: "
        "`pip install socksio`, or unset all_proxy.",
    ),
    "a service of Kubernetes that is called gradio-server": (
        {"GRADIO_SERVER_PORT": "tcp://10.0.0.3:7860"},
        "GRADIO_SERVER_PORT is 'tcp://10.0.0.3:7860': set it to a number from 1 to 65535, or unset it.",
    ),
    "another machine's address": (
        {"GRADIO_SERVER_NAME": "192.0.2.7"},
        "This machine cannot listen on '192.0.2.7'",
    ),
    "certificates that are not there": (
        {"SSL_CERT_FILE": "/nowhere/ca.pem"},
        "SSL_CERT_FILE names /nowhere/ca.pem, and there is no such file: correct it, or unset it.",
    ),
    "a pattern of hosts": (
        {"EFTCLIP_TRUSTED_HOSTS": "*"},
        "EFTCLIP_TRUSTED_HOSTS holds '*', which is no host name: list whole names, separated by commas",
    ),
}


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment in which nothing stands in the way."""
    for name in ("GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT", *PROXIES, *(name.upper() for name in PROXIES)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    return monkeypatch


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield int(other.getsockname()[1])


def is_one_sentence(code: int, said: str) -> bool:
    return code == 2 and said.startswith("eftclip: ") and said.count("\n") == 1 and said.endswith(".\n")


@pytest.mark.parametrize("name", SITUATIONS)
@pytest.mark.situation("machines", "refused")
def test_the_app_ends_with_one_sentence(tmp_path: Path, name: str) -> None:
    environment, says = SITUATIONS[name]
    code, said = ended(APP, tmp_path, **environment)
    assert is_one_sentence(code, said), said
    assert says in said
    assert "secret" not in said


@pytest.mark.situation("machines", "refused")
def test_a_port_that_is_taken_is_told(tmp_path: Path, taken: int) -> None:
    code, said = ended([*COMMAND, "--port", str(taken)], tmp_path)
    assert is_one_sentence(code, said), said
    assert f"Port {taken} of 127.0.0.1 is taken by another program: stop that one, or name another port" in said


@pytest.mark.situation("machines", "refused")
def test_ports_that_are_all_taken_are_told(tmp_path: Path, taken: int) -> None:
    code, said = ended(APP, tmp_path, GRADIO_SERVER_PORT=str(taken), GRADIO_NUM_PORTS="1")
    assert is_one_sentence(code, said), said
    assert f"No port from {taken} to {taken} of 127.0.0.1 is free" in said


@pytest.mark.parametrize("command", [APP, COMMAND])
@pytest.mark.situation("machines", "refused")
def test_a_temporary_folder_of_somebody_else_is_told(tmp_path: Path, command: list[str]) -> None:
    """As `/tmp/gradio` is, when two people use one machine."""
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o755)
    folder.chmod(0o555)
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
    code, said = ended(command, tmp_path, GRADIO_TEMP_DIR=str(folder))
    assert is_one_sentence(code, said), said
    assert f"The folder for uploads, {folder}, cannot be written (Permission denied" in said
    assert "set GRADIO_TEMP_DIR to a folder of your own" in said
    assert os.geteuid() != 0 or "; it belongs to " in said


@pytest.mark.situation("machines", "refused")
def test_a_machine_without_any_folder_for_temporary_files_is_told(plain: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plain.delenv("GRADIO_TEMP_DIR")
    plain.setattr("tempfile.gettempdir", lambda: _raise(FileNotFoundError("No usable temporary directory")))
    with pytest.raises(PageError, match="set TMPDIR to one of your own"):
        check_machine(None, free_port())


def _raise(error: Exception) -> str:
    raise error


@pytest.mark.slow
@pytest.mark.situation("machines", "refused")
def test_what_begins_after_the_checks_fails_in_one_sentence_too(
    plain: pytest.MonkeyPatch, tmp_path: Path, taken: int
) -> None:
    """Between the look and the start somebody may have taken the port."""
    code = (
        "import sys, eftclip.ui.start as start; start.check_machine = lambda *at: None; from eftclip.cli import main; "
        f"sys.exit(main(['app', '--port', '{taken}']))"
    )
    ended_with, said = ended(["-c", code], tmp_path)
    assert ended_with == 2
    assert "eftclip: The page could not be served (Cannot find empty port in range" in said
    assert "Traceback" not in said


# --- What is no obstacle -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.situation("machines", "read")
def test_a_proxy_that_is_kept_out_of_the_way_and_a_console_without_letters_do_no_harm(tmp_path: Path) -> None:
    """Gradio greets with a picture that such a console does not have."""
    proxy = f"http://{NOBODY}"
    with started(
        tmp_path,
        free_port(),
        http_proxy=proxy,
        https_proxy=proxy,
        no_proxy="localhost,127.0.0.1",
        PYTHONIOENCODING="ascii",
    ) as app:
        assert app.process.poll() is None


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"http_proxy": "10.0.0.1:3128", "no_proxy": "127.0.0.1"}, ""),
        ({"http_proxy": NOBODY, "no_proxy": "*"}, ""),
        ({"https_proxy": f"http://{NOBODY}"}, ""),
        ({"all_proxy": NOBODY}, "The proxy http://127.0.0.1:9 would also be asked"),
        ({"all_proxy": "socks://10.0.0.1:1080"}, "socks:// is no kind of proxy that is understood here"),
        ({"http_proxy": "http://ann:secret@127.0.0.1:9"}, "The proxy http://127.0.0.1:9 would"),
    ],
)
def test_only_a_proxy_that_stands_in_the_way_is_refused(
    plain: pytest.MonkeyPatch, environment: dict[str, str], says: str
) -> None:
    for name, value in environment.items():
        plain.setenv(name, value)
    if not says:
        check_proxies("127.0.0.1")
        return
    with pytest.raises(PageError, match=says):
        check_proxies("127.0.0.1")


@pytest.mark.situation("machines", "read")
def test_a_proxy_on_this_machine_that_leads_back_is_no_obstacle(plain: pytest.MonkeyPatch) -> None:
    with passing_on() as proxy:
        plain.setenv("http_proxy", proxy)
        check_proxies("127.0.0.1")


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_a_port_that_is_none_is_told(plain: pytest.MonkeyPatch, port: int) -> None:
    with pytest.raises(PageError, match=f"There is no port {port}"):
        check_address("127.0.0.1", port)


def test_where_no_port_is_named_the_next_free_one_is_taken(plain: pytest.MonkeyPatch, taken: int) -> None:
    plain.setenv("GRADIO_SERVER_PORT", str(taken))
    assert check_address(None, None) == "127.0.0.1"


@pytest.mark.parametrize("text", ["", " , ", "notebook.example.org", "a.example, B.Example ,10.0.0.7"])
def test_hosts_are_listed_by_their_whole_names(plain: pytest.MonkeyPatch, text: str) -> None:
    plain.setenv("EFTCLIP_TRUSTED_HOSTS", text)
    assert trusted_hosts() == {part.strip().lower() for part in text.split(",")} - {""}


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "*.example.org",
        ".example.org",
        "https://a.example",
        "a.example:80",
        "a.example/x",
        "a b",
        "a.example.",
        "ä",
    ],
)
def test_nothing_but_a_whole_name_is_a_host(plain: pytest.MonkeyPatch, text: str) -> None:
    plain.setenv("EFTCLIP_TRUSTED_HOSTS", f"good.example,{text}")
    with pytest.raises(PageError, match="which is no host name"):
        trusted_hosts()
