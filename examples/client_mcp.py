"""Let an assistant check a photograph: the app as an MCP server, asked by a small MCP client.

    python app.py &
    python examples/client_mcp.py PHOTO --checkpoint badnets

An assistant that speaks MCP needs only the address, http://127.0.0.1:7860/gradio_api/mcp/ at home; for publishing it
also sends the header X-HF-Token. Needs `pip install mcp`, nothing of EftCLIP's own.
"""

import argparse
import ast
import asyncio
import base64
import mimetypes
from datetime import timedelta
from pathlib import Path
from typing import Any

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client


async def check(url: str, photo: Path, checkpoint: str) -> dict[str, Any]:
    """Call the tool `check` and return the verdict's document, the same one as on the command line."""
    kind = mimetypes.guess_type(photo.name)[0] or "image/png"
    picture = f"data:{kind};base64,{base64.b64encode(photo.read_bytes()).decode()}"
    async with (
        streamablehttp_client(f"{url.rstrip('/')}/gradio_api/mcp/", sse_read_timeout=600) as (read, write, _),
        ClientSession(read, write, read_timeout_seconds=timedelta(seconds=600)) as session,
    ):
        await session.initialize()
        for tool in (await session.list_tools()).tools:
            print(f"{tool.name}: {(tool.description or '').split('. ')[0]}")
        answer = await session.call_tool(
            "check", {"picture": picture, "checkpoint": checkpoint}, progress_callback=told
        )
    texts = [part.text for part in answer.content if part.type == "text"]
    if answer.isError:
        raise ValueError(" ".join(texts))
    document: dict[str, Any] = ast.literal_eval(texts[0])  # Gradio writes plain values the way Python does
    return document


async def told(progress: float, total: float | None, message: str | None) -> None:
    """How far the app is; its verdict on a checkpoint that is not loaded yet takes a while."""
    if message:
        print(f"  {message}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:7860", help="of the app")
    parser.add_argument("--checkpoint", default="badnets", help="badnets, clean, multi, or hf:org/name[@revision]")
    options = parser.parse_args()
    verdict = asyncio.run(check(options.url, options.photo, options.checkpoint))
    result = verdict["results"][0]
    print(options.photo.name, "→", result["status"], "·", result["reason"])


if __name__ == "__main__":
    main()
