"""Chromium without a window, over a pipe: its DevTools protocol, messages of JSON that end in NUL.

Chromium draws with its own software renderer, so no graphics card is needed. TESS_CHROMIUM names the
program (else chromium, chromium-browser or google-chrome).
"""
import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time

WAIT = 300  # seconds for an answer, on a machine that does other things
# The browser reads from 3 and writes to 4.
START = """
import os, sys
read, write = (os.dup(int(text)) for text in sys.argv[1:3])
for number, wanted in ((read, 3), (write, 4)):
    os.dup2(number, wanted)
os.execvp(sys.argv[3], sys.argv[3:])
"""


def find():
    names = (os.environ.get("TESS_CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, filter(None, names)) if path), None)


class Chromium:
    """A browser with one page of `size` pixels a side; what it loads is noted in `loaded`."""

    def __init__(self, program, where, size):
        self.loaded, self.answers, self.number, self.rest = [], {}, 0, b""
        to_read, self.write_end = os.pipe()
        self.read_end, to_write = os.pipe()
        os.set_inheritable(to_read, True)
        os.set_inheritable(to_write, True)
        self.errors = open(where / "chromium.txt", "wb")
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, str(to_read), str(to_write), program, "--headless",
             "--no-sandbox", "--remote-debugging-pipe", "--use-angle=swiftshader",
             "--enable-unsafe-swiftshader", "--hide-scrollbars", "--force-device-scale-factor=1",
             "--force-color-profile=srgb", f"--user-data-dir={where / 'chromium-profile'}",
             f"--window-size={size},{size}", "about:blank"],
            pass_fds=(to_read, to_write), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=self.errors)
        os.close(to_read)
        os.close(to_write)
        self.session = None
        self.ask("Browser.setDownloadBehavior", behavior="allow",
                 downloadPath=str(where / "chromium-downloads"))
        targets = self.ask("Target.getTargets")["targetInfos"]
        target = next(t["targetId"] for t in targets if t["type"] == "page")
        self.session = self.ask("Target.attachToTarget", targetId=target,
                                flatten=True)["sessionId"]
        self.ask("Page.enable")
        self.ask("Network.enable")
        self.resize(size, size)

    def read_message(self, end):
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.read_end], [], [], max(end - time.monotonic(), 0))
            data = os.read(self.read_end, 1 << 16) if ready else b""
            assert data, "the browser does not answer" if not ready else "the browser is gone"
            self.rest += data
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def ask(self, method, **parameters):
        self.number += 1
        request = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            request["sessionId"] = self.session
        data = json.dumps(request).encode() + b"\0"
        while data:
            data = data[os.write(self.write_end, data):]
        end = time.monotonic() + WAIT
        while True:
            message = self.read_message(end)
            if message.get("method") == "Network.requestWillBeSent":
                self.loaded.append(message["params"]["request"]["url"])
            if message.get("id") == self.number:
                assert "error" not in message, (method, message)
                return message["result"]

    def resize(self, width, height):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=1, mobile=False)

    def open(self, address):
        self.ask("Page.navigate", url="about:blank")  # else another fragment is no other page
        self.ask("Page.navigate", url=address)

    def evaluate(self, script):
        """The value of an expression, or of what it promises."""
        result = self.ask("Runtime.evaluate", expression=script, awaitPromise=True,
                          returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def screenshot(self):
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])

    def _mouse(self, kind, x, y, buttons):
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, buttons=buttons,
                 button="left" if buttons or kind == "mouseReleased" else "none", clickCount=1)

    def drag(self, x, y, right, down):
        self._mouse("mouseMoved", x, y, 0)
        self._mouse("mousePressed", x, y, 1)
        for part in (1, 2, 3, 4):
            self._mouse("mouseMoved", x + right * part / 4, y + down * part / 4, 1)
        self._mouse("mouseReleased", x + right, y + down, 0)

    def click(self, x, y):
        self.drag(x, y, 0, 0)

    def close(self):
        self.process.terminate()
        self.process.wait(60)
        os.close(self.read_end)
        os.close(self.write_end)
        self.errors.close()
