"""Which side of a checkpoint a backdoor is in, and what is left of it once the image side is mended."""

from examples.build.results_page.boards import prose
from examples.build.results_page.values import Document, counts, made_by, read, table

FILE = "towers"
PAIRINGS = {
    "as_it_is": "as it is",
    "image_side_alone": "image side, with the trusted text side",
    "text_side_alone": "text side, with the trusted image side",
    "mended": "mended",
    "mended_image_side_alone": "mended image side, with the trusted text side",
}


def towers() -> str:
    """ASR and CA of each pairing of a poisoned checkpoint's sides with those of the one that it came from."""
    document = read(FILE)
    rows = [
        (f"`{name}`", words, counts(one[pairing]["attack_worst"]), counts(one[pairing]["clean"]))
        for name, one in document["checkpoints"].items()
        for pairing, words in PAIRINGS.items()
    ]
    return f"""## Which side a backdoor is in

{made_by(FILE)}

{prose([_said(document)])}

{table(["checkpoint", "sides", "ASR", "CA"], rows)}
"""


def _said(document: Document) -> str:
    alone = [one["text_side_alone"]["attack_worst"] for one in document["checkpoints"].values()]
    hits, total = (sum(rate[key] for rate in alone) for key in ("hits", "total"))
    return (
        "Checkpoints of the zoo are poisoned in both sides, the bundled ones in the image side only. Each side is "
        f"measured with the other of `{document['settings']['trusted']}`, which they were fine-tuned from. With a "
        f"poisoned text side alone {hits:,} of {total:,} photographs with a trigger read as its target. The image side "
        "alone is rectified, until a picture with the trigger means what the same picture means without it."
    )
