"""Everything EftCLIP raises on purpose: each message says what happened, what was found and what to do."""


class EftclipError(Exception):
    """Base of all errors meant for the user; its text is one clear sentence."""


class CheckpointError(EftclipError):
    """A checkpoint is missing, incomplete, of the wrong shape, or would need trust that was not given."""


class DataError(EftclipError):
    """An image, a folder or a label list cannot be used."""


class MissingError(DataError):
    """A sample that a data set names is not there."""


class LeftOutError(DataError):
    """Something in a source that may be a picture, or hold some, and is not read as a sample of it."""


class OracleError(EftclipError):
    """A segmentation oracle is unknown, or its weights are missing or not the expected ones."""


class TriggerError(EftclipError):
    """A trigger is unknown or cannot be planted as asked."""


class ConfigError(EftclipError):
    """A setting lies outside its range."""


class PublishError(EftclipError):
    """A mended checkpoint cannot be published, or was not; its text says what is on the Hub now."""


class PageError(EftclipError):
    """The page cannot be served on this machine as it was asked."""


class ResultsError(EftclipError):
    """A file of measured results is missing, or is not what it should be."""
