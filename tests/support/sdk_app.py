"""An ASGI application that answers as the servers of OpenAI and of Anthropic do, as far as their SDKs are asked here.

The model repeats what it was told, word by word. A conversation that begins with "hold" is given one word, and the
others once `/release` was asked for. "flaky N" answers 429 to the first N tries.
"""

import asyncio
import json

KEY = "sk-tests"

_tries = {}
_held = {}


class Call:
    def __init__(self, scope, receive, send):
        self.path = scope["path"]
        self.method = scope["method"]
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self.http_version = scope["http_version"]
        self._receive = receive
        self._send = send

    async def body(self):
        parts, more = [], True
        while more:
            message = await self._receive()
            more = message.get("more_body", False)
            parts.append(message.get("body", b""))
        return b"".join(parts)

    async def start(self, status, kind, **fields):
        fields = {"content-type": kind, "x-request-id": "req-1", "request-id": "req-1", **fields}
        headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, data, more=True):
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def json(self, value, status=200, **fields):
        await self.start(status, "application/json", **fields)
        await self.write(json.dumps(value).encode(), more=False)

    async def event(self, value, name=None):
        event = f"event: {name}\n" if name else ""
        data = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        await self.write(f"{event}data: {data}\n\n".encode())


def _text(messages):
    content = messages[-1]["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


async def _words(text):
    """The words one by one; the second one when it is released, where that was asked for."""
    words = text.split(" ")
    for index, word in enumerate(words):
        if index == 1 and words[0] == "hold":
            await asyncio.wait_for(_held.setdefault(words[1], asyncio.Event()).wait(), 30)
        yield word if index == 0 else f" {word}"


async def release(call):
    name = (await call.body()).decode()
    _held.setdefault(name, asyncio.Event()).set()
    await call.json({})


async def _is_busy(call, text):
    """Whether this is one of the first N tries of "flaky N name"."""
    if not text.startswith("flaky "):
        return False
    _tries[text] = _tries.get(text, 0) + 1
    if _tries[text] > int(text.split()[1]):
        return False
    error = {"type": "rate_limit_error", "message": "too many"}
    await call.json({"type": "error", "error": error}, 429, retry_after_ms="1", retry_after="0")
    return True


# OpenAI


async def chat(call):
    asked = json.loads(await call.body())
    text = _text(asked["messages"])
    common = {"id": "chatcmpl-1", "created": 1, "model": asked["model"]}
    if await _is_busy(call, text):
        return
    if not asked.get("stream"):
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return await call.json({**common, "object": "chat.completion", "choices": [choice], "usage": usage})
    await call.start(200, "text/event-stream")
    async for word in _words(text):
        choice = {"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}
        await call.event({**common, "object": "chat.completion.chunk", "choices": [choice]})
    await call.event({**common, "object": "chat.completion.chunk",
                      "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})  # fmt: skip
    await call.event("[DONE]")
    await call.write(b"", more=False)


async def models(call):
    model = {"id": "repeater", "object": "model", "created": 1, "owned_by": call.http_version}
    await call.json({"object": "list", "data": [model]})


async def files(call):
    body = await call.body()
    if not call.headers["content-type"].startswith("multipart/form-data"):
        return await call.json({"error": {"message": "not a form"}}, 400)
    value = {"id": "file-1", "object": "file", "created_at": 1, "filename": "f", "purpose": "batch", "status": "processed"}
    await call.json({**value, "bytes": len(body)})


async def file_content(call):
    await call.start(200, "application/octet-stream", content_length="1000000")
    for _ in range(10):
        await call.write(b"x" * 100_000)
    await call.write(b"", more=False)


# Anthropic


async def messages(call):
    asked = json.loads(await call.body())
    text = _text(asked["messages"])
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": asked["model"], "content": [],
               "stop_reason": None, "stop_sequence": None, "usage": usage}  # fmt: skip
    if await _is_busy(call, text):
        return
    if not asked.get("stream"):
        return await call.json({**message, "content": [{"type": "text", "text": text}], "stop_reason": "end_turn"})
    await call.start(200, "text/event-stream")

    async def event(kind, **fields):
        await call.event({"type": kind, **fields}, kind)

    await event("message_start", message=message)
    await event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    await event("ping")
    async for word in _words(text):
        await event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
    await event("content_block_stop", index=0)
    await event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage=usage)
    await event("message_stop")
    await call.write(b"", more=False)


ROUTES = {
    ("POST", "/v1/chat/completions"): chat,
    ("GET", "/v1/models"): models,
    ("POST", "/v1/files"): files,
    ("GET", "/v1/files/file-1/content"): file_content,
    ("POST", "/v1/messages"): messages,
    ("POST", "/release"): release,
}


async def app(scope, receive, send):
    """The ASGI entry."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    call = Call(scope, receive, send)
    keys = (call.headers.get("authorization", "").removeprefix("Bearer "), call.headers.get("x-api-key"))
    if call.path != "/release" and KEY not in keys:
        await call.body()
        error = {"type": "authentication_error", "message": "invalid key"}
        return await call.json({"type": "error", "error": error}, 401)
    handler = ROUTES.get((call.method, call.path))
    if handler is None:
        return await call.json({"type": "error", "error": {"type": "not_found_error", "message": call.path}}, 404)
    await handler(call)
