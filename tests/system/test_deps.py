#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The dependency step on a lock of its own with small tarballs: what it finds, builds once, and says when it stops.
Nothing here uses the network."""

import hashlib
import importlib.machinery
import importlib.util
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

STEP = Path(__file__).resolve().parents[2] / "tools/deps"

LOCK = """
[library.alpha]
version = "1.2"
build = "copy"
copy = ["hello.h"]
patches = "alpha"
[[library.alpha.source]]
file = "alpha_1.2.orig.tar.gz"
sha256 = "{alpha}"
debian = ["alpha/sid"]

[library.beta]
version = "3.4"
build = "copy"
copy = ["hello.h"]
[[library.beta.source]]
file = "beta_3.4.orig.tar.gz"
sha256 = "{beta}"
debian = ["beta/sid"]
"""

PATCH = """The number is two.

--- a/hello.h
+++ b/hello.h
@@ -1 +1 @@
-#define HELLO 1
+#define HELLO {value}
"""


def tarball(name):
    """A source tarball with one header in one top folder."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        text = b"#define HELLO 1\n"
        entry = tarfile.TarInfo(f"{name}/hello.h")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return data.getvalue()


class DependencyStep(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.dir = Path(scratch.name)
        self.tarballs = {name: tarball(name) for name in ("alpha", "beta")}
        self.sums = {name: hashlib.sha256(data).hexdigest() for name, data in self.tarballs.items()}
        (self.dir / "cmake/patches/alpha").mkdir(parents=True)
        (self.dir / "cmake/deps.lock").write_text(LOCK.format(**self.sums), encoding="utf-8")
        self.write_patch(2)
        self.supplied = self.dir / "supplied"
        self.supplied.mkdir()

    def write_patch(self, value):
        (self.dir / "cmake/patches/alpha/0001-two.patch").write_text(PATCH.format(value=value), encoding="utf-8")

    def supply(self, *names, where=None):
        for name in names:
            version = {"alpha": "1.2", "beta": "3.4"}[name]
            folder = where or self.supplied
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}_{version}.orig.tar.gz").write_bytes(self.tarballs[name])

    def step(self, *names):
        environment = dict(os.environ, HEADRACE_DEPS_DIR=str(self.supplied), XDG_CACHE_HOME=str(self.dir / "cache"))
        return subprocess.run(
            [STEP, "--offline", "--lock", self.dir / "cmake/deps.lock", "build", "--work", self.dir / "work",
             "--cache", self.dir / "built", *names],
            capture_output=True, text=True, check=False, env=environment,
        )  # fmt: skip

    def prefix(self, result, name):
        self.assertEqual(result.returncode, 0, result.stderr)
        return Path(result.stdout.split(f'HEADRACE_DEP_{name} "')[1].split('"')[0])

    def test_missing_tarballs_are_all_named_with_their_sums_and_how_to_supply_them(self):
        result = self.step()
        self.assertEqual(result.returncode, 1)
        for text in ("alpha 1.2: no tarball found", "beta 3.4: no tarball found", "alpha_1.2.orig.tar.gz",
                     self.sums["alpha"], self.sums["beta"], "set HEADRACE_DEPS_DIR"):  # fmt: skip
            self.assertIn(text, result.stderr)
        self.assertNotIn("Traceback", result.stderr)

    def test_only_what_is_missing_is_named(self):
        self.supply("alpha")
        result = self.step()
        self.assertEqual(result.returncode, 1)
        self.assertNotIn("alpha 1.2: no tarball", result.stderr)
        self.assertIn("beta 3.4: no tarball found", result.stderr)

    def test_wrong_sum_stops_with_the_file_and_both_sums(self):
        self.supply("alpha", "beta")
        wrong = self.supplied / "beta_3.4.orig.tar.gz"
        wrong.write_bytes(b"not the tarball")
        result = self.step()
        self.assertEqual(result.returncode, 1)
        for text in ("beta 3.4: wrong SHA-256", str(wrong), self.sums["beta"],
                     hashlib.sha256(b"not the tarball").hexdigest(), "HEADRACE_DEPS_DIR"):  # fmt: skip
            self.assertIn(text, result.stderr)
        self.assertFalse(list((self.dir / "built").glob("beta-*")))

    def test_wrong_sum_in_the_cache_stops_too(self):
        self.supply("beta", where=self.dir / "cache/headrace")
        (self.dir / "cache/headrace/beta_3.4.orig.tar.gz").write_bytes(b"")
        result = self.step("beta")
        self.assertEqual(result.returncode, 1)
        self.assertIn("beta 3.4: wrong SHA-256", result.stderr)

    def test_sources_are_patched_and_built_once(self):
        self.supply("alpha")
        prefix = self.prefix(self.step("alpha"), "alpha")
        self.assertEqual((prefix / "hello.h").read_text(encoding="utf-8"), "#define HELLO 2\n")
        (self.supplied / "alpha_1.2.orig.tar.gz").unlink()
        again = self.step("alpha")
        self.assertEqual(self.prefix(again, "alpha"), prefix)
        self.assertNotIn("building", again.stderr)

    def test_another_patch_is_another_build(self):
        self.supply("alpha", where=self.dir / "cache/headrace")
        first = self.prefix(self.step("alpha"), "alpha")
        self.write_patch(3)
        second = self.prefix(self.step("alpha"), "alpha")
        self.assertNotEqual(first, second)
        self.assertEqual((second / "hello.h").read_text(encoding="utf-8"), "#define HELLO 3\n")

    def test_patch_that_does_not_apply_leaves_nothing_built(self):
        self.supply("alpha")
        patch = self.dir / "cmake/patches/alpha/0001-two.patch"
        patch.write_text(PATCH.replace("HELLO 1", "OTHER").format(value=2), encoding="utf-8")
        result = self.step("alpha")
        self.assertEqual(result.returncode, 1)
        self.assertIn("0001-two.patch", result.stderr)
        self.assertFalse(list((self.dir / "built").glob("alpha-*")))

    def test_unknown_library_is_named(self):
        result = self.step("gamma")
        self.assertEqual(result.returncode, 1)
        self.assertIn("no library 'gamma' in deps.lock; it has: alpha, beta", result.stderr)


