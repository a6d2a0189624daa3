"""Open the page in a browser."""

import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where the page is served."""
    parser.add_argument("--host", help="address to listen on (default: GRADIO_SERVER_NAME or 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default: GRADIO_SERVER_PORT or 7860)")


def run(options: argparse.Namespace) -> int:
    """Serve until interrupted."""
    from eftclip.ui import launch  # the page and its libraries are loaded by nobody else

    launch(host=options.host, port=options.port)
    return 0
