"""HTTP/2 frames as bytes (RFC 9113, sections 4 and 6). Packs anything, legal or not, and knows no
state."""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

(
    DATA,
    HEADERS,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    PUSH_PROMISE,
    PING,
    GOAWAY,
    WINDOW_UPDATE,
    CONTINUATION,
) = range(10)
ALTSVC, ORIGIN, PRIORITY_UPDATE = 0xA, 0xC, 0x10
NAMES = {
    DATA: "DATA",
    HEADERS: "HEADERS",
    PRIORITY: "PRIORITY",
    RST_STREAM: "RST_STREAM",
    SETTINGS: "SETTINGS",
    PUSH_PROMISE: "PUSH_PROMISE",
    PING: "PING",
    GOAWAY: "GOAWAY",
    WINDOW_UPDATE: "WINDOW_UPDATE",
    CONTINUATION: "CONTINUATION",
    ALTSVC: "ALTSVC",
    ORIGIN: "ORIGIN",
    PRIORITY_UPDATE: "PRIORITY_UPDATE",
}

ACK = END_STREAM = 0x1
END_HEADERS, PADDED, PRIORITIZED = 0x4, 0x8, 0x20

(
    NO_ERROR,
    PROTOCOL_ERROR,
    INTERNAL_ERROR,
    FLOW_CONTROL_ERROR,
    SETTINGS_TIMEOUT,
    STREAM_CLOSED,
    FRAME_SIZE_ERROR,
    REFUSED_STREAM,
    CANCEL,
    COMPRESSION_ERROR,
    CONNECT_ERROR,
    ENHANCE_YOUR_CALM,
    INADEQUATE_SECURITY,
    HTTP_1_1_REQUIRED,
) = range(14)

(
    HEADER_TABLE_SIZE,
    ENABLE_PUSH,
    MAX_CONCURRENT_STREAMS,
    INITIAL_WINDOW_SIZE,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
) = range(1, 7)
ENABLE_CONNECT_PROTOCOL, NO_RFC7540_PRIORITIES = 8, 9

MAX_WINDOW = 2**31 - 1
MAX_STREAM_ID = 2**31 - 1
DEFAULT_WINDOW = 65535
DEFAULT_FRAME = 16384

_HEAD = struct.Struct(">HBBBI")
_U32 = struct.Struct(">I")
_SETTING = struct.Struct(">HI")


class Frame:
    """One received frame. `payload` is None for DATA whose bytes were not kept; `length` is always
    true."""

    __slots__ = ("type", "flags", "stream_id", "length", "payload")

    def __init__(self, type, flags, stream_id, length, payload):
        self.type = type
        self.flags = flags
        self.stream_id = stream_id
        self.length = length
        self.payload = payload

    def __repr__(self):
        where = f"flags={self.flags:#x} stream={self.stream_id} length={self.length}"
        return f"<{self.name} {where}>"

    @property
    def name(self):
        return NAMES.get(self.type, hex(self.type))


def pack(type, flags, stream_id, payload=b""):
    """The frame as bytes; a length above 24 bits cannot be written."""
    length = len(payload)
    return _HEAD.pack(length >> 8, length & 0xFF, type, flags, stream_id) + payload


def pack_header(length, type, flags, stream_id):
    """A frame header alone, with whatever length it claims."""
    return _HEAD.pack(length >> 8, length & 0xFF, type, flags, stream_id)


def unpack_header(buffer, offset=0):
    """(length, type, flags, stream_id) of the nine bytes at `offset`; the reserved bit is
    dropped."""
    high, low, type, flags, stream_id = _HEAD.unpack_from(buffer, offset)
    return high << 8 | low, type, flags, stream_id & MAX_STREAM_ID


def u32(number):
    return _U32.pack(number)


def read_u32(payload, offset=0):
    return _U32.unpack_from(payload, offset)[0]


def pack_settings(settings):
    """A SETTINGS payload from a dict, or from pairs where order or repetition matters."""
    pairs = settings.items() if isinstance(settings, dict) else settings
    return b"".join(_SETTING.pack(key, value) for key, value in pairs)


def unpack_settings(payload):
    return [_SETTING.unpack_from(payload, at) for at in range(0, len(payload) - 5, 6)]


def unpad(payload, flags):
    """The payload of DATA or HEADERS without its padding; raises ValueError when the padding is too
    long."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise ValueError("padding is longer than the frame")
    return payload[1 : len(payload) - payload[0]]


def pad(payload, length):
    """Payload with `length` bytes of padding (None: no padding, no flag)."""
    return payload if length is None else bytes([length]) + payload + bytes(length)
