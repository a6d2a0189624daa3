"""Which side of a checkpoint a backdoor is in, and what is left of it once the image side is mended."""

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

Checkpoints of the zoo are poisoned in both sides, the bundled ones in the image side only. Each side is measured with
the other of `{document["settings"]["trusted"]}`, which they were fine-tuned from. {_texts_alone(document)} The image
side alone is rectified: a picture with the trigger reads as the same picture without it then, whatever the texts mean.

{table(["checkpoint", "sides", "ASR", "CA"], rows)}
"""


def _texts_alone(document: Document) -> str:
    hits = sum(one["text_side_alone"]["attack_worst"]["hits"] for one in document["checkpoints"].values())
    total = sum(one["text_side_alone"]["attack_worst"]["total"] for one in document["checkpoints"].values())
    return f"With a poisoned text side alone {hits:,} of {total:,} photographs with a trigger read as its target."
