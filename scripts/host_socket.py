"""A small WebSocket reader, so that the commands need nothing but the standard library (RFC 6455, client side)."""

from __future__ import annotations

import base64
import os
import socket
import struct

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


class WebSocket:
    """Receives the messages of one connection."""

    def __init__(self, host: str, port: int, path: str) -> None:
        self._socket = socket.create_connection((host, port), timeout=30)
        self._buffer = b""
        self._parts: list[bytes] = []
        self._kind = TEXT
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self._socket.sendall(request.encode())
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        if b" 101 " not in head.splitlines()[0]:
            raise ConnectionError(f"no WebSocket at {path}: {head.splitlines()[0].decode('latin-1')}")

    def receive(self, timeout: float) -> tuple[int, bytes] | None:
        """The next message (TEXT or BINARY, payload), or None when none came in time.

        Raises ConnectionError when the server closed the connection.
        """
        self._socket.settimeout(timeout)
        try:
            while True:
                kind, final, payload = self._frame()
                if kind == CLOSE:
                    raise ConnectionError("the server closed the connection")
                if kind == PING:
                    self._send(PONG, payload)
                elif kind in (0, TEXT, BINARY):
                    self._kind = kind or self._kind
                    self._parts.append(payload)
                    if final:
                        message, self._parts = b"".join(self._parts), []
                        return self._kind, message
        except TimeoutError:
            return None

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _frame(self) -> tuple[int, bool, bytes]:
        """One frame; nothing is taken from the buffer before all of it is there, so that a timeout loses nothing."""
        self._need(2)
        first, second = self._buffer[0], self._buffer[1]
        length, start = second & 0x7F, 2
        if length == 126:
            self._need(4)
            length, start = struct.unpack(">H", self._buffer[2:4])[0], 4
        elif length == 127:
            self._need(10)
            length, start = struct.unpack(">Q", self._buffer[2:10])[0], 10
        self._need(start + length)
        payload, self._buffer = self._buffer[start : start + length], self._buffer[start + length :]
        return first & 0x0F, bool(first & 0x80), payload

    def _need(self, size: int) -> None:
        while len(self._buffer) < size:
            self._fill()

    def _fill(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._buffer += data

    def _send(self, kind: int, payload: bytes) -> None:
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self._socket.sendall(bytes([0x80 | kind, 0x80 | len(payload)]) + mask + masked)
