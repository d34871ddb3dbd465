# SPDX-License-Identifier: Apache-2.0
"""PKCS#11 tokens in a folder of the test's own: SoftHSM's, which are real ones but for their hardware."""
import os
import pathlib
import shutil

import harness

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
SPY = "/usr/lib/x86_64-linux-gnu/pkcs11-spy.so"  # of OpenSC: writes down every call, and hands it on


class Tokens:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / "tokens"
        self.folder.mkdir()
        self.config = self.folder.parent / "softhsm2.conf"
        self.config.write_text(f"directories.tokendir = {self.folder}\nlog.level = ERROR\n")
        self.log = self.folder.parent / "spy.log"
        self.env = {"SOFTHSM2_CONF": str(self.config), "PKCS11SPY": MODULE, "PKCS11SPY_OUTPUT": str(self.log)}

    def run(self, *argv, **kwargs):
        return harness.run(*argv, env={**os.environ, **self.env}, **kwargs)

    def add(self, label, pin):
        """A new token; returns its folder."""
        before = set(self.folder.iterdir())
        self.run("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", "87654321")
        return (set(self.folder.iterdir()) - before).pop()

    def unplug(self, token):
        shutil.move(token, self.folder.parent / "drawer")

    def plug_in(self, token):
        shutil.move(self.folder.parent / "drawer", token)

    def tool(self, label, pin, *words, expect=0):
        return self.run("pkcs11-tool", "--module", MODULE, "--token-label", label, "--login", "--pin", pin, *words, expect=expect)

    def private_keys(self, label, pin):
        """Their descriptions, as OpenSC prints them."""
        listed = self.tool(label, pin, "--list-objects", "--type", "privkey").stdout
        return [part for part in listed.split("Private Key Object")[1:]]

    def logins(self):
        """C_Login calls that the spy has seen, from the beginning."""
        return self.log.read_text(errors="replace").count(": C_Login\n")
