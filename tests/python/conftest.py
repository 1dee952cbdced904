"""Starts the real binary, named by MURRE_BINARY, on a free port for each test."""

import os
import queue
import re
import signal
import subprocess
import threading

import pytest

DEADLINE = 20
"""Seconds that a test waits for anything before it fails."""


class Broker:
    """A running broker."""

    def __init__(self, folder, settings=None):
        binary = os.environ.get("MURRE_BINARY")
        assert binary, "MURRE_BINARY doesn't name the binary; `cargo xtask test python` sets it"
        self.process = subprocess.Popen(
            [binary, "serve", "--bind", "127.0.0.1:0"],
            cwd=folder,
            env={**os.environ, **(settings or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.log = []
        self._addresses = queue.Queue(1)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        address = self._addresses.get(timeout=DEADLINE)
        assert address, "the broker ended before it listened:\n" + "".join(self.log)
        self.ws = f"ws://{address}/ws"

    def _read(self):
        found = None
        for line in self.process.stdout:
            self.log.append(line)
            match = re.search(r"listening on http://([\d.]+:\d+)", line)
            if match and not found:
                found = match[1]
                self._addresses.put(found)
        if not found:
            self._addresses.put(None)

    def terminate(self):
        """Asks it to stop, as a service manager does."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self):
        """The exit code, once it has ended."""
        return self.process.wait(DEADLINE)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()


@pytest.fixture
def broker(tmp_path):
    running = Broker(tmp_path)
    yield running
    running.stop()
    # Shown by pytest where the test failed.
    print("".join(running.log))
