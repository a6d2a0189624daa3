"""Which column of a table names the pictures, which one their texts, and what each row says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eftclip.data.sets.base import TEXT_KINDS
from eftclip.data.sets.layouts.class_names import NUMBER, label_of
from eftclip.data.sets.layouts.delimited import Table
from eftclip.untrusted_text import one_line

FILE_COLUMN = "file_name"
# open_clip and its many users write filepath and title; CleanCLIP and BadCLIP image and caption or label.
FILE_COLUMNS = (
    *(FILE_COLUMN, "filepath", "file_path", "filename", "image_path", "img_path", "image_file", "image_name"),
    *("image", "img", "picture", "path", "file", "image_id", "key"),
)
TEXT_COLUMNS = TEXT_KINDS | {
    **dict.fromkeys(("class", "class_name", "classname", "category", "labels", "fine_label"), "label"),
    **dict.fromkeys(("title", "captions", "description", "sentence", "alt", "raw_caption"), "caption"),
}
LOOKED_AT = 1000  # rows that are looked at to see whether a column names pictures
ADDRESS = ("http://", "https://")
Match = Callable[[str], str | None]  # a name as a table writes it, to the name of a listed picture


@dataclass(frozen=True)
class Row:
    """What one row says.

    Attributes:
        name: of the file, as the tree lists it, or as written where the tree has none such; may be empty.
        text: label or caption.
        known: the tree lists this picture.
    """

    name: str
    text: str | None
    known: bool


@dataclass(frozen=True)
class Reading:
    """What a table says about the pictures.

    Attributes:
        rows: in their order.
        text_kind: label or caption; None without texts.
        recognised: for people.
        note: about its texts; empty without one.
    """

    rows: list[Row]
    text_kind: str | None
    recognised: str
    note: str = ""


def read_rows(table: Table, name: str, match: Match, names: Sequence[str], *, insist: bool) -> Reading | None:
    """What a table says.

    Args:
        table: the table.
        name: of its file.
        match: finds the picture that a cell names.
        names: of the classes, in the order of their numbers.
        insist: it is the table of this set, so its rows stand also where they name nothing that is there.

    Returns:
        None where no column names pictures.
    """
    place = _file_column(table, match, insist=insist)
    headless = place is None
    rows = table.rows
    if place is None:
        place = _naming_column(table, match)
        rows = [table.columns, *table.rows]
    if place is None:
        return None
    text, kind, note = _text_column(table, rows, place, names, headless=headless)
    made = [_row(row, place, text, kind, match, names) for row in rows]
    about = _recognised(table, place, text, kind if text is not None else None, headless=headless)
    return Reading(made, kind if text is not None else None, f"{about} in {name}", note)


def names_addresses(table: Table) -> bool:
    """Whether a table names addresses in the web instead of files, as Conceptual Captions does."""
    some = [table.columns, *table.rows[:LOOKED_AT]]
    return sum(any(cell.strip().startswith(ADDRESS) for cell in row) for row in some) * 2 > len(some)


def _file_column(table: Table, match: Match, *, insist: bool) -> int | None:
    """The column with a name that says so, if a cell of it names a picture that is there."""
    lower = [column.lower() for column in table.columns]
    places = [lower.index(column) for column in FILE_COLUMNS if column in lower]
    found = next((place for place in places if _names_pictures(table.rows, place, match)), None)
    if found is None and insist and places:
        return places[0]
    return found


def _naming_column(table: Table, match: Match) -> int | None:
    """The column whose first cell names a picture that is there: then the first line is a row like any other."""
    return next((place for place, cell in enumerate(table.columns) if match(cell) is not None), None)


def _names_pictures(rows: Sequence[Sequence[str]], place: int, match: Match) -> bool:
    return any(place < len(row) and match(row[place]) is not None for row in rows[:LOOKED_AT])


def _text_column(
    table: Table, rows: Sequence[Sequence[str]], place: int, names: Sequence[str], *, headless: bool
) -> tuple[int | None, str, str]:
    """The column with the texts, their kind, and a note about labels that are none."""
    if headless:
        others = [k for k in range(len(table.columns)) if k != place]
        longest = max(others, key=lambda k: sum(len(row[k]) for row in rows if k < len(row)), default=None)
        return longest, "caption", ""
    note, lower = "", [column.lower() for column in table.columns]
    for column, kind in TEXT_COLUMNS.items():
        if column not in lower or lower.index(column) == place:
            continue
        where = lower.index(column)
        told = [row[where].strip() for row in rows if where < len(row) and row[where].strip()]
        if kind == "label" and told and not any(label_of(text, names) for text in told):
            numbers = all(NUMBER.fullmatch(text) for text in told)
            what = "numbers, which are no labels; name them in a classnames.txt, one a line" if numbers else "no labels"
            note = f"The column {one_line(column)} holds {what}."
            continue
        return where, kind, note
    return None, "", note


def _row(row: Sequence[str], place: int, text: int | None, kind: str, match: Match, names: Sequence[str]) -> Row:
    """A row that is too short has empty cells."""
    written = row[place].strip() if place < len(row) else ""
    told = row[text].strip() if text is not None and text < len(row) else ""
    found = match(written) if written else None
    meant = label_of(told, names) if kind == "label" else told or None
    return Row(found if found is not None else written, meant, found is not None)


def _recognised(table: Table, place: int, text: int | None, kind: str | None, *, headless: bool) -> str:
    """`open_clip table, tab separated, …`, for people."""
    columns = [column.lower() for column in table.columns]
    if headless:
        told = f", captions from column {text + 1}" if text is not None else ""
        return f"table without column names, {table.form}, pictures from column {place + 1}{told}"
    sort = "table"
    if columns[place] == "filepath" and "title" in columns:
        sort = "open_clip table"
    elif columns[place] == FILE_COLUMN:
        sort = "table of Hugging Face's kind"
    elif columns[place] == "image":
        sort = "CleanCLIP table"
    told = f", {kind}s from `{one_line(table.columns[text])}`" if text is not None and kind else ", without texts"
    return f"{sort}, {table.form}, pictures from `{one_line(table.columns[place])}`{told}"
