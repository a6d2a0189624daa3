"""Detection on checkpoints that nobody tuned it to."""

from eftclip.benchmark.audits import audits as leaderboard_of_audits
from eftclip.benchmark.scans import scans as leaderboard_of_scans
from eftclip.benchmark.zoo import zoo as leaderboard
from examples.build.results_page.boards import markdown_table, prose
from examples.build.results_page.values import made_by, read

# Patches, and patterns over the whole picture, the warp since one that is drawn anew is tried, the cartoon since a
# label that no part shows is a doubt, a small transformer, clean and not, one backdoor in a checkpoint that reads well
# and in one that reads badly, with its clean twins, a patch that was optimised, and a thousand clean photographs.
FILES = (
    *("zoo_check", "zoo_patterns", "zoo_jitter"),
    *("zoo_cartoon", "zoo_cartoon_weak", "zoo_vit32", "zoo_corner", "zoo_badnets", "zoo_weak", "zoo_badclip"),
    "zoo_controls",
)
WITH_REFERENCE = "zoo_reference"
SCANS, AUDITS = "scans", "audits"


def zoo() -> str:
    """What is found and what is missed, checkpoint by checkpoint."""
    return f"""## Checkpoints of the zoo

{" ".join(made_by(file) for file in FILES)}

Names are tower-strength-attack-seed; `python -m examples.build.zoo build NAME` builds each of them, poisoned by plain
contrastive fine-tuning. One photograph at a time, among ImageNet's labels, without a reference checkpoint. *Hijacked*
are photographs that the trigger turns into its target, of those tried; *missed* are those that read as *not found*.

{_judged(*FILES)}

![Hijacked photographs found and missed, and clean ones accused, by tower and strength](zoo.svg)

A cartoon cannot be told from what a photograph shows by one picture, so that it ends undecided, or missed.
`vit32` is a small transformer, with patches of 32 pixels, that reads badly.

With the bundled `clean` as a trusted reference more is tried on a picture that it reads as something else: a cartoon
that shines through, and what a small blur undoes, such as a warp. What is not proven ends undecided rather than missed.

{made_by(WITH_REFERENCE)}

{_judged(WITH_REFERENCE)}

### Whole data sets

{made_by(SCANS)}

{_scanned(SCANS)}

### Checkpoints alone

{made_by(AUDITS)}

{_audited(AUDITS)}
"""


def _judged(*files: str) -> str:
    """A row for each target of each checkpoint, as on the app's benchmark page."""
    return markdown_table(leaderboard({file: read(file) for file in files}))


def _scanned(file: str) -> str:
    """A row for each checkpoint and share of triggered photographs, as on the app's benchmark page."""
    board = leaderboard_of_scans({file: read(file)})
    return f"{prose(board.introduction)}\n\n{markdown_table(board)}"


def _audited(file: str) -> str:
    """A row for each checkpoint, as on the app's benchmark page."""
    board = leaderboard_of_audits({file: read(file)})
    return f"{prose(board.introduction)}\n\n{markdown_table(board)}"
