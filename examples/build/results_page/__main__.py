"""Make `examples/results/README.md`, its charts and the README's headline table from the JSON files beside the page.

    python -m examples.build.results_page

Nothing on the page is written by hand: after a new measurement, run this and commit what changed.
"""

from pathlib import Path

from examples.build.results_page import (
    costs,
    methods,
    oracles,
    paper,
    published,
    quality,
    rivals,
    serving,
    towers,
    zoo,
    zoo_cells,
)
from examples.build.results_page.headline import with_headline
from examples.build.results_page.values import RESULTS, ROOT, commits, read, table

SECTIONS = (
    *(
        quality.rectification,
        quality.tuning,
        quality.audit,
        quality.photographs,
        zoo.zoo,
        towers.towers,
        rivals.rivals,
        methods.methods,
        published.published,
        paper.paper,
        oracles.oracles,
        quality.situations,
    ),
    *(
        costs.first_verdict,
        costs.image_side,
        costs.stages,
        costs.scans,
        costs.exhaustive,
        costs.settings,
        serving.load,
        serving.attack,
    ),
)
CHARTS = {
    "rectify.svg": quality.rectification_chart,
    "cost.svg": costs.stages_chart,
    "forwards.svg": costs.exhaustive_chart,
    "zoo.svg": zoo_cells.chart,
    rivals.CHART: rivals.chart,
    methods.CHART: methods.chart,
}
INTRODUCTION = """# Results

Every number here comes from a JSON file in this folder, and `python -m examples.build.results_page` makes the page from
them. All photographs are ones that the checkpoints were never trained on. Each file holds the command that measured it
and the commit that it was measured at: where the code has changed since, the numbers are of that commit.
`IMAGES_DIR` is a folder with samples of ImageNet, Caltech-101 and COCO, see
[`examples/measure/photo_sets.py`](../measure/photo_sets.py); `--checkpoints DIR` holds the poisoned checkpoints that
[`examples/build/checkpoints.py`](../build/checkpoints.py) makes.
"""


def made() -> dict[Path, str]:
    """Every file that is made, and its text."""
    files = [*sorted(path.stem for path in RESULTS.glob("*.json")), paper.FILE]
    index = table(
        ["file", "measured at commit", "kind"],
        [
            (f"[`{name}.json`]({name}.json)", commits(read(name)), read(name)["kind"].replace("_", " "))
            for name in files
        ],
    )
    page = "\n".join([INTRODUCTION, index, "", *(section() for section in SECTIONS)])
    readme = ROOT / "README.md"
    return {
        RESULTS / "README.md": page,
        **{RESULTS / name: chart() for name, chart in CHARTS.items()},
        readme: with_headline(readme.read_text(encoding="utf-8")),
    }


def main() -> None:
    for path, text in made().items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
