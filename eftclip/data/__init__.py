"""Where pictures come from: files and folders of the user's, and photographs that ship inside our dependencies."""

from eftclip.data.photographs import Photograph, bundled_photographs, strangers
from eftclip.data.pictures import check_picture, list_pictures, read_picture

__all__ = ["Photograph", "bundled_photographs", "check_picture", "list_pictures", "read_picture", "strangers"]
