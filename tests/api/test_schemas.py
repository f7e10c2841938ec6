"""What the service says is on its page, record by record."""

import msgspec

from api import schemas
from api.app import create_app


def test_every_record_that_is_said_or_taken_stands_on_the_page() -> None:
    own = {name: one for name, one in vars(schemas).items() if getattr(one, "__module__", "") == schemas.__name__}
    records = {name for name, one in own.items() if isinstance(one, type) and issubclass(one, msgspec.Struct)}
    page = create_app().framework().openapi()["components"]["schemas"]
    assert records
    assert records - page.keys() == set()