class MachineSources(unittest.TestCase):
    """The private apt configuration takes the machine's addresses for its own release, in both formats."""

    def setUp(self):
        sys.dont_write_bytecode = True
        loader = importlib.machinery.SourceFileLoader("deps_step", str(STEP))
        self.module = importlib.util.module_from_spec(importlib.util.spec_from_loader("deps_step", loader))
        loader.exec_module(self.module)
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.etc = Path(scratch.name)
        (self.etc / "sources.list.d").mkdir()

    def sources(self):
        return self.module.machine_sources(self.etc, "bookworm")

    def test_deb822_stanzas_of_the_release_are_taken_and_others_left(self):
        (self.etc / "sources.list.d/debian.sources").write_text(
            "# a comment\nTypes: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n"
            "Components: main\nSigned-By: /usr/share/keyrings/debian.gpg\n\n"
            "Types: deb\nURIs: http://mirror.example/security\nSuites: bookworm-security\nComponents: main\n\n"
            "Enabled: no\nTypes: deb\nURIs: http://off.example/\nSuites: bookworm\nComponents: main\n",
            encoding="utf-8",
        )
        self.assertEqual(
            self.sources(), [("http://mirror.example/debian", "[signed-by=/usr/share/keyrings/debian.gpg] ")]
        )

    def test_one_line_entries_of_the_release_are_taken_once(self):
        (self.etc / "sources.list").write_text(
            "deb http://mirror.example/debian bookworm main contrib\n"
            "deb-src http://mirror.example/debian bookworm main\n"
            "deb [arch=amd64] http://other.example/x stable main\n"
            "# deb http://off.example/ bookworm main\n",
            encoding="utf-8",
        )
        self.assertEqual(self.sources(), [("http://mirror.example/debian", "")])

    def test_machine_of_another_release_has_none(self):
        (self.etc / "sources.list").write_text("deb http://mirror.example/x noble main\n", encoding="utf-8")
        self.assertEqual(self.sources(), [])


if __name__ == "__main__":
    unittest.main()
