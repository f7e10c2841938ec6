"""What a store says when it cannot: the errors of every database."""

from errors import Category, GradewatchError


class StoreUnavailable(GradewatchError):
    """The database cannot be reached or refused the work; nothing of the call was kept. Worth trying again."""

    category = Category.UNAVAILABLE
    retry_after = 2


class Unkeepable(GradewatchError):
    """A value that this database cannot hold, such as a text with the character U+0000 in PostgreSQL."""


class Conflict(GradewatchError):
    """Someone else changed the champion or document first: its generation or revision is not the expected one."""

    category = Category.CONFLICT


class Damaged(GradewatchError):
    """What the database keeps cannot be read: it was damaged, or changed by hand. The message names the record, and no
    student."""

    category = Category.DAMAGED


class LogHasNoMonths(GradewatchError):
    """The log of predictions is not on PostgreSQL, where alone it is parted into months."""

    category = Category.MISUSED


class LostJob(GradewatchError):
    """A job that somebody else holds by now, or whose lease has run out: whoever held it may write nothing more."""

    category = Category.CONFLICT
