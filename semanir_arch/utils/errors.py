"""Errors that speak to the user: something given cannot be used, or something cannot be done.

Each is also the built-in error that fits, so that callers from Python catch what they are used to.
Commands show a `UserError` as its message and keep the traceback of everything else; see
`semanir_arch.utils.command_line`.
"""

from __future__ import annotations

__all__ = [
    "CheckpointError",
    "ExistingFileError",
    "FileError",
    "InputError",
    "InputTypeError",
    "MissingFileError",
    "MissingPackageError",
    "NonFiniteError",
    "OutOfMemoryError",
    "SaveError",
    "UnavailableError",
    "UserError",
    "is_users",
    "message_of",
]


class UserError(Exception):
    """The message says what was given, what is wrong with it, and what is allowed or helps."""


class InputError(UserError, ValueError):
    """A value, or the content of a file, cannot be used."""


class InputTypeError(UserError, TypeError):
    """A value is of a kind that cannot be used."""


class CheckpointError(InputError):
    """A file that cannot be used as a checkpoint; the message names it and says why."""


class MissingFileError(UserError, FileNotFoundError):
    """A file or folder is not there."""


class ExistingFileError(UserError, FileExistsError):
    """A file is there that would be replaced."""


class FileError(UserError, OSError):
    """A file cannot be read, written or fetched."""


class MissingPackageError(UserError, ModuleNotFoundError):
    """A package that this needs is not installed."""


class UnavailableError(UserError, NotImplementedError):
    """Error of something that cannot run on this machine."""


class SaveError(UserError, RuntimeError):
    """Error of a save; the message names the file and the reason, and what is still there."""


class NonFiniteError(UserError, FloatingPointError):
    """Numbers are infinite, or none at all, so that nothing can be made of them."""


class OutOfMemoryError(UserError, MemoryError):
    """Error of too little memory; the message says what needs less."""


def message_of(error: BaseException) -> str:
    """Message of an error, without what Python and PyTorch put around it.

    Torch hands on the type of an error of a loading process, and one text with the whole traceback.

    Args:
        error: Any. Of one that the operating system raised, the file and the reason are told.
    """
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text = str(error)
    if not (text.startswith("Caught ") and " in DataLoader worker process" in text):
        return text
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return text.rpartition(f"\n{module}{kind.__qualname__}: ")[2].strip()


def is_users(error: BaseException) -> bool:
    """Whether an error is the user's to mend, and speaks for itself.

    These are a `UserError`, and what the operating system refused: a file that is missing, a disk
    that is full. Everything else is a fault of this package.
    """
    if not isinstance(error, OSError):
        return isinstance(error, UserError)
    # of an error of a loading process only the text is left
    return isinstance(error, UserError) or bool(error.errno) or "[Errno " in message_of(error)
