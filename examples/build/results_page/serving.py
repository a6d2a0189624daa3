"""How the app holds under load and under attack."""

from examples.build.results_page.values import Document, counts, made_by, number, read, table


def load() -> str:
    """The app under load."""
    visitors, sessions = read("load_visitors"), read("load_sessions")
    first, last = visitors["waves"][0], visitors["waves"][-1]
    settled, ended = sessions["moments"][1], sessions["moments"][-3]
    many, within_s = visitors["settings"]["visitors"], visitors["settings"]["within_s"]
    pressed = f"{many} visitors press the button within {within_s:.0f} s, {len(visitors['waves'])} times: verdicts"
    rows = [
        (pressed, counts(visitors["answered"])),
        ("most who overtook one visitor, first wave, last wave", _two(first, last, "overtaken", "most", 0)),
        ("longest wait, seconds, first wave, last wave", _two(first, last, "wait_s", "longest", 1)),
        ("memory at the peak, MB, first wave, last wave", _two(first, last, "peak", "rss_mb", 0)),
        ("sessions opened and closed without failure", counts(sessions["without_failure"])),
        (
            f"memory of the server, MB, after {settled['sessions']} and after {ended['sessions']} of them",
            f"{number(settled['rss_mb'])}, {number(ended['rss_mb'])}",
        ),
    ]
    return f"""## Under load

{made_by("load_visitors")}

{made_by("load_sessions")}

On {visitors["machine"]["cores"]} cores, the page open to everybody:

{table(["what", "measured"], rows)}
"""


def _two(first: Document, last: Document, kind: str, key: str, decimals: int) -> str:
    return f"{number(first[kind][key], decimals)}, {number(last[kind][key], decimals)}"


def attack() -> str:
    """The app under attack."""
    document = read("attack_listeners")
    scenes = sum(len(scene) for scene in document["scenes"].values())
    rows = [
        ("calls of every listener with values that no page would send", number(document["calls"])),
        (
            "of these answered with a sentence, accepted, with a bare error, refused",
            ", ".join(
                number(document["outcomes"].get(kind, 0)) for kind in ("sentence", "accepted", "bare error", "refused")
            ),
        ),
        ("other attacks, by scenes", number(scenes)),
        ("not as it should be, of all", number(len(document["not_as_it_should"]))),
        ("files read that nobody may read", number(len(document["read_what_nobody_may"]))),
        ("the server afterwards", "serves as ever" if document["server"]["alive"] else "ended"),
        ("a photograph checked afterwards", document["afterwards"].replace("_", " ")),
    ]
    return f"""## Under attack

{made_by("attack_listeners")}

{table(["what", "measured"], rows)}
"""
