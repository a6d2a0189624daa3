"""The documents a newcomer reads, and the code in them."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
GUIDES = tuple(sorted((ROOT / "examples" / "guide").glob("*.md")))
RESULTS_PAGE = ROOT / "examples" / "results" / "README.md"
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)

# Tests that carry out, in another way, lines that cannot run as they stand: these install, need a hub, a container
# engine or a running app, or run the tests themselves.
ELSEWHERE = {
    "test_it_serves_everybody_and_knows_that_it_does": (
        "pip install -r requirements.txt && python app.py",
        "python app.py &",
        "docker run -p 7860:7860 eftclip",
    ),
    "test_the_recipe_is_what_a_space_expects": ("docker build -t eftclip .",),
    "test_the_two_commands_of_the_guide_make_a_space": (
        "hf repos create ORG/NAME --type space --sdk gradio",
        'hf upload ORG/NAME . . --type space --exclude "tests/*"',
    ),
    "test_ci_runs_the_test_command": (
        "pip install -r requirements.txt -e '.[test]' && pytest",
        "pip install -r requirements.txt -e '.[test]'",
    ),
    "test_the_quick_tests_touch_every_part": ("pytest -m quick",),
    "test_it_runs_what_ci_runs": (
        "pip install pre-commit && pre-commit install",
        "ruff check .",
        "ruff format --check .",
        "mypy",
    ),
    "test_a_forwarder_that_is_named_shows_the_page": (
        "EFTCLIP_TRUSTED_HOSTS=notebook.example GRADIO_ROOT_PATH=https://notebook.example/proxy/7860 python app.py",
    ),
    "test_a_program_checks_scans_rectifies_and_publishes": (
        "python examples/client_api.py photos --checkpoint badnets",
    ),
    "test_an_assistant_checks_a_photograph_over_mcp": (
        "python examples/client_mcp.py photos/chelsea.png --checkpoint badnets",
    ),
    "test_rectify_and_publish_in_one_command": ("eftclip rectify DATA --checkpoint SRC --out DIR --publish ORG/NAME",),
    "test_a_folder_is_published_as_typed": ("eftclip publish DIR ORG/NAME",),
    "test_a_checkpoint_alone_is_audited": ("eftclip rectify --checkpoint examples/checkpoints/badnets --out audited",),
    "test_the_template_is_short_and_brings_its_settings_along": ("pip install -e mine",),
    "test_a_method_of_another_package_mends_a_checkpoint": (
        "eftclip rectify --help",
        "eftclip rectify photos --checkpoint examples/checkpoints/badnets --out mended --method my_method",
    ),
    "test_a_method_of_another_package_is_measured_beside_ours": (
        "python -m examples.bench.rivals_rectify IMAGES_DIR --methods realign my_method --out mine.json",
    ),
    "test_the_template_passes_what_every_method_must_pass": ("pytest -n 0 tests/rectify/test_methods.py -k my_method",),
    "test_two_processes_that_torchrun_starts_find_what_one_finds": (
        "torchrun --nproc_per_node 2 -m eftclip scan photos --checkpoint examples/checkpoints/badnets --out shared",
    ),
}


@dataclass(frozen=True)
class Block:
    """Code in a document: its language and its text."""

    language: str
    code: str

    @property
    def lines(self) -> list[str]:
        """Commands of a shell block, without the empty lines."""
        return [line for line in self.code.splitlines() if line.strip()]


def blocks(document: Path) -> list[Block]:
    """Every block of code in it, in order; Python that follows on Python is one session, so names carry over."""
    found: list[Block] = []
    for language, code in FENCE.findall(document.read_text(encoding="utf-8")):
        if language == "python" and found and found[-1].language == "python":
            found[-1] = Block("python", f"{found[-1].code}\n{code}")
        else:
            found.append(Block(language, code))
    return found
