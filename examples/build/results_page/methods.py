"""Rectification methods side by side, in the rows of the app's benchmark page."""

from examples.build.results_page.boards import alternative, boards, documents, markdown_table, pooled_chart, prose
from examples.build.results_page.values import made_by

FILES = "rivals_rectify"
CHART = "rivals_rectify.svg"
SERIES = ("asr", "ca", "pa")


def methods() -> str:
    """Every method with the same photographs and at the same cost."""
    (board,) = boards(FILES)
    remarks = f"\n{prose(board.remarks)}\n" if board.remarks else ""
    return f"""## Methods side by side

{chr(10).join(made_by(name) for name in documents(FILES))}

{prose(board.introduction)}

{markdown_table(board)}

![{alternative(chart())}]({CHART})
{remarks}"""


def chart() -> str:
    """Attack success, and what is read rightly without and with the trigger."""
    return pooled_chart(boards(FILES)[0], "Rectification methods, afterwards", SERIES)
