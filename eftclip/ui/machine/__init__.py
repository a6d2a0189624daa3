"""What the page needs of the machine it runs on; whatever is not as it must be is refused in one sentence.

Nothing here imports Gradio, which stumbles over some of these settings already when it is imported.
"""

from eftclip.ui.machine.address import check_address
from eftclip.ui.machine.certificates import check_certificates
from eftclip.ui.machine.proxies import check_proxies
from eftclip.ui.machine.temporary import check_temporary_folder
from eftclip.ui.machine.trusted_hosts import trusted_hosts

__all__ = ["check_machine", "trusted_hosts"]


def check_machine(host: str | None, port: int | None) -> None:
    """See that the page can be served here, before anything is loaded.

    Args:
        host: address to listen on; Gradio's default when left out.
        port: TCP port; the first free one from Gradio's default on when left out.

    Raises:
        PageError: it cannot.
    """
    trusted_hosts()
    check_certificates()
    check_temporary_folder()
    check_proxies(check_address(host, port))
