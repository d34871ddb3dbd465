# SPDX-License-Identifier: Apache-2.0
"""An aggregator that gives devices other certificates, and whose clock goes as wrong as a test wants: for devices that keep
their identity themselves."""
import json
import struct
import time

import harness
from harness import SERVER_NAME, program, wait_for

DAY_S = 86400


class Renewing(harness.SystemTest):
    """Device 1, which is claimed and provisioned by the tool, before such an aggregator."""

    def setUp(self):
        super().setUp()
        self.site = harness.Site(self.folder)
        self.shift_path = self.folder / "shift"
        self.shift(0)
        self.aggregator = self.own(harness.Aggregator(
            self.site, env={"LD_PRELOAD": program("libclock_shift.so"), "HEADRACE_CLOCK_SHIFT": str(self.shift_path),
                            "ASAN_OPTIONS": "verify_asan_link_order=0"}))
        self.issue_from(self.site.ca)
        self.aggregator.start()

    def issue_from(self, ca):
        """The aggregator's certificates for others come from that authority, once it has started."""
        folder = self.folder / "issued"
        folder.mkdir(exist_ok=True)
        self.aggregator.extra = (f"renewal: {{issuer_certificate: {ca / 'device-ca.crt'}, issuer_key: {ca / 'device-ca.key'}, "
                                 f"folder: {folder}}}\n")

    def shift(self, by_s):
        """The aggregator's clock goes wrong by so much from now on."""
        self.shift_path.write_bytes(struct.pack("=q", by_s * 1000))

    def let_it_end_soon(self, certificate_ends_s):
        """A certificate ends in 30 days by the aggregator's clock."""
        self.shift(certificate_ends_s - int(time.time()) - 30 * DAY_S)

    def headrace(self, *words, expect=0):
        return self.site.headrace("device", *words, "--config", self.aggregator.config, expect=expect)

    def enrol(self, serial, *line, uri):
        """Claims and provisions the device at that line."""
        self.headrace("claim", "--serial", serial, "--name", "lock-7")
        self.headrace("provision", *line, "--dir", self.site.ca, "--aggregator", uri, "--server-name", SERVER_NAME, "--wait",
                      "600")

    def rotate(self):
        """Asks the device for another transport key."""
        self.headrace("rotate", "1", "--transport", "--reason", "it was asked for")

    def batches(self):
        return self.aggregator.query("SELECT count(*) FROM batch WHERE device = 1")[0][0]

    def certified(self):
        """The beginnings of the keys that the device had certificates made for, in order."""
        rows = json.loads(self.site.headrace("audit", "1", "--json", "--config", self.aggregator.config).stdout)
        return [row["reason"].split()[-1] for row in rows if row["action"] == "certified" and row["actor"] == "device"]

    def die_with_a_key(self, certificate_ends_s, meanwhile=lambda: None):
        """The aggregator is asked for a certificate, and dies when it has noted so."""
        def has_died():
            meanwhile()
            return not self.aggregator.process.alive()
        self.aggregator.stop()
        self.aggregator.start(env={"HEADRACE_FAILPOINT": "certificate_audited:1"})
        self.let_it_end_soon(certificate_ends_s)
        wait_for("the aggregator to be asked and to die", has_died)
