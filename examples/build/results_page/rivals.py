"""Detectors side by side, in the rows of the app's benchmark page."""

from examples.build.results_page.boards import alternative, boards, documents, markdown_table, pooled_chart, prose
from examples.build.results_page.values import made_by

FILES = "rivals_detect"
CHART = "rivals_detect.svg"
SERIES = ("found_calibrated", "accused_calibrated")
CODE = {"`examples/bench/rivals/`": "[`examples/bench/rivals/`](../bench/rivals/)"}


def rivals() -> str:
    """Both tables, and what was left out."""
    pictures, checkpoints = boards(FILES)
    before = prose(pictures.introduction)
    for path, link in CODE.items():
        before = before.replace(path, link)
    return f"""## Detectors side by side

{chr(10).join(made_by(name) for name in documents(FILES))}

{before}

{markdown_table(pictures)}

![{alternative(chart())}]({CHART})

{prose(pictures.remarks)}

{prose(checkpoints.introduction)}

{markdown_table(checkpoints)}
"""


def chart() -> str:
    """Found and accused at the calibrated threshold."""
    return pooled_chart(boards(FILES)[0], "Detectors, over all checkpoints", SERIES)
