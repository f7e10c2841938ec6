"""One-row requests that have come whole, answered without a coroutine: given to uvicorn as its `http`.

Closed: only `OneWriteProtocol` is used from outside. GRADEWATCH_WHOLE_REQUESTS=off leaves every request to a coroutine.
"""

from deployment.whole_request.protocol import OneWriteProtocol

__all__ = ["OneWriteProtocol"]
