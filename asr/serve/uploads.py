"""Receive an upload within its limits, and keep the file under a name of our own."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from asr.serve.errors import ApiError
from asr.serve.limits import Limits

MAX_FIELDS = 1_100
"""Most fields of a form; each hot word is one."""


@asynccontextmanager
async def form(request: Request, limits: Limits) -> AsyncIterator[FormData]:
    """Read a form.

    Raises:
        ApiError: it is too large, too slow, or not a form.
    """
    too_large = ApiError(
        413, f"The upload is larger than {limits.upload_bytes / 2**20:g} MiB, the maximum of this server."
    )
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > limits.upload_bytes:
        raise too_large
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise ApiError(400, "The request must be a form (multipart/form-data) with the field `file`.")
    size = 0

    async def receive() -> Message:
        nonlocal size
        message = await asyncio.wait_for(request.receive(), limits.idle_s)
        size += len(message.get("body", b""))
        if size > limits.upload_bytes:
            raise too_large
        return message

    try:
        async with asyncio.timeout(limits.body_s):
            fields = await Request(request.scope, receive).form(max_files=1, max_fields=MAX_FIELDS)
    except TimeoutError:
        raise ApiError(408, "The upload was too slow, and was ended: send the file again.") from None
    except ClientDisconnect:
        raise ApiError(400, "The client went away.") from None
    except (HTTPException, MultiPartException) as error:
        reason = getattr(error, "detail", None) or getattr(error, "message", "it is damaged")
        raise ApiError(400, f"The form cannot be read: {reason}") from None
    except (KeyError, ValueError, UnicodeError) as error:
        raise ApiError(400, f"The form cannot be read ({type(error).__name__}).") from None
    except OSError as error:
        raise ApiError(503, f"The upload cannot be stored ({error.strerror}): try again later.") from None
    try:
        yield fields
    finally:
        await fields.close()


async def save(upload: UploadFile, folder: Path) -> Path:
    """Copy an upload to a new file in a folder. Raises ApiError if the disk is full."""

    def copy() -> Path:
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            path = Path(file.name)
            try:
                shutil.copyfileobj(upload.file, file, 1 << 20)
            except OSError:
                path.unlink(missing_ok=True)
                raise
        return path

    try:
        return await asyncio.to_thread(copy)
    except OSError as error:
        raise ApiError(503, f"The upload cannot be stored ({error.strerror}): try again later.") from None
