"""Firefox on a screen that is not there, by its Marionette protocol: messages of JSON with their
length before them, over a socket.

Without any screen (--headless) it has no WebGL where there is no graphics card, so it runs in Xvfb, with
Mesa's software renderer. TESS_FIREFOX names the program (else firefox-esr or firefox).
"""
import base64
import json
import os
import shutil
import socket
import subprocess
import time

WAIT = 300  # seconds, on a machine that does other things
PREFERENCES = {
    "marionette.port": 0,  # any; it is written into the profile
    "webgl.force-enabled": True,  # with a software renderer, too
    "gfx.color_management.mode": 0,
    "browser.download.folderList": 2,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
}


def find():
    names = (os.environ.get("TESS_FIREFOX"), "firefox-esr", "firefox")
    return next((path for path in map(shutil.which, filter(None, names))
                 if path and shutil.which("Xvfb")), None)


def start_screen(size, log):
    """The process of Xvfb, and its display."""
    read, write = os.pipe()
    process = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{2 * size}x{2 * size}x24",
         "-nolisten", "tcp"], pass_fds=(write,), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    os.close(write)
    with open(read, encoding="ascii") as pipe:
        return process, f":{pipe.readline().strip()}"


class Firefox:
    """A browser with one page of `size` pixels a side."""

    def __init__(self, program, where, size):
        profile = where / "firefox-profile"
        profile.mkdir()
        settings = {**PREFERENCES, "browser.download.dir": str(where / "firefox-downloads")}
        (profile / "user.js").write_text("".join(
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
            for name, value in settings.items()))
        self.errors = open(where / "firefox.txt", "wb")
        self.screen, display = start_screen(size, self.errors)
        self.process = subprocess.Popen(
            [program, "--marionette", "--no-remote", "--profile", str(profile), "about:blank"],
            env={**os.environ, "HOME": str(where), "DISPLAY": display, "LIBGL_ALWAYS_SOFTWARE": "1"},
            stdin=subprocess.DEVNULL, stdout=self.errors, stderr=self.errors)
        self.number, self.socket = 0, None
        end = time.monotonic() + WAIT
        while self.socket is None:
            assert self.process.poll() is None and time.monotonic() < end, "Firefox does not start"
            time.sleep(0.2)
            try:
                port = int((profile / "MarionetteActivePort").read_text())
                self.socket = socket.create_connection(("127.0.0.1", port), WAIT)
            except (OSError, ValueError):
                pass
        self.read()
        self.ask("WebDriver:NewSession")
        self.resize(size, size)

    def read(self):
        length = b""
        while not length.endswith(b":"):
            part = self.socket.recv(1)
            assert part, "the browser is gone"
            length += part
        data = b""
        while len(data) < int(length[:-1]):
            data += self.socket.recv(int(length[:-1]) - len(data))
        return json.loads(data)

    def ask(self, command, **parameters):
        self.number += 1
        data = json.dumps([0, self.number, command, parameters]).encode()
        self.socket.sendall(b"%d:" % len(data) + data)
        _, number, error, result = self.read()
        assert number == self.number and error is None, (command, error)
        return result

    def resize(self, width, height):
        """The page's size: the window has a frame around it."""
        outer = self.ask("WebDriver:GetWindowRect")
        inner = self.evaluate("[innerWidth, innerHeight]")
        self.ask("WebDriver:SetWindowRect", width=outer["width"] + width - inner[0],
                 height=outer["height"] + height - inner[1])

    def open(self, address):
        self.ask("WebDriver:Navigate", url="about:blank")
        self.ask("WebDriver:Navigate", url=address)

    def evaluate(self, script):
        """The value of an expression, or of what it promises."""
        return self.ask("WebDriver:ExecuteAsyncScript", args=[], newSandbox=False, script=f"""
            const done = arguments[arguments.length - 1];
            Promise.resolve({script}).then(done, (error) => done(String(error)));
            """)["value"]

    def screenshot(self):
        return base64.b64decode(self.ask("WebDriver:TakeScreenshot", full=False)["value"])

    def drag(self, x, y, right, down):
        move = {"type": "pointerMove", "origin": "viewport", "duration": 0}
        self.ask("WebDriver:PerformActions", actions=[{
            "type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"},
            "actions": [{**move, "x": x, "y": y}, {"type": "pointerDown", "button": 0},
                        *({**move, "x": x + right * part // 4, "y": y + down * part // 4}
                          for part in (1, 2, 3, 4)),
                        {"type": "pointerUp", "button": 0}]}])

    def click(self, x, y):
        self.drag(x, y, 0, 0)

    def close(self):
        for process in (self.process, self.screen):
            process.terminate()
            process.wait(60)
        self.socket.close()
        self.errors.close()
