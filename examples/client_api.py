"""Check, scan, rectify and publish from a program, through the named end points of a running app.

    python app.py &
    python examples/client_api.py PHOTOS_DIR --checkpoint badnets
    HF_TOKEN=… python examples/client_api.py PHOTOS_DIR --checkpoint hf:org/name --publish org/name-rectified

Needs nothing of EftCLIP's own, only `pip install gradio_client`. The token travels in a header and is not kept.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from gradio_client import Client, handle_file

PICTURES = (".jpg", ".jpeg", ".png", ".webp")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="folder of photographs, or one of them")
    parser.add_argument("--url", default="http://127.0.0.1:7860", help="of the app")
    parser.add_argument("--checkpoint", default="badnets", help="badnets, clean, multi, or hf:org/name[@revision]")
    parser.add_argument("--labels", default="", help="one label a line; ImageNet's when left out")
    parser.add_argument("--settings", default="{}", help='JSON, e.g. {"steps": 20}')
    parser.add_argument("--publish", metavar="ORG/NAME", help="where the mended checkpoint goes")
    parser.add_argument("--anyway", action="store_true", help="publish even if the evaluation speaks against it")
    options = parser.parse_args()
    headers = {"X-HF-Token": os.environ["HF_TOKEN"]} if "HF_TOKEN" in os.environ else {}
    client = Client(options.url, verbose=False, headers=headers, httpx_kwargs={"timeout": 600})
    photos = list_photos(options.photos)
    about = {"checkpoint": options.checkpoint, "labels": options.labels}

    verdict, _outlined = client.predict(handle_file(photos[0]), **about, api_name="/check")
    print(photos[0].name, "→", verdict["results"][0]["status"], "·", verdict["results"][0]["reason"])

    files = [handle_file(photo) for photo in photos]
    scan, _set = follow(client, data="", pictures=files, **about, settings=options.settings, api_name="/scan")
    print("scan →", scan["status"], "·", scan["affected_labels"], "·", len(scan["victims"]), "victims")

    run, archive = follow(client, **about, settings=options.settings, result=scan["result"], api_name="/rectify")
    print("rectify →", run["conclusion"], "·", archive or "nothing was written")

    if options.publish and archive:
        done = client.predict(run["result"], options.publish, False, options.anyway, api_name="/publish")
        print("published →", json.dumps(done))


def list_photos(place: Path) -> list[Path]:
    found = [place] if place.is_file() else sorted(p for p in place.iterdir() if p.suffix.lower() in PICTURES)
    if not found:
        raise SystemExit(f"{place} holds no photograph.")
    return found


def follow(client: Client, **asked: Any) -> Any:
    """Tell each stage once while it goes on; the last answer is the result."""
    job, told = client.submit(**asked), ""
    for news, _ in job:
        if news.get("status") == "running" and news["stage"] != told:
            told = news["stage"]
            print(f"  {told} …")
    return job.result()


if __name__ == "__main__":
    main()
