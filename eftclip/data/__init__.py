"""Where pictures come from: files, data sets of any kind, and photographs that ship inside our dependencies."""

from eftclip.data.folders import list_left_out, list_pictures
from eftclip.data.label_files import read_label_file, read_label_text
from eftclip.data.photographs import OTHER_NAMES, Photograph, bundled_photographs, bundled_set, host_photographs
from eftclip.data.pictures import check_picture, read_picture
from eftclip.data.sets import Entry, ImageSet, list_set, open_set, unreadable
from eftclip.data.unpacking import plain_file_name, unpack_folder

__all__ = [
    "OTHER_NAMES",
    "Entry",
    "ImageSet",
    "Photograph",
    "bundled_photographs",
    "bundled_set",
    "check_picture",
    "host_photographs",
    "list_left_out",
    "list_pictures",
    "list_set",
    "open_set",
    "plain_file_name",
    "read_label_file",
    "read_label_text",
    "read_picture",
    "unpack_folder",
    "unreadable",
]
